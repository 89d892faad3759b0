import type { JsonObject, JsonValue } from '../plan/json.ts';
import type { RunState, RunStatus, StepId } from '../plan/plan.ts';
import { getRecord, listRecords, refSegment, updateRecord } from './records.ts';
import type { BlobDigest, Store } from './store.ts';

/** What stays of a run when Temporal has forgotten it. */
export interface RunRecord {
  /** The workflow id. */
  readonly id: string;
  /** Temporal's id of the newest execution under that workflow id. */
  readonly executionRunId: string;
  /** The pipeline's. */
  readonly name: string;
  readonly status: RunStatus;
  /** Milliseconds since the epoch: when this execution started. */
  readonly submittedAt: number;
  readonly endedAt?: number;
  /** The submitted YAML, byte for byte. */
  readonly source: BlobDigest;
  /** The submission's second argument; as it was given where it could not be read. */
  readonly options: JsonValue;
  readonly state: RunState;
  /** What the steps' fingerprints are of: kind, version, revision, inputs, upstream. */
  readonly parts?: { readonly [step: StepId]: JsonObject };
}

/**
 * Records a run's state. A newer execution under the same id takes the record over; what an older
 * one says after that, and what one says after its own end, is dropped.
 *
 * @returns the record that is now in the store
 */
export async function putRun(store: Store, run: RunRecord): Promise<RunRecord> {
  return updateRecord<RunRecord>(store, runRef(run.id), (current) =>
    current !== undefined && isOutdated(run, current) ? current : run,
  );
}

export async function getRun(store: Store, id: string): Promise<RunRecord | undefined> {
  return (await getRecord<RunRecord>(store, runRef(id)))?.record;
}

/** All runs, the newest first. */
export async function listRuns(store: Store): Promise<readonly RunRecord[]> {
  const runs = await listRecords<RunRecord>(store, 'runs');
  return [...runs].sort((a, b) => b.submittedAt - a.submittedAt);
}

function isOutdated(run: RunRecord, current: RunRecord): boolean {
  if (run.executionRunId !== current.executionRunId) return run.submittedAt < current.submittedAt;
  return current.endedAt !== undefined && run.endedAt === undefined;
}

function runRef(id: string): string {
  return `runs/${refSegment(id)}`;
}
