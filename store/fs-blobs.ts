import { createHash, randomUUID } from 'node:crypto';
import type { Hash } from 'node:crypto';
import type { BigIntStats } from 'node:fs';
import { open, rename, rm, stat, utimes } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { Failure } from '../plan/failures.ts';
import { digestHex } from './digest.ts';
import {
  ensureFolder,
  errorCode,
  storeFailure,
  syncFolder,
  withTemporaryFile,
} from './fs-files.ts';
import type { BlobDigest } from './store.ts';

const CHUNK_BYTES = 1 << 20;

interface StoredBlob {
  readonly digest: BlobDigest;
  readonly size: number;
}

type Announce = (digest: BlobDigest) => Promise<void>;

/**
 * Immutable blobs below `blobs/sha256/`, named by their digest. A blob appears whole or not at all:
 * it is written to `tmp/`, fsynced, and renamed.
 */
export class FsBlobs {
  readonly #root: string;
  readonly #isReadOnly: boolean;
  /** Files whose bytes this process has hashed, by digest: inode, size and time of last change. */
  readonly #verified = new Map<BlobDigest, string>();

  /** @param isReadOnly leaves a corrupt blob where it is */
  constructor(root: string, isReadOnly = false) {
    this.#root = root;
    this.#isReadOnly = isReadOnly;
  }

  async put(bytes: Uint8Array, announce?: Announce): Promise<StoredBlob> {
    const blob: StoredBlob = { digest: await digestOf(bytes), size: bytes.byteLength };
    await announce?.(blob.digest);
    if (await this.#refresh(blob)) return blob;
    await withTemporaryFile(this.#root, async (file, path) => {
      await file.writeFile(bytes);
      await this.#publish(file, path, blob);
    });
    return blob;
  }

