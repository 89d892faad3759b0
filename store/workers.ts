import { getRecord, refSegment, updateRecord } from './records.ts';
import type { Store } from './store.ts';

/** A worker of training steps, as it tells of itself. */
export interface WorkerRecord {
  /** What it computes on: cpu, cuda, webgpu. */
  readonly devices: readonly string[];
  /** When it last said that it lives, in milliseconds since 1970. */
  readonly seenAt: number;
}

/** How often a worker says that it lives. */
export const REGISTRATION_MS = 5 * 60_000;
/** Without a word for so long it counts as gone. */
const LIFETIME_MS = 3 * REGISTRATION_MS;

/** Says that a worker serves a label, with these devices. @param id names the worker */
export async function registerWorker(
  store: Store,
  label: string,
  id: string,
  record: WorkerRecord,
): Promise<void> {
  await updateRecord<WorkerRecord>(store, refName(label, id), () => record);
}

export async function unregisterWorker(store: Store, label: string, id: string): Promise<void> {
  await store.deleteRef(refName(label, id));
}

/** The workers that serve a label and are not gone. @param now in milliseconds since 1970 */
export async function liveWorkers(
  store: Store,
  label: string,
  now: number,
): Promise<readonly WorkerRecord[]> {
  const names = await store.listRefs(`workers/${refSegment(label)}`);
  const found = await Promise.all(names.map((name) => getRecord<WorkerRecord>(store, name)));
  return found.flatMap((worker) =>
    worker !== undefined && now - worker.record.seenAt < LIFETIME_MS ? [worker.record] : [],
  );
}

function refName(label: string, id: string): string {
  return `workers/${refSegment(label)}/${refSegment(id)}`;
}
