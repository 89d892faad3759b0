import { Failure } from '../plan/failures.ts';
import type { FailureType } from '../plan/failures.ts';
import type { StepId } from '../plan/plan.ts';
import { listRecords, refSegment, swapRecord, updateRecord } from './records.ts';
import type { Store } from './store.ts';

export type AttemptOutcome = 'completed' | 'failed' | 'shutting-down' | 'cancelled';

export interface AttemptStart {
  readonly workflowId: string;
  /** Temporal's id of this execution of the workflow. */
  readonly executionRunId: string;
  readonly step: StepId;
  readonly kind: string;
  readonly fingerprint: string;
  readonly worker: { readonly host: string; readonly pid: number; readonly build: string };
  /** Milliseconds since the epoch, as all times here. */
  readonly startedAt: number;
}

export interface AttemptProgress {
  /** The optimizer step that this attempt began from: 0, or that of a checkpoint. */
  readonly resumedFromStep?: number;
  /** The first optimizer step that this attempt finished. */
  readonly firstOptimizerStep?: { readonly step: number; readonly at: number };
  /** The last that is known of; of an attempt that was lost, a few seconds old. */
  readonly lastOptimizerStep?: { readonly step: number; readonly at: number };
  readonly endedAt?: number;
  readonly outcome?: AttemptOutcome;
  readonly failure?: { readonly type: FailureType; readonly message: string };
}

/** One attempt of a step. An attempt whose worker was lost has no `endedAt`. */
export interface AttemptRecord extends AttemptStart, AttemptProgress {
  /** From 1, within the execution and step. */
  readonly attempt: number;
}

export interface AttemptKey {
  readonly workflowId: string;
  readonly executionRunId: string;
  readonly step: StepId;
  readonly attempt: number;
}

/** Which attempts to read: of a whole run, of one execution of it, or of one step of that. */
export type AttemptFilter =
  | { readonly workflowId: string }
  | { readonly workflowId: string; readonly executionRunId: string; readonly step?: StepId };

/** Records that an attempt starts, under the next number. */
export async function openAttempt(store: Store, start: AttemptStart): Promise<AttemptRecord> {
  const earlier = await store.listRefs(folderOf(start));
  for (let attempt = earlier.length + 1; ; attempt += 1) {
    const record: AttemptRecord = { ...start, attempt };
    const version = await swapRecord(store, attemptRef(record), undefined, record);
    if (version !== undefined) return record;
  }
}

/**
 * Adds to an attempt's record what is now known of it.
 * @throws Internal when there is no such attempt
 */
export async function updateAttempt(
  store: Store,
  key: AttemptKey,
  progress: AttemptProgress,
): Promise<AttemptRecord> {
  const ref = attemptRef(key);
  return updateRecord<AttemptRecord>(store, ref, (current) => {
    if (current === undefined) {
      throw new Failure('Internal', `internal: the ledger has no attempt ${ref}`);
    }
    return { ...current, ...progress };
  });
}

/** Attempts in the order in which they started. */
export async function readAttempts(
  store: Store,
  filter: AttemptFilter,
): Promise<readonly AttemptRecord[]> {
  const records = await listRecords<AttemptRecord>(store, folderOf(filter));
  return [...records].sort((a, b) => a.startedAt - b.startedAt || a.attempt - b.attempt);
}

/**
 * How many attempts ended because the step itself failed: what `max_attempts` counts.
 *
 * @param after attempts up to this number do not count
 */
export async function countReportedFailures(
  store: Store,
  filter: AttemptFilter,
  after = 0,
): Promise<number> {
  const attempts = await readAttempts(store, filter);
  return attempts.filter(({ outcome, attempt }) => outcome === 'failed' && attempt > after).length;
}

function folderOf(filter: AttemptFilter): string {
  const parts = [filter.workflowId];
  if ('executionRunId' in filter) {
    parts.push(filter.executionRunId);
    if (filter.step !== undefined) parts.push(filter.step);
  }
  return ['ledger', ...parts.map(refSegment)].join('/');
}

function attemptRef(key: AttemptKey): string {
  return `${folderOf(key)}/${String(key.attempt).padStart(6, '0')}`;
}
