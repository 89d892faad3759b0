import { WorkflowNotFoundError, type WorkflowExecutionDescription } from '@temporalio/client';
import { CONTROL_QUEUE, PIPELINE_WORKFLOW, TRIAL_WORKFLOW, WORK_QUEUE } from '../plan/names.ts';
import type { Connected } from './connection.ts';

/** A worker that polls renews this at least once a minute: the length of a long poll. */
const POLLER_FRESH_MS = 70_000;
const TASK_QUEUE_TYPE = { workflow: 1, activity: 2 } as const;
type TaskQueueType = keyof typeof TASK_QUEUE_TYPE;
/** temporal.api.enums.v1.PendingActivityState */
export const ACTIVITY_STATE = { scheduled: 1, started: 2 } as const;
/** A running activity of a worker that lives heartbeats at least every 15 s. */
const HEARTBEAT_FRESH_MS = 20_000;
/** Running runs and trials that are looked at for an activity on a queue, the newest first. */
const MAX_RUNS = 50;

/**
 * Whether a worker serves the queue: one that asked for tasks lately, or one that runs so much
 * already that it does not ask.
 */
export async function hasWorker(
  connected: Connected,
  queue: string,
  type: TaskQueueType,
): Promise<boolean> {
  if (await hasPoller(connected, queue, type)) return true;
  return type === 'activity' && (await hasBusyWorker(connected, queue));
}

async function hasPoller(
  { client, namespace }: Connected,
  queue: string,
  type: TaskQueueType,
): Promise<boolean> {
  const { pollers } = await client.workflowService.describeTaskQueue({
    namespace,
    taskQueue: { name: queue },
    taskQueueType: TASK_QUEUE_TYPE[type],
  });
  const oldest = Date.now() - POLLER_FRESH_MS;
  return (pollers ?? []).some(
    ({ lastAccessTime }) => Number(lastAccessTime?.seconds ?? 0) * 1000 > oldest,
  );
}

async function hasBusyWorker({ client }: Connected, queue: string): Promise<boolean> {
  const isRun = `(WorkflowType = '${PIPELINE_WORKFLOW}' OR WorkflowType = '${TRIAL_WORKFLOW}')`;
  const query = `${isRun} AND ExecutionStatus = 'Running'`;
  let runs = 0;
  for await (const { workflowId } of client.workflow.list({ query })) {
    const activities = await pendingActivities(client, workflowId);
    if (activities.some((activity) => isWorkOn(activity, queue))) return true;
    runs += 1;
    if (runs === MAX_RUNS) break;
  }
  return false;
}

/** None of a run that has been deleted since it was listed. */
async function pendingActivities(
  client: Connected['client'],
  id: string,
): Promise<readonly PendingActivity[]> {
  try {
    return (await client.workflow.getHandle(id).describe()).raw.pendingActivities ?? [];
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return [];
    throw error;
  }
}

export type PendingActivity = NonNullable<
  WorkflowExecutionDescription['raw']['pendingActivities']
>[number];

function isWorkOn(
  { state, activityOptions, lastHeartbeatTime, lastStartedTime }: PendingActivity,
  queue: string,
): boolean {
  const lastSign = lastHeartbeatTime ?? lastStartedTime;
  return (
    state === ACTIVITY_STATE.started &&
    activityOptions?.taskQueue?.name === queue &&
    Number(lastSign?.seconds ?? 0) * 1000 > Date.now() - HEARTBEAT_FRESH_MS
  );
}

/** The command that starts a worker for a queue. */
export function workerCommand(queue: string): string {
  if (queue === CONTROL_QUEUE) return 'npm run worker -- --roles control,work,train';
  if (queue === WORK_QUEUE) return 'npm run worker -- --roles work';
  return `npm run worker -- --roles train --labels ${queue.replace(/^retune-train-/, '')}`;
}

/** What is shown of a run or a step that no worker takes. */
export function waitingNote(queue: string): string {
  return `waiting: no worker on ${queue} (start one: ${workerCommand(queue)})`;
}

/** What is shown of a step that workers have not come to yet. */
export function queuedNote(queue: string): string {
  return `waiting: the workers on ${queue} are busy (start another: ${workerCommand(queue)})`;
}
