import { randomUUID } from 'node:crypto';
import { mkdir, open, readdir, rm, stat } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { Failure } from '../plan/failures.ts';

const TEMPORARY_FOLDER = 'tmp';
const DAY_MS = 24 * 60 * 60 * 1000;

/** Error code of a failed system call, such as `ENOENT`. */
export function errorCode(error: unknown): string | undefined {
  return error instanceof Error ? (error as NodeJS.ErrnoException).code : undefined;
}

/** Makes a folder's entries durable: a rename or link survives power loss only after this. */
export async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

/**
 * Makes a folder and its missing parents, durably. Not by Node's recursive mkdir, which reports a
 * read-only file system as ENOENT.
 */
export async function ensureFolder(path: string): Promise<void> {
  try {
    await makeFolder(path);
  } catch (error) {
    if (errorCode(error) !== 'ENOENT') throw error;
    await ensureFolder(dirname(path));
    // Once: some file systems, such as /proc, say ENOENT for ever.
    await makeFolder(path);
  }
}

async function makeFolder(path: string): Promise<void> {
  try {
    await mkdir(path);
  } catch (error) {
    if (errorCode(error) === 'EEXIST') return;
    throw error;
  }
  await syncFolder(dirname(path));
}

/**
 * Runs `use` with a new file in the store's `tmp/`, which is gone afterwards unless `use` renamed
 * it. A writer that is killed leaves it behind, for `sweepTemporary`.
 */
export async function withTemporaryFile<T>(
  root: string,
  use: (file: FileHandle, path: string) => Promise<T>,
): Promise<T> {
  const path = join(root, TEMPORARY_FOLDER, `${process.pid}-${randomUUID()}`);
  try {
    const file = await open(path, 'wx', 0o644).catch((error: unknown) => {
      throw isGone(error) ? storeGone(error, root) : error;
    });
    try {
      return await use(file, path);
    } finally {
      await file.close();
      await rm(path, { force: true });
    }
  } catch (error) {
    throw storeFailure(error, root);
  }
}

/** Removes what killed writers left in `tmp/` and nobody wrote to for a day. */
export async function sweepTemporary(root: string): Promise<void> {
  const folder = join(root, TEMPORARY_FOLDER);
  for (const name of await readdir(folder)) {
    const path = join(folder, name);
    try {
      if (Date.now() - (await stat(path)).mtimeMs > DAY_MS) await rm(path, { force: true });
    } catch (error) {
      if (errorCode(error) !== 'ENOENT') throw error;
    }
  }
}

function isGone(error: unknown): boolean {
  return ['ENOENT', 'ENOTDIR'].includes(errorCode(error) ?? '');
}

/** It was there when the process opened it; a disk that comes back is found at the next try. */
function storeGone(error: unknown, root: string): Failure {
  return new Failure(
    'SourceUnavailable',
    `the store ${root} is gone (${errorCode(error)}): bring its folder back, or set RETUNE_STORE to ` +
      'another and start all workers again',
    { cause: error },
  );
}

/** The typed failure for what the file system refused; any other error as it is. */
export function storeFailure(error: unknown, root: string): unknown {
  const code = errorCode(error);
  const cause = { cause: error };
  switch (code) {
    case 'ENOSPC':
    case 'EDQUOT':
      return new Failure(
        'DiskFull',
        `no space left for the store ${root} (${code}): free some space on that disk or quota, ` +
          'or set RETUNE_STORE to a folder on a larger one',
        cause,
      );
    case 'EFBIG':
      return new Failure(
        'DiskFull',
        `a file is too large for the store ${root} (EFBIG): raise the file-size limit ` +
          '(ulimit -f), or set RETUNE_STORE to a folder on another file system',
        cause,
      );
    case 'EACCES':
    case 'EPERM':
    case 'EROFS':
      return new Failure(
        'InvalidInput',
        `the store ${root} cannot be written (${code}): give this user write permission to it, ` +
          'or set RETUNE_STORE to another folder',
        cause,
      );
    default:
      return error;
  }
}
