import { Failure } from '../plan/failures.ts';
import { FsBlobs } from './fs-blobs.ts';
import { ensureFolder, errorCode, storeFailure, sweepTemporary } from './fs-files.ts';
import { FsRefs } from './fs-refs.ts';
import type { Store } from './store.ts';
import { join } from 'node:path';

export interface OpenOptions {
  /** Nothing is written: no folder made, no corrupt blob set aside; to write is an error of ours. */
  readonly isReadOnly?: boolean;
}

/**
 * A store in a folder of a local file system, shared by the processes of one machine:
 * `blobs/`, `refs/`, `quarantine/` for corrupt blobs and `tmp/` for what is being written.
 *
 * @param root absolute path
 * @throws InvalidInput when the folder cannot be made or written
 */
export async function openFsStore(
  root: string,
  { isReadOnly = false }: OpenOptions = {},
): Promise<Store> {
  if (!isReadOnly) await makeFolders(root);
  const blobs = new FsBlobs(root, isReadOnly);
  const refs = new FsRefs(root);
  const store: Store = {
    url: `file:${root}`,
    putBlob: (bytes, announce) => blobs.put(bytes, announce),
    putFile: (path, announce) => blobs.putFile(path, announce),
    getBlob: (digest) => blobs.get(digest),
    getFile: (digest) => blobs.getFile(digest),
    hasBlob: (digest) => blobs.has(digest),
    deleteBlob: (digest) => blobs.delete(digest),
    getRef: (name) => refs.get(name),
    swapRef: (name, expected, value) => refs.swap(name, expected, value),
    deleteRef: (name) => refs.delete(name),
    listRefs: (prefix) => refs.list(prefix),
  };
  return isReadOnly ? { ...store, ...REFUSALS } : store;
}

const refuse = (): Promise<never> =>
  Promise.reject(new Error('internal: the store was opened to be read only'));
const REFUSALS = {
  ...{ putBlob: refuse, putFile: refuse, deleteBlob: refuse, swapRef: refuse, deleteRef: refuse },
} satisfies Partial<Store>;

async function makeFolders(root: string): Promise<void> {
  try {
    for (const folder of ['blobs/sha256', 'refs', 'quarantine', 'tmp']) {
      await ensureFolder(join(root, folder));
    }
    await sweepTemporary(root);
  } catch (error) {
    const code = errorCode(error);
    if (code === 'EEXIST' || code === 'ENOTDIR' || code === 'ENOENT') {
      throw new Failure(
        'InvalidInput',
        `the store ${root} is not a folder: set RETUNE_STORE to a new or an existing folder`,
        { cause: error },
      );
    }
    throw storeFailure(error, root);
  }
}
