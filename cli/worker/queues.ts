import type { Worker, WorkerOptions } from '@temporalio/worker';
import type { Logger } from 'pino';
import type { Activities } from '../../activities/activities.ts';
import { CONTROL_QUEUE, trainQueue, WORK_QUEUE } from '../../plan/names.ts';
import { registerDevices } from '../worker-registration.ts';
import type { WorkerFlags } from '../worker-options.ts';
import type { Condition } from './condition.ts';
import { watchDevice, type WatchedStore } from './conditions.ts';
import type { QueueOptions } from './served-queue.ts';

export interface QueuesOptions {
  readonly flags: WorkerFlags;
  readonly store: WatchedStore;
  readonly workflowsPath: string;
  /** Asked for once the store is well. */
  readonly activities: () => Activities;
  /** @param onFailure is told the type of each failure of a step */
  readonly create: (own: WorkerOptions, onFailure?: (type: string) => void) => Promise<Worker>;
  readonly log: Logger;
}

/** The queues of a worker's roles and labels, and what they need to be served. */
export function queuesOf(options: QueuesOptions): {
  readonly queues: readonly QueueOptions[];
  readonly conditions: readonly Condition[];
} {
  const { flags, store, log } = options;
  const labels = flags.roles.includes('train') ? flags.labels : [];
  const devices = labels.map((label) => ({ label, device: watchDevice(label, log) }));
  const light = [controlQueue(options), workQueue(options)];
  return {
    queues: [
      ...light.filter(({ role }) => flags.roles.includes(role)),
      ...devices.map(({ label, device }) => trainingQueue(options, label, device)),
    ],
    conditions: [store.condition, ...devices.map(({ device }) => device)],
  };
}

function controlQueue({
  store,
  workflowsPath,
  activities,
  create,
  log,
}: QueuesOptions): QueueOptions {
  return {
    ...{ queue: CONTROL_QUEUE, role: 'control', needs: [store.condition], log },
    createWorker: () =>
      create({ taskQueue: CONTROL_QUEUE, workflowsPath, activities: activities().control }),
  };
}

function workQueue({ flags, store, activities, create, log }: QueuesOptions): QueueOptions {
  const limits = { maxConcurrentActivityTaskExecutions: flags.concurrency };
  return {
    ...{ queue: WORK_QUEUE, role: 'work', needs: [store.condition], log },
    createWorker: () => create({ taskQueue: WORK_QUEUE, activities: activities().work, ...limits }),
  };
}

function trainingQueue(
  { store, activities, create, log }: QueuesOptions,
  label: string,
  device: Condition,
): QueueOptions {
  const queue = trainQueue(label);
  // One training at a time: it uses the whole device.
  const limits = { maxConcurrentActivityTaskExecutions: 1 };
  const onFailure = (type: string): void => {
    if (type === 'DeviceUnavailable') device.look();
  };
  return {
    ...{ queue, role: 'train', needs: [store.condition, device], log },
    createWorker: () =>
      create({ taskQueue: queue, activities: activities().train, ...limits }, onFailure),
    whilePolling: () => registerDevices(store.opened(), label, log),
  };
}
