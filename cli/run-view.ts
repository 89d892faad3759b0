import { WorkflowNotFoundError, type WorkflowExecutionDescription } from '@temporalio/client';
import { defaultPayloadConverter } from '@temporalio/common';
import type { JsonObject, JsonValue } from '../plan/json.ts';
import { CONTROL_QUEUE, STATE_QUERY, stepOfActivity } from '../plan/names.ts';
import type { RunState, RunStatus, StepId, StepState } from '../plan/plan.ts';
import { emptyRunState, orderedSteps } from '../plan/run-state.ts';
import { getRun } from '../store/runs.ts';
import type { Store } from '../store/store.ts';
import { CommandError } from './command-error.ts';
import type { Connected } from './connection.ts';
import {
  ACTIVITY_STATE,
  hasWorker,
  queuedNote,
  waitingNote,
  type PendingActivity,
} from './task-queues.ts';

/** A step that waits this long for a worker is worth looking at its queue. */
const WAIT_BEFORE_NOTE_MS = 30_000;
const QUERY_DEADLINE_MS = 5_000;

export interface RunView {
  readonly id: string;
  readonly state: RunState;
  /** Heartbeat details of running steps: step, loss, learning rate, tokens/s, ETA. */
  readonly live: Readonly<Record<StepId, JsonObject>>;
  /** Steps, or the run itself under the empty id, that no worker takes. */
  readonly waiting: readonly { readonly step: StepId; readonly queue: string }[];
}

/**
 * A run as it is now: the workflow's own state, with attempts, live details and waiting queues
 * from the server; from the store's record where the server does not know it any more.
 *
 * @throws CommandError when neither knows the run
 */
export async function viewRun(connected: Connected, store: Store, id: string): Promise<RunView> {
  const description = await describe(connected, id);
  const record = await getRun(store, id);
  if (description === undefined) {
    if (record === undefined) throw unknownRun(id);
    return { id, state: record.state, live: {}, waiting: [] };
  }
  const queried = await queryState(connected, id, description.runId);
  const known = record?.executionRunId === description.runId ? record.state : undefined;
  const state = queried ?? known ?? emptyRunState(record?.name ?? '');
  const status = statusOf(description.status, state.status);
  const { live, steps, waiting } = await pendingSteps(connected, description, state.steps);
  return { id, state: { ...state, status, steps }, live, waiting };
}

/**
 * What `--json` prints of a run: { name, status, steps: { ID: { status, attempt, fingerprint,
 * outputs, error } }, outputs }. Beside these a step has a `note` where there is something to say,
 * one with a matrix the ids of its `entries` and each of those its `matrix`, a running one `live` details (step, loss, learning_rate, tokens_per_second, eta_seconds), and a
 * run an `error` where it failed. A step that waits for a decision has its `question`, and a run that is
 * paused a `note`.
 */
export function runDocument({ state, live }: RunView): JsonObject {
  const steps = orderedSteps(state).map(([id, step]): [StepId, JsonObject] => {
    const {
      status,
      attempt,
      fingerprint = null,
      outputs = {},
      error,
      note,
      entries,
      matrix,
      question,
    } = step;
    const details = status === 'running' ? live[id] : undefined;
    return [
      id,
      {
        ...{ status, attempt, fingerprint, outputs },
        error: error ? { ...error } : null,
        ...(note !== undefined && { note }),
        ...(question !== undefined && { question }),
        ...(entries && { entries }),
        ...(matrix && { matrix }),
        ...(details && { live: details }),
      },
    ];
  });
  const { name, status, outputs, error, note } = state;
  return {
    ...{ name, status, steps: Object.fromEntries(steps), outputs },
    ...(error && { error: { ...error } }),
    ...(note !== undefined && { note }),
  };
}

export function unknownRun(id: string): CommandError {
  return new CommandError(`no run '${id}': 'retune list' shows the runs there are`);
}

async function describe(
  { client }: Connected,
  id: string,
): Promise<WorkflowExecutionDescription | undefined> {
  try {
    return await client.workflow.getHandle(id).describe();
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return undefined;
    throw error;
  }
}

/** The workflow's answer, or undefined when no worker is there or answers in time. */
async function queryState(
  connected: Connected,
  id: string,
  executionRunId: string,
): Promise<RunState | undefined> {
  const { client } = connected;
  if (!(await hasWorker(connected, CONTROL_QUEUE, 'workflow'))) return undefined;
  try {
    return await client.connection.withDeadline(Date.now() + QUERY_DEADLINE_MS, () =>
      client.workflow.getHandle(id, executionRunId).query<RunState>(STATE_QUERY),
    );
  } catch {
    return undefined;
  }
}

