import { Failure } from '../plan/failures.ts';
import type { JsonValue } from '../plan/json.ts';
import type { RefVersion, Store } from './store.ts';

/** How many refs are read at once. */
const PARALLEL_READS = 32;

export interface VersionedRecord<T> {
  readonly record: T;
  readonly version: RefVersion;
}

/** One part of a ref's name, from text that may hold a slash. */
export function refSegment(text: string): string {
  return text.replaceAll(/[%/]/g, encodeURIComponent);
}

/**
 * The ref's value as the record that this store's own code writes there. Of a damaged one it is the
 * record before it.
 */
export async function getRecord<T>(
  store: Store,
  ref: string,
): Promise<VersionedRecord<T> | undefined> {
  const found = await store.getRef(ref);
  return found === undefined || found.value === null
    ? undefined
    : { record: found.value as T, version: found.version };
}

/** @throws CorruptArtifact when the ref's newest value is damaged: for what nothing can make again */
export async function requireUndamaged(store: Store, ref: string): Promise<void> {
  const found = await store.getRef(ref);
  if (found?.damage === undefined) return;
  throw new Failure('CorruptArtifact', found.damage);
}

/** `Store.swapRef` for a record, whose properties hold JSON only. */
export async function swapRecord(
  store: Store,
  ref: string,
  expected: RefVersion | undefined,
  record: object,
): Promise<RefVersion | undefined> {
  return store.swapRef(ref, expected, record as JsonValue);
}

/**
 * Changes a record by compare-and-swap, again on the newer one whenever another writer was first.
 *
 * @param change gives the new record, or the very record it was handed to leave it alone
 * @returns the record that is now in the store
 */
export async function updateRecord<T extends object>(
  store: Store,
  ref: string,
  change: (current: T | undefined) => T | Promise<T>,
): Promise<T> {
  for (;;) {
    const current = await getRecord<T>(store, ref);
    const changed = await change(current?.record);
    if (changed === current?.record) return changed;
    if ((await swapRecord(store, ref, current?.version, changed)) !== undefined) return changed;
  }
}

/** All records below a folder of refs, ordered by name. */
export async function listRecords<T>(store: Store, prefix: string): Promise<readonly T[]> {
  const names = await store.listRefs(prefix);
  const records: T[] = [];
  for (let start = 0; start < names.length; start += PARALLEL_READS) {
    const batch = names.slice(start, start + PARALLEL_READS);
    for (const found of await Promise.all(batch.map((name) => getRecord<T>(store, name)))) {
      if (found !== undefined) records.push(found.record);
    }
  }
  return records;
}