  async putFile(source: string, announce?: Announce): Promise<StoredBlob> {
    const input = await openSource(source);
    try {
      return await withTemporaryFile(this.#root, async (file, path) => {
        const hash = createHash('sha256');
        let size = 0;
        await readChunks(input, async (chunk) => {
          hash.update(chunk);
          size += chunk.byteLength;
          await file.writeFile(chunk);
        });
        const blob: StoredBlob = { digest: `sha256:${hash.digest('hex')}`, size };
        await announce?.(blob.digest);
        if (!(await this.#refresh(blob))) await this.#publish(file, path, blob);
        return blob;
      });
    } finally {
      await input.close();
    }
  }

  async get(digest: BlobDigest): Promise<Uint8Array> {
    return this.#verify(digest, async (file, hash) => {
      const bytes = await file.readFile();
      hash.update(bytes);
      return bytes;
    });
  }

  async getFile(digest: BlobDigest): Promise<string> {
    const path = this.#path(digest);
    const known = this.#verified.get(digest);
    // A large model is read by several steps; any change of the file changes its ctime.
    if (known !== undefined && known === (await signature(path))) return path;
    return this.#verify(digest, async (file, hash) => {
      await readChunks(file, async (chunk) => {
        hash.update(chunk);
      });
      return path;
    });
  }

  async has(digest: BlobDigest): Promise<boolean> {
    try {
      return (await stat(this.#path(digest))).isFile();
    } catch (error) {
      if (errorCode(error) === 'ENOENT') return false;
      throw error;
    }
  }

  async delete(digest: BlobDigest): Promise<void> {
    try {
      await rm(this.#path(digest), { force: true });
    } catch (error) {
      throw storeFailure(error, this.#root);
    }
  }

  #path(digest: BlobDigest): string {
    const hex = digestHex(digest);
    return join(this.#root, 'blobs', 'sha256', hex.slice(0, 2), hex);
  }

  /**
   * Whether the blob is there already. Its time is set to now, so that a collector's grace period
   * starts anew for whoever is about to refer to it.
   */
  async #refresh({ digest, size }: StoredBlob): Promise<boolean> {
    const path = this.#path(digest);
    try {
      if ((await stat(path)).size !== size) return false;
      const now = new Date();
      await utimes(path, now, now);
      return true;
    } catch (error) {
      if (errorCode(error) === 'ENOENT') return false;
      throw storeFailure(error, this.#root);
    }
  }

  async #publish(file: FileHandle, temporary: string, blob: StoredBlob): Promise<void> {
    const path = this.#path(blob.digest);
    await file.chmod(0o444);
    await file.sync();
    await ensureFolder(dirname(path));
    await rename(temporary, path);
    await syncFolder(dirname(path));
  }

  async #verify<T>(
    digest: BlobDigest,
    read: (file: FileHandle, hash: Hash) => Promise<T>,
  ): Promise<T> {
    const path = this.#path(digest);
    const file = await this.#open(path, digest);
    try {
      const hash = createHash('sha256');
      const result = await read(file, hash);
      const found = `sha256:${hash.digest('hex')}`;
      if (found === digest) {
        this.#verified.set(digest, signatureOf(await file.stat({ bigint: true })));
        return result;
      }
      this.#verified.delete(digest);
      const damage = `blob ${digest} in the store ${this.#root} is corrupt: its bytes have the digest ${found}`;
      throw this.#isReadOnly
        ? new Failure('CorruptArtifact', damage)
        : await this.#quarantine(file, path, damage);
    } finally {
      await file.close();
    }
  }

  async #open(path: string, digest: BlobDigest): Promise<FileHandle> {
    try {
      return await open(path, 'r');
    } catch (cause) {
      if (errorCode(cause) !== 'ENOENT') throw cause;
      throw new Failure(
        'NotFound',
        `blob ${digest} is not in the store ${this.#root}: check RETUNE_STORE, or submit the ` +
          'pipeline that made it again, which computes what is missing',
        { cause },
      );
    }
  }

  /** Moves a corrupt blob away, so that whoever needs it finds none and computes it again. */
  async #quarantine(file: FileHandle, path: string, damage: string): Promise<Failure> {
    const folder = join(this.#root, 'quarantine');
    const target = join(folder, `${basename(path)}.${randomUUID()}`);
    try {
      // Another process may have replaced the corrupt file by a good one since it was opened.
      if ((await stat(path)).ino === (await file.stat()).ino) {
        await rename(path, target);
        await syncFolder(dirname(path));
      }
    } catch (error) {
      if (errorCode(error) !== 'ENOENT') throw storeFailure(error, this.#root);
    }
    return new Failure(
      'CorruptArtifact',
      `${damage}; it was moved to ${folder}; submit or resume the run, which computes it again, ` +
        'and check the disk',
    );
  }
}

async function signature(path: string): Promise<string | undefined> {
  try {
    return signatureOf(await stat(path, { bigint: true }));
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return undefined;
    throw error;
  }
}

function signatureOf({ ino, size, ctimeNs }: BigIntStats): string {
  return `${ino}:${size}:${ctimeNs}`;
}

async function openSource(source: string): Promise<FileHandle> {
  try {
    return await open(source, 'r');
  } catch (cause) {
    if (errorCode(cause) !== 'ENOENT') throw cause;
    throw new Failure('NotFound', `${source} is to go into the store, but there is no such file`, {
      cause,
    });
  }
}

async function readChunks(
  file: FileHandle,
  use: (chunk: Uint8Array) => Promise<void>,
): Promise<void> {
  const buffer = Buffer.allocUnsafe(CHUNK_BYTES);
  for (;;) {
    const { bytesRead } = await file.read(buffer, 0, CHUNK_BYTES, null);
    if (bytesRead === 0) return;
    await use(buffer.subarray(0, bytesRead));
  }
}

/** Bytes that are hashed between two turns of the event loop: a few milliseconds. */
const TURN_BYTES = 1 << 21;

async function digestOf(bytes: Uint8Array): Promise<BlobDigest> {
  const hash = createHash('sha256');
  for (let start = 0; start < bytes.byteLength; start += TURN_BYTES) {
    if (start > 0) await nextTurn();
    hash.update(bytes.subarray(start, start + TURN_BYTES));
  }
  return `sha256:${hash.digest('hex')}`;
}