/** Temporal's word on whether a run goes on; the workflow's own on what it is doing. */
export function statusOf(
  { name }: WorkflowExecutionDescription['status'],
  known?: RunStatus,
): RunStatus {
  switch (name) {
    case 'RUNNING':
    case 'CONTINUED_AS_NEW':
      return known === 'paused' ? 'paused' : 'running';
    case 'COMPLETED':
      return 'completed';
    case 'CANCELLED':
    case 'TERMINATED':
      return 'cancelled';
    default:
      return 'failed';
  }
}

interface Pending {
  readonly live: Record<StepId, JsonObject>;
  readonly steps: Record<StepId, StepState>;
  readonly waiting: { step: StepId; queue: string }[];
}

/** Steps as the server sees them: attempts, live details, what failed last, who waits for a worker. */
async function pendingSteps(
  connected: Connected,
  { raw }: WorkflowExecutionDescription,
  states: RunState['steps'],
): Promise<Pending> {
  const pending: Pending = { live: {}, steps: { ...states }, waiting: [] };
  const served = new Map<string, Promise<boolean>>();
  const isServed = (queue: string): Promise<boolean> => {
    const known = served.get(queue) ?? hasWorker(connected, queue, 'activity');
    served.set(queue, known);
    return known;
  };
  for (const activity of raw.pendingActivities ?? []) {
    const step = stepOfActivity(activity.activityId ?? '');
    const state = states[step];
    if (state === undefined) continue;
    const details = heartbeatDetails(activity.heartbeatDetails?.payloads?.[0]);
    if (Object.keys(details).length > 0) pending.live[step] = details;
    const { attempt } = details;
    // Of a later attempt that runs there is better to tell.
    const retried = activity.state === ACTIVITY_STATE.started ? undefined : retryNote(activity);
    pending.steps[step] = {
      ...state,
      attempt: typeof attempt === 'number' ? attempt : Math.max(1, state.attempt),
      ...(retried !== undefined && { note: retried }),
    };
    const queue = activity.activityOptions?.taskQueue?.name;
    if (!queue || !waitsLong(activity)) continue;
    const hasOne = await isServed(queue);
    if (!hasOne) pending.waiting.push({ step, queue });
    const note = hasOne ? queuedNote(queue) : waitingNote(queue);
    pending.steps[step] = { ...state, note };
  }
  const { scheduledTime, startedTime } = raw.pendingWorkflowTask ?? {};
  const isWaiting = scheduledTime != null && startedTime == null && isLongAgo(scheduledTime);
  if (isWaiting && !(await hasWorker(connected, CONTROL_QUEUE, 'workflow'))) {
    pending.waiting.push({ step: '', queue: CONTROL_QUEUE });
  }
  return pending;
}

/** Why it waits to be tried again. */
function retryNote({ lastFailure }: PendingActivity): string | undefined {
  if (!lastFailure?.message) return undefined;
  const isWaiting = lastFailure.applicationFailureInfo?.type === 'ComputedElsewhere';
  return `${isWaiting ? 'waiting' : 'trying again after'}: ${lastFailure.message}`;
}

/** Whether it has been ready for a worker, not in the pause before a retry, for long. */
function waitsLong({ state, scheduledTime, lastAttemptCompleteTime }: PendingActivity): boolean {
  if (state !== ACTIVITY_STATE.scheduled || scheduledTime == null) return false;
  return (
    isLongAgo(scheduledTime) &&
    (lastAttemptCompleteTime == null || isLongAgo(lastAttemptCompleteTime))
  );
}

function isLongAgo({ seconds }: NonNullable<PendingActivity['scheduledTime']>): boolean {
  return Date.now() - Number(seconds ?? 0) * 1000 >= WAIT_BEFORE_NOTE_MS;
}

function heartbeatDetails(
  payload: Parameters<typeof defaultPayloadConverter.fromPayload>[0] | undefined,
): JsonObject {
  if (payload === undefined) return {};
  const details = defaultPayloadConverter.fromPayload<JsonValue>(payload);
  return typeof details === 'object' && details !== null && !Array.isArray(details)
    ? (details as JsonObject)
    : {};
}
