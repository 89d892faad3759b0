import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';

/** What may hold a secret, by the name that findings give it. */
export type Haystack = Map<string, Buffer>;

/** Where a secret shows, and how: plain, in JSON, in a URL, in base64 at any offset. */
export function findSecret(haystack: Haystack, secret: string): readonly string[] {
  const found: string[] = [];
  for (const [where, bytes] of haystack) {
    for (const [how, text] of tracesOf(secret)) {
      if (bytes.includes(text)) found.push(`${where}: ${how}`);
    }
  }
  return found;
}

/** Computed in another way than the product does. */
function tracesOf(secret: string): ReadonlyMap<string, string> {
  const json = JSON.stringify(secret).slice(1, -1);
  const traces = new Map([
    ['plain', secret],
    ['console', secret.replaceAll('\\', '\\\\')],
    ['JSON', json],
    ['JSON in JSON', JSON.stringify(json).slice(1, -1)],
    ['URL', encodeURIComponent(secret)],
    ['URL in lower case', encodeURIComponent(secret).replaceAll(/%../g, (at) => at.toLowerCase())],
    ['form', new URLSearchParams([['', secret]]).toString().slice(1)],
  ]);
  for (const offset of [0, 1, 2]) {
    // Whole groups of four digits that hold nothing but the secret.
    const bytes = Buffer.from(secret).subarray((3 - offset) % 3);
    const whole = bytes.subarray(0, bytes.length - (bytes.length % 3));
    traces.set(`base64 at ${offset}`, whole.toString('base64'));
    traces.set(`base64url at ${offset}`, whole.toString('base64url'));
  }
  return traces;
}

/** All text and all bytes inside a value, such as a workflow's history. */
export function bytesInside(value: unknown): Buffer {
  const parts: Uint8Array[] = [];
  const collect = (inner: unknown): void => {
    if (typeof inner === 'string') parts.push(Buffer.from(inner), Buffer.from('\n'));
    else if (inner instanceof Uint8Array) parts.push(inner, Buffer.from('\n'));
    else if (typeof inner === 'object' && inner !== null) {
      for (const [key, item] of Object.entries(inner)) {
        collect(key);
        collect(item);
      }
    }
  };
  collect(value);
  return Buffer.concat(parts);
}

/** Every file below a folder: its name and its bytes. */
export async function addFolder(haystack: Haystack, folder: string): Promise<void> {
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    haystack.set(`name of ${path}`, Buffer.from(path));
    if (entry.isFile()) haystack.set(path, await readFile(path));
  }
}
