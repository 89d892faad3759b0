import { setMaxListeners } from 'node:events';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Client, Connection } from '@temporalio/client';
import {
  bundleWorkflowCode,
  DefaultLogger,
  NativeConnection,
  Runtime,
  Worker,
  type WorkflowBundle,
} from '@temporalio/worker';
import { Redactor } from '../../../activities/redactor.ts';
import { createActivities } from '../../../activities/activities.ts';
import type { AnyStep } from '../../../activities/catalog.ts';
import type { JsonObject } from '../../../plan/json.ts';
import { CONTROL_QUEUE, PIPELINE_WORKFLOW, trainQueue, WORK_QUEUE } from '../../../plan/names.ts';
import type { RunState } from '../../../plan/plan.ts';
import { openStore } from '../../../store/open.ts';
import { getRun } from '../../../store/runs.ts';
import type { Store } from '../../../store/store.ts';
import { cleanUp } from '../../setup/cleanup.ts';
import { testSite } from '../../setup/temporal.ts';

/** A store, a Temporal namespace, and workers of this process on both, with whatever step kinds. */
export class PipelineSite {
  readonly store: Store;
  readonly env: Readonly<Record<string, string>>;
  readonly workRoot: string;
  /** What `file:` sources are relative to. */
  readonly dataRoot: string;
  readonly #client: Client;
  readonly #worker: NativeConnection;
  readonly #namespace: string;
  readonly #bundle: WorkflowBundle;

  private constructor(
    home: string,
    store: Store,
    client: Client,
    worker: { connection: NativeConnection; namespace: string; bundle: WorkflowBundle },
  ) {
    this.store = store;
    this.dataRoot = home;
    this.env = { RETUNE_DATA_ROOT: home };
    this.workRoot = join(home, 'work');
    this.#client = client;
    this.#worker = worker.connection;
    this.#namespace = worker.namespace;
    this.#bundle = worker.bundle;
  }

  static async open(): Promise<PipelineSite> {
    const logger = new DefaultLogger('ERROR');
    Runtime.install({ logger });
    const { address, namespace, home } = await testSite();
    const connection = await Connection.connect({ address });
    cleanUp(() => connection.close());
    const native = await NativeConnection.connect({ address });
    cleanUp(() => native.close());
    const workflowsPath = fileURLToPath(new URL('../../../workflows/index.ts', import.meta.url));
    const bundle = await bundleWorkflowCode({ workflowsPath, logger });
    const client = new Client({ connection, namespace });
    const store = await openStore(`file:${join(home, 'store')}`);
    return new PipelineSite(home, store, client, { connection: native, namespace, bundle });
  }

  /** What `work` gives, while workers serve all queues, of training those of `labels`. */
  async serving<T>(
    catalog: readonly AnyStep[],
    labels: readonly string[],
    work: () => Promise<T>,
  ): Promise<T> {
    const shutdown = new AbortController().signal;
    // More attempts at once than a worker has.
    setMaxListeners(0, shutdown);
    const { store, env, workRoot } = this;
    const local = { workRoot, shutdown, redactor: new Redactor() };
    const activities = createActivities({ store, env, catalog, ...local });
    const shared = {
      ...{ connection: this.#worker, namespace: this.#namespace },
      maxConcurrentActivityTaskExecutions: 8,
    };
    const workers = await Promise.all([
      Worker.create({
        ...shared,
        taskQueue: CONTROL_QUEUE,
        workflowBundle: this.#bundle,
        activities: activities.control,
      }),
      Worker.create({ ...shared, taskQueue: WORK_QUEUE, activities: activities.work }),
      ...labels.map((label) =>
        Worker.create({ ...shared, taskQueue: trainQueue(label), activities: activities.train }),
      ),
    ]);
    const running = Promise.all(workers.map((worker) => worker.run()));
    try {
      return await Promise.race([work(), running.then(() => Promise.reject(new Error('stopped')))]);
    } finally {
      for (const worker of workers) worker.shutdown();
      await running;
    }
  }

  /** Runs a pipeline to its end, however it ends. @returns the state that it left in the store */
  async run(id: string, source: string, options: JsonObject): Promise<RunState> {
    const handle = await this.#client.workflow.start(PIPELINE_WORKFLOW, {
      ...{ taskQueue: CONTROL_QUEUE, workflowId: id, args: [source, options] },
    });
    await handle.result().catch(() => undefined);
    const record = await getRun(this.store, id);
    if (record === undefined) throw new Error(`run ${id} left no record`);
    return record.state;
  }
}
