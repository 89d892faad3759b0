import { fileURLToPath } from 'node:url';
import { Worker, type WorkerOptions } from '@temporalio/worker';
import { createActivities, type Activities } from './activities/activities.ts';
import { catalogWith } from './activities/custom/step-files.ts';
import { Redactor } from './activities/redactor.ts';
import { sweepWorkFolders, workRoot } from './activities/work-folders.ts';
import { connectWorker } from './cli/worker-connection.ts';
import { handleStrayErrors } from './cli/worker-errors.ts';
import { dataConverterOf } from './cli/payload-codec.ts';
import { visibleFacts } from './cli/search-attributes.ts';
import { workerLog } from './cli/worker-log.ts';
import { parseWorkerOptions } from './cli/worker-options.ts';
import { watchServer, watchStore } from './cli/worker/conditions.ts';
import { serveFleet } from './cli/worker/fleet.ts';
import { queuesOf } from './cli/worker/queues.ts';
import { observeSteps } from './cli/worker/step-observer.ts';
import { startTelemetry } from './cli/worker/telemetry.ts';
import { Failure } from './plan/failures.ts';
import { storeUrlFromEnvironment } from './store/open.ts';

const { env } = process;
const options = parseWorkerOptions(process.argv);
const redactor = new Redactor();
const log = workerLog(redactor);
handleStrayErrors(log);
const { meter, plugins, end: endTelemetry } = await startTelemetry(log, options.metrics);

const catalog = await catalogWith(options.steps);
const { connection, namespace, address } = await connectWorker();
const store = watchStore(storeUrlFromEnvironment(env), log);
await sweepWorkFolders(env);
const shutdown = new AbortController();
const converter = dataConverterOf(env);
// Search attributes and the memo's names are not encrypted.
const visible = visibleFacts(connection.operatorService, namespace, converter !== undefined);
const local = { workRoot: workRoot(env), shutdown: shutdown.signal, redactor, visible };
let made: Activities | undefined;
const activities = (): Activities =>
  (made ??= createActivities({ store: store.opened(), env, catalog, ...local }));

const shared = {
  ...{ connection, namespace, plugins: [...plugins] },
  ...(converter && { dataConverter: converter.dataConverter }),
  shutdownGraceTime: options.graceTime,
  maxHeartbeatThrottleInterval: options.heartbeat,
} satisfies Partial<WorkerOptions>;
const create = (own: WorkerOptions, onFailure?: (type: string) => void): Promise<Worker> => {
  const activity = [observeSteps({ log, meter, ...(onFailure && { onFailure }) })];
  return Worker.create({ ...shared, ...own, interceptors: { activity } });
};
const workflowsPath = fileURLToPath(new URL('./workflows/index.ts', import.meta.url));
const served = queuesOf({ flags: options, store, workflowsPath, activities, create, log });
const conditions = [...served.conditions, watchServer({ connection, address }, log)];

// A parent that started this worker with an IPC channel may also end it by closing the channel.
for (const event of ['SIGTERM', 'SIGINT', 'disconnect'] as const) {
  process.on(event, () => {
    if (shutdown.signal.aborted) return;
    log.info({ event }, 'shutting down: running steps checkpoint and hand over');
    shutdown.abort(new Failure('ShuttingDown', 'the worker is shutting down'));
  });
}
await serveFleet(
  {
    ...{ queues: served.queues, conditions, health: options.health, meter, log },
    server: { server: address, namespace },
  },
  shutdown.signal,
);
await endTelemetry();
await connection.close();
log.info('worker stopped');
// A timer that a user's step has left behind would keep the process.
process.exit();
