import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Failure } from '../plan/failures.ts';
import { openFsStore, type OpenOptions } from './fs-store.ts';
import type { Store } from './store.ts';

const FORMS = 'expected file:PATH, such as file:./.retune/store';

/**
 * The store's URL: $RETUNE_STORE, or `file:$RETUNE_HOME/store` with RETUNE_HOME ./.retune when
 * unset. An empty variable counts as unset.
 */
export function storeUrlFromEnvironment(environment: NodeJS.ProcessEnv): string {
  return environment.RETUNE_STORE || `file:${environment.RETUNE_HOME || './.retune'}/store`;
}

/**
 * Opens a store and makes its folders if they are missing; read only, a missing one is empty.
 *
 * `file:PATH` takes the path as it stands, relative to the working directory or absolute;
 * `file:///PATH` is a URL, with percent-encoding.
 *
 * @throws InvalidInput for any other URL, or a folder that cannot be written
 */
export async function openStore(url: string, options: OpenOptions = {}): Promise<Store> {
  return openLater(url)(options);
}

/**
 * What opens the store of a URL, as often as it takes.
 * @throws InvalidInput for a URL that is none of a store, which no waiting mends
 */
export function openLater(url: string): (options?: OpenOptions) => Promise<Store> {
  if (url.startsWith('file:')) {
    const path = pathOfFileUrl(url);
    return (options = {}) => openFsStore(path, options);
  }
  if (url.startsWith('s3:')) {
    throw new Failure(
      'InvalidInput',
      `cannot open the store ${JSON.stringify(url)}: the s3 driver is not built yet; ` +
        'set RETUNE_STORE=file:PATH, on a folder that all workers of one machine share',
    );
  }
  throw new Failure('InvalidInput', `cannot open the store ${JSON.stringify(url)}: ${FORMS}`);
}

function pathOfFileUrl(url: string): string {
  if (url.startsWith('file://')) {
    try {
      return fileURLToPath(url);
    } catch (cause) {
      throw new Failure(
        'InvalidInput',
        `cannot open the store ${JSON.stringify(url)}: ${(cause as Error).message}; ${FORMS}`,
        { cause },
      );
    }
  }
  const path = url.slice('file:'.length);
  if (path === '') {
    throw new Failure('InvalidInput', `cannot open the store "file:": it has no path; ${FORMS}`);
  }
  return resolve(path);
}
