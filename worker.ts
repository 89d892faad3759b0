import { fileURLToPath } from 'node:url';
import { Runtime, Worker, type WorkerOptions } from '@temporalio/worker';
import { createActivities } from './activities/activities.ts';
import { catalogWith } from './activities/custom/step-files.ts';
import { Redactor } from './activities/redactor.ts';
import { sweepWorkFolders, workRoot } from './activities/work-folders.ts';
import { connectWorker } from './cli/worker-connection.ts';
import { handleStrayErrors } from './cli/worker-errors.ts';
import { temporalLogger, workerLog } from './cli/worker-log.ts';
import { registerDevices } from './cli/worker-registration.ts';
import { parseWorkerOptions } from './cli/worker-options.ts';
import { Failure } from './plan/failures.ts';
import { CONTROL_QUEUE, trainQueue, WORK_QUEUE } from './plan/names.ts';
import { openStore, storeUrlFromEnvironment } from './store/open.ts';

const options = parseWorkerOptions(process.argv);
const redactor = new Redactor();
const log = workerLog(redactor);
handleStrayErrors(log);

// Shutdown is ours: Temporal's grace time only delays cancellation, so running steps are told at
// once, checkpoint, and hand over; the grace time is the outer limit.
const shutdown = new AbortController();
Runtime.install({ shutdownSignals: [], logger: temporalLogger(log) });

const catalog = await catalogWith(options.steps);
const { connection, namespace, address } = await connectWorker();
await sweepWorkFolders(process.env);
const store = await openStore(storeUrlFromEnvironment(process.env));
const { env } = process;
const local = { workRoot: workRoot(env), shutdown: shutdown.signal, redactor };
const activities = createActivities({ store, env, catalog, ...local });

const shared = {
  connection,
  namespace,
  shutdownGraceTime: options.graceTime,
  maxHeartbeatThrottleInterval: options.heartbeat,
} satisfies Partial<WorkerOptions>;
const workers: Worker[] = [];
if (options.roles.includes('control')) {
  const workflowsPath = fileURLToPath(new URL('./workflows/index.ts', import.meta.url));
  const queue = { taskQueue: CONTROL_QUEUE, workflowsPath, activities: activities.control };
  workers.push(await Worker.create({ ...shared, ...queue }));
}
if (options.roles.includes('work')) {
  const queue = { taskQueue: WORK_QUEUE, activities: activities.work };
  const limits = { maxConcurrentActivityTaskExecutions: options.concurrency };
  workers.push(await Worker.create({ ...shared, ...queue, ...limits }));
}
const labels = options.roles.includes('train') ? options.labels : [];
const unregister = await registerDevices(store, labels, log);
for (const label of labels) {
  // One training at a time: it uses the whole device.
  const queue = { taskQueue: trainQueue(label), activities: activities.train };
  const limits = { maxConcurrentActivityTaskExecutions: 1 };
  workers.push(await Worker.create({ ...shared, ...queue, ...limits }));
}

// A parent that started this worker with an IPC channel may also end it by closing the channel.
for (const event of ['SIGTERM', 'SIGINT', 'disconnect'] as const) {
  process.on(event, () => {
    if (shutdown.signal.aborted) return;
    log.info({ event }, 'shutting down: running steps checkpoint and hand over');
    shutdown.abort(new Failure('ShuttingDown', 'the worker is shutting down'));
    for (const worker of workers) worker.shutdown();
  });
}
const running = Promise.all(workers.map((worker) => worker.run()));
const queues = workers.map((worker) => worker.options.taskQueue);
log.info({ queues, namespace, server: address }, 'worker ready');
process.send?.({ kind: 'ready', queues });
await running;
await unregister();
await connection.close();
log.info('worker stopped');
// A timer that a user's step has left behind would keep the process.
process.exit();
