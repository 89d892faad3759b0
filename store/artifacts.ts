import { randomUUID } from 'node:crypto';
import { chmod, copyFile, readdir, rename, rm } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { Failure } from '../plan/failures.ts';
import type { JsonObject, JsonValue } from '../plan/json.ts';
import { canonicalJson } from './canonical-json.ts';
import { digestHex, isDigest } from './digest.ts';
import { ensureFolder, errorCode } from './fs-files.ts';
import type { ArtifactDigest, ArtifactFile, ArtifactManifest, Store } from './store.ts';

const MINIMUM_PREFIX = 8;

/** A file's bytes, or the local file that holds them. */
export type FileContent = Uint8Array | { readonly file: string };

export interface ArtifactContent {
  readonly type: string;
  /** Nothing that varies between runs: equal content must give an equal digest. */
  readonly metadata: JsonObject;
  /** By relative path, with `/`. */
  readonly files: { readonly [path: string]: FileContent };
}

/**
 * Stores an artifact's files, then its manifest, then the ref `artifacts/HEX` that lists it: so
 * whoever finds an artifact finds it whole.
 *
 * @throws InvalidInput for a path that would leave the artifact's folder
 */
export async function putArtifact(store: Store, content: ArtifactContent): Promise<ArtifactDigest> {
  const paths = Object.keys(content.files).sort();
  for (const path of paths) {
    if (!isSafePath(path)) throw new Failure('InvalidInput', unsafePath(path, 'a new artifact'));
  }
  const files: ArtifactFile[] = [];
  for (const path of paths) {
    const file = content.files[path] as FileContent;
    const blob = await (file instanceof Uint8Array
      ? store.putBlob(file)
      : store.putFile(file.file));
    files.push({ path, ...blob });
  }
  const manifest = { type: content.type, metadata: content.metadata, files };
  const { digest } = await store.putBlob(
    new TextEncoder().encode(canonicalJson(manifest as unknown as JsonValue)),
  );
  // Lost to another writer means that the same value is there.
  await store.swapRef(artifactRef(digest), undefined, { type: content.type });
  return digest;
}

/** Name of the ref that lists an artifact. */
export function artifactRef(digest: ArtifactDigest): string {
  return `artifacts/${digestHex(digest)}`;
}

/**
 * Reads an artifact's manifest.
 *
 * @throws NotFound, CorruptArtifact, or InvalidInput when it is no artifact or not of that type
 */
export async function readManifest(
  store: Store,
  digest: ArtifactDigest,
  expectedType?: string,
): Promise<ArtifactManifest> {
  const manifest = parseManifest(await store.getBlob(digest), digest);
  if (expectedType !== undefined && manifest.type !== expectedType) {
    throw new Failure(
      'InvalidInput',
      `artifact ${digest} is a ${manifest.type}, expected a ${expectedType}: ` +
        `wire an output of type ${expectedType} here`,
    );
  }
  return manifest;
}

/**
 * Verified local path of one of an artifact's files, to read or map; not to be written.
 * @throws NotFound when it has no such file or the blob is gone, or CorruptArtifact
 */
export async function artifactFile(
  store: Store,
  manifest: ArtifactManifest,
  path: string,
): Promise<string> {
  const file = manifest.files.find((candidate) => candidate.path === path);
  if (file === undefined) {
    const paths = manifest.files.map((candidate) => candidate.path).join(', ');
    throw new Failure(
      'NotFound',
      `this ${manifest.type} has no file ${JSON.stringify(path)}, only ${paths || 'none at all'}`,
    );
  }
  return store.getFile(file.digest);
}

/**
 * Reads an artifact's manifest and every file of it, and compares their digests.
 * @throws NotFound for a part that is gone, CorruptArtifact for one that is not what was put
 */
export async function verifyArtifact(store: Store, digest: ArtifactDigest): Promise<void> {
  for (const file of (await readManifest(store, digest)).files) await store.getFile(file.digest);
}

/**
 * Copies an artifact's files into `directory`, which appears whole or not at all.
 * @throws InvalidInput when the directory exists and is not empty
 */
export async function exportArtifact(
  store: Store,
  digest: ArtifactDigest,
  directory: string,
): Promise<void> {
  const manifest = await readManifest(store, digest);
  const target = resolve(directory);
  await refuseOccupied(target);
  const partial = `${target}.partial-${randomUUID()}`;
  try {
    await ensureFolder(partial);
    for (const { path, digest: blob } of manifest.files) {
      const copy = join(partial, path);
      await ensureFolder(dirname(copy));
      await copyFile(await store.getFile(blob), copy);
      await chmod(copy, 0o644);
    }
    await rename(partial, target);
  } catch (error) {
    await rm(partial, { recursive: true, force: true });
    throw exportFailure(error, target);
  }
}

