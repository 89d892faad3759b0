import { CONTROL_QUEUE, WORK_QUEUE } from '../plan/names.ts';
import type { Connected } from './connection.ts';

/** A worker that polls renews this at least once a minute: the length of a long poll. */
const POLLER_FRESH_MS = 70_000;
const TASK_QUEUE_TYPE = { workflow: 1, activity: 2 } as const;

/** Whether a worker has asked the queue for tasks lately. */
export async function hasPoller(
  { client, namespace }: Connected,
  queue: string,
  type: keyof typeof TASK_QUEUE_TYPE,
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
