import { randomBytes } from 'node:crypto';
import { Failure } from '../plan/failures.ts';
import { refSegment } from './records.ts';
import type { Store } from './store.ts';

/**
 * Makes sure that a store takes and gives back what is put into it, by a blob and a ref that are
 * gone afterwards.
 *
 * @param id of who asks: two that ask at once do not meet
 * @throws a Failure that says what is wrong and what to do
 */
export async function checkStore(store: Store, id: string): Promise<void> {
  try {
    await putAndGet(store, id);
  } catch (error) {
    if (error instanceof Failure) throw error;
    const reason = error instanceof Error ? error.message : String(error);
    throw new Failure(
      'SourceUnavailable',
      `the store ${store.url} cannot be used (${reason}): bring it back, or set RETUNE_STORE to ` +
        'another and start all workers again',
      { cause: error },
    );
  }
}

async function putAndGet(store: Store, id: string): Promise<void> {
  const bytes = randomBytes(16);
  const { digest } = await store.putBlob(bytes);
  const found = await store.getBlob(digest);
  await store.deleteBlob(digest);
  const ref = `checks/${refSegment(id)}`;
  const value = { digest };
  const before = await store.getRef(ref);
  const version = await store.swapRef(ref, before?.version, value);
  const after = await store.getRef(ref);
  await store.deleteRef(ref);
  const isSame = bytes.equals(found) && version !== undefined && after?.version === version;
  if (isSame) return;
  throw new Failure(
    'Internal',
    `the store ${store.url} does not give back what it was given: look at its disk and file system`,
  );
}