/**
 * The digest of a known artifact, from its text with or without `sha256:`, or from the first
 * hexadecimal digits (8 at least) when they name only one.
 *
 * @throws InvalidInput when the text is no such prefix or fits several, NotFound when it fits none
 */
export async function resolveDigest(store: Store, text: string): Promise<ArtifactDigest> {
  const hex = text.replace(/^sha256:/, '').toLowerCase();
  if (!/^[0-9a-f]+$/.test(hex) || hex.length < MINIMUM_PREFIX || hex.length > 64) {
    throw new Failure(
      'InvalidInput',
      `${JSON.stringify(text)} is not an artifact's digest: expected ${MINIMUM_PREFIX} to 64 ` +
        'hexadecimal digits, with or without sha256:',
    );
  }
  const known = await listArtifacts(store);
  const fitting = known.filter((digest) => digestHex(digest).startsWith(hex));
  const [only] = fitting;
  if (only !== undefined && fitting.length === 1) return only;
  if (fitting.length > 1) {
    throw new Failure(
      'InvalidInput',
      `${JSON.stringify(text)} fits ${fitting.length} artifacts: ${fitting.join(', ')}; ` +
        'give more digits',
    );
  }
  throw new Failure(
    'NotFound',
    `no artifact in the store ${store.url} begins with ${JSON.stringify(text)}: ` +
      '`retune show ID` prints the digests of a run',
  );
}

/** Digests of all artifacts, sorted. */
export async function listArtifacts(store: Store): Promise<readonly ArtifactDigest[]> {
  const names = await store.listRefs('artifacts');
  return names.map((name): ArtifactDigest => `sha256:${name.slice('artifacts/'.length)}`);
}

function isSafePath(path: string): boolean {
  if (path.includes('\\') || path.includes('\0')) return false;
  return path.split('/').every((part) => part !== '' && part !== '.' && part !== '..');
}

function unsafePath(path: string, artifact: string): string {
  return (
    `${artifact} has the file path ${JSON.stringify(path)}: ` +
    'expected a relative path with /, without . or .. or empty parts'
  );
}

function parseManifest(bytes: Uint8Array, digest: ArtifactDigest): ArtifactManifest {
  const value = parseJson(bytes);
  if (!isManifest(value)) {
    throw new Failure(
      'InvalidInput',
      `${digest} is in the store, but is no artifact: expected a manifest with type, metadata and ` +
        'files; give the digest that a step put out',
    );
  }
  for (const { path } of value.files) {
    if (!isSafePath(path)) {
      throw new Failure('InvalidInput', unsafePath(path, `artifact ${digest}`));
    }
  }
  return value;
}

function parseJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes)) as unknown;
  } catch {
    return undefined;
  }
}

function isManifest(value: unknown): value is ArtifactManifest {
  if (!isRecord(value) || typeof value.type !== 'string' || !isRecord(value.metadata)) return false;
  return Array.isArray(value.files) && value.files.every(isArtifactFile);
}

function isArtifactFile(value: unknown): value is ArtifactFile {
  return (
    isRecord(value) &&
    typeof value.path === 'string' &&
    isDigest(value.digest) &&
    typeof value.size === 'number'
  );
}

function isRecord(value: unknown): value is { readonly [key: string]: unknown } {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

async function refuseOccupied(target: string): Promise<void> {
  try {
    const names = await readdir(target);
    if (names.length > 0) throw occupied(target, 'is not empty');
  } catch (error) {
    if (errorCode(error) === 'ENOTDIR') throw occupied(target, 'is a file');
    if (errorCode(error) !== 'ENOENT') throw error;
  }
}

function occupied(target: string, why: string): Failure {
  return new Failure(
    'InvalidInput',
    `cannot write an artifact to ${target}: it ${why}; give a new or an empty folder`,
  );
}

function exportFailure(error: unknown, target: string): unknown {
  switch (errorCode(error)) {
    case 'ENOSPC':
    case 'EDQUOT':
      return new Failure(
        'DiskFull',
        `no space left to write an artifact to ${target}: free some space on that disk, or give a ` +
          'folder on a larger one',
        { cause: error },
      );
    case 'ENOTEMPTY':
    case 'EEXIST':
      return occupied(target, 'is not empty');
    case 'ENOTDIR':
      return occupied(target, 'lies below a file');
    case 'EACCES':
    case 'EPERM':
    case 'EROFS':
      return new Failure(
        'InvalidInput',
        `cannot write an artifact to ${target}: this user has no permission to write there; give ` +
          'another folder',
        { cause: error },
      );
    default:
      return error;
  }
}
