import type { JsonValue } from '../plan/json.ts';
import { secretForms } from './secret-forms.ts';

interface Needle {
  readonly name: string;
  readonly bytes: Buffer;
}

/** Finds secrets in bytes, in one pass however many forms they have. */
export class SecretScanner {
  readonly #needles = new Map<number, Needle[]>();
  /** Whether some form begins with these two bytes. */
  readonly #starts = new Uint8Array(2 ** 16);
  readonly #overlap: number;

  /** @param secrets values by name */
  constructor(secrets: ReadonlyMap<string, string>) {
    let longest = 1;
    for (const [name, value] of secrets) {
      for (const { text } of secretForms(value)) {
        const bytes = Buffer.from(text);
        const start = bytes.readUInt16LE();
        this.#needles.set(start, [...(this.#needles.get(start) ?? []), { name, bytes }]);
        this.#starts[start] = 1;
        longest = Math.max(longest, bytes.length);
      }
    }
    this.#overlap = longest - 1;
  }

  /** The name of a secret that the bytes hold. */
  nameIn(bytes: Uint8Array): string | undefined {
    const end = bytes.length - 1;
    for (let at = 0; at < end; at += 1) {
      const start = (bytes[at] ?? 0) | ((bytes[at + 1] ?? 0) << 8);
      if (this.#starts[start] === 0) continue;
      const found = this.#needles.get(start)?.find((needle) => isAt(needle, bytes, at));
      if (found !== undefined) return found.name;
    }
    return undefined;
  }

  /** As `nameIn`, of JSON: as it will be written, and of each text in it as that is. */
  nameInJson(value: JsonValue): string | undefined {
    const texts = Buffer.from(textsIn(value).join('\0'));
    return this.nameIn(texts) ?? this.nameIn(Buffer.from(JSON.stringify(value)));
  }

  /** As `nameIn`, of bytes that come in pieces, however a secret is cut between them. */
  async nameInStream(chunks: AsyncIterable<Uint8Array>): Promise<string | undefined> {
    let tail: Uint8Array = new Uint8Array();
    for await (const chunk of chunks) {
      const bytes = Buffer.concat([tail, chunk]);
      const found = this.nameIn(bytes);
      if (found !== undefined) return found;
      tail = bytes.subarray(Math.max(0, bytes.length - this.#overlap));
    }
    return undefined;
  }
}

/** Every text in a value, the names of a map's entries too. */
function textsIn(value: JsonValue): readonly string[] {
  if (typeof value === 'string') return [value];
  if (value === null || typeof value !== 'object') return [];
  if (Array.isArray(value)) return value.flatMap(textsIn);
  return Object.entries(value).flatMap(([name, item]) => [name, ...textsIn(item)]);
}

function isAt({ bytes: wanted }: Needle, bytes: Uint8Array, at: number): boolean {
  if (at + wanted.length > bytes.length) return false;
  return wanted.every((byte, index) => bytes[at + index] === byte);
}
