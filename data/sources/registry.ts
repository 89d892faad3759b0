import { constants } from 'node:fs';
import { copyFile, mkdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { readManifest } from '../../store/artifacts.ts';
import { resolveModel } from '../../store/registry.ts';
import type { ArtifactDigest, ArtifactFile, Store } from '../../store/store.ts';
import { diskFailure } from '../disk-failure.ts';
import { wantedFiles } from './source.ts';
import type {
  FetchedFile,
  FetchOptions,
  SourceDriver,
  SourceFile,
  SourceOptions,
} from './source.ts';

/**
 * `registry:NAME`, `registry:NAME@ALIAS` or `registry:NAME@VERSION`: a model that a pipeline of the
 * same store has registered. The revision is the digest of the model that it stands for now.
 */
export function registrySource(source: string): SourceDriver {
  const reference = source.slice('registry:'.length);
  return {
    resolve: async (options) => (await resolveModel(storeOf(options), reference)).version.model,
    list: (revision, options) => filesOf(source, revision, storeOf(options)),
    fetch: (revision, options) => fetchFiles(source, revision, options),
  };
}

interface RegisteredFile extends SourceFile {
  readonly blob: ArtifactFile;
}

async function filesOf(
  source: string,
  revision: string,
  store: Store,
): Promise<readonly RegisteredFile[]> {
  // A revision is what `resolve` answered.
  const { files } = await readManifest(store, revision as ArtifactDigest, 'model');
  return files.map((blob) => ({ name: blob.path, display: `${source}/${blob.path}`, blob }));
}

async function fetchFiles(
  source: string,
  revision: string,
  options: FetchOptions,
): Promise<readonly FetchedFile[]> {
  const store = storeOf(options);
  const files = wantedFiles(source, await filesOf(source, revision, store), options.files);
  const totalBytes = files.reduce((sum, { blob }) => sum + blob.size, 0);
  const fetched: FetchedFile[] = [];
  let receivedBytes = 0;
  for (const { name, display, blob } of files) {
    options.signal?.throwIfAborted();
    const path = join(options.directory, name);
    const stored = await store.getFile(blob.digest);
    try {
      await mkdir(dirname(path), { recursive: true });
      await copyFile(stored, path, constants.COPYFILE_FICLONE);
    } catch (error) {
      throw diskFailure(error, path);
    }
    fetched.push({ name, display, path });
    receivedBytes += blob.size;
    options.onProgress?.({ file: display, receivedBytes, totalBytes });
  }
  return fetched;
}

function storeOf({ store }: SourceOptions): Store {
  if (store === undefined) throw new Error('internal: a registry: source was given no store');
  return store;
}
