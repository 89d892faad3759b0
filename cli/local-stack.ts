import { once } from 'node:events';
import { join, resolve } from 'node:path';
import type { StepFile } from '../activities/custom/step-source.ts';
import { findOnPath } from '../setup/child-process.mjs';
import { isAlive } from '../setup/lock.mjs';
import { ensureTemporalCli } from '../setup/temporal-cli.mjs';
import { CommandError, INTERRUPTED_EXIT_CODE, InterruptedError } from './command-error.ts';
import { DEFAULT_NAMESPACE } from './connection.ts';
import { npmProcess } from './npm-process.ts';
import {
  environmentWithoutTemporal,
  startTemporalServer,
  type TemporalServer,
} from './temporal-server.ts';
import { startWorker, type WorkerProcess } from './worker-process.ts';

export interface LocalStackOptions {
  /** The default port 7233, where the Temporal CLI looks, or any free one. */
  readonly port: number | 'free';
  readonly uiPort?: number | 'free';
  readonly onStep?: (text: string) => void;
  /** Files with step kinds of one's own. */
  readonly steps?: readonly StepFile[];
}

export interface LocalStack {
  readonly home: string;
  readonly server: TemporalServer;
  /** The Temporal CLI, as a person types it: `temporal`, or its path where that is not on PATH. */
  readonly temporalCli: string;
  /** Process id of the worker that serves now. */
  workerPid(): number;
  /** Rejects when the server ends by itself, or the worker does so again and again. */
  readonly failed: Promise<never>;
  stop(): Promise<void>;
}

/** A worker that ends sooner than this after its start would do so again. */
const SHORT_LIFE_MS = 10_000;
const MAX_SHORT_LIVES = 3;

/** Folder of everything that Retune keeps: `$RETUNE_HOME`, or ./.retune. */
function retuneHome(): string {
  return resolve(process.env['RETUNE_HOME'] || '.retune');
}

/**
 * An embedded Temporal server with a file database, and a worker of its own process; both end with
 * this process.
 *
 * @param signal ends a start under way, too
 */
export async function startLocalStack(
  options: LocalStackOptions,
  signal: AbortSignal,
): Promise<LocalStack> {
  const home = retuneHome();
  const logs = join(home, 'logs');
  const { steps = [] } = options;
  options.onStep?.('starting the Temporal server');
  const cliPath = await ensureTemporalCli();
  const server = await startTemporalServer({
    cliPath,
    databaseFile: join(home, 'temporal.db'),
    port: options.port,
    ...(options.uiPort !== undefined && { uiPort: options.uiPort }),
    logFile: join(logs, 'temporal.log'),
  });
  try {
    signal.throwIfAborted();
    options.onStep?.('starting the worker');
    const start = (): Promise<WorkerProcess> =>
      startWorker({
        logFile: join(logs, 'worker.log'),
        // Live progress costs nothing on a server of one's own.
        args: ['--heartbeat', '1', ...steps.flatMap(({ name }) => ['--steps', name])],
        env: { ...environmentOfLocalServer(server.address, home), RETUNE_HOME: home },
      });
    const worker = new SupervisedWorker(await start(), start, (text) => options.onStep?.(text));
    const serverFailed = server.exited.then(() => {
      throw new CommandError(`the Temporal server ended by itself: see ${logs}/temporal.log`);
    });
    const failed = Promise.race([serverFailed, worker.failed]);
    // Whoever waits for it hears of it; after `stop` nobody does.
    failed.catch(() => undefined);
    return {
      home,
      server,
      failed,
      temporalCli:
        findOnPath('temporal', process.env['PATH'])[0] === cliPath ? 'temporal' : cliPath,
      workerPid: () => worker.pid,
      async stop() {
        await worker.stop();
        await server.stop();
      },
    };
  } catch (error) {
    await server.stop();
    throw error;
  }
}

/** This process's environment, but with this server in place of the one that it may name. */
function environmentOfLocalServer(address: string, home: string): NodeJS.ProcessEnv {
  return {
    ...environmentWithoutTemporal(),
    TEMPORAL_ADDRESS: address,
    TEMPORAL_NAMESPACE: DEFAULT_NAMESPACE,
    // Not the person's own temporal.toml, but none: an empty one is an error to envconfig 1.24.
    TEMPORAL_CONFIG_FILE: join(home, 'no-temporal.toml'),
  };
}

/** Keeps a worker up: one that was killed is replaced, and the next one continues its steps. */
class SupervisedWorker {
  readonly failed: Promise<never>;
  readonly #start: () => Promise<WorkerProcess>;
  readonly #say: (text: string) => void;
  #worker: WorkerProcess;
  #isStopping = false;

  constructor(
    worker: WorkerProcess,
    start: () => Promise<WorkerProcess>,
    say: (text: string) => void,
  ) {
    this.#worker = worker;
    this.#start = start;
    this.#say = say;
    this.failed = this.#supervise();
  }

  get pid(): number {
    return this.#worker.pid;
  }

  async stop(): Promise<void> {
    this.#isStopping = true;
    await this.#worker.stop();
  }

  async #supervise(): Promise<never> {
    for (let shortLives = 0; ;) {
      const startedAt = performance.now();
      await this.#worker.exited;
      // Asked to: there is nothing to report any more.
      if (this.#isStopping) return new Promise(() => undefined);
      shortLives = performance.now() - startedAt < SHORT_LIFE_MS ? shortLives + 1 : 0;
      if (shortLives === MAX_SHORT_LIVES) {
        throw new CommandError(`the worker ended ${shortLives} times in a row: see its log`);
      }
      this.#say('the worker ended by itself: starting another');
      this.#worker = await this.#start();
      if (this.#isStopping) await this.#worker.stop();
      else this.#say(`worker pid ${this.#worker.pid} goes on`);
    }
  }
}

/** How often it is looked whether the npm that started this process is still there. */
const NPM_POLL_MS = 500;

/**
 * Aborts at the first Ctrl-C or SIGTERM, or when the npm that started this process was killed; a
 * second signal ends the process at once.
 */
export function interruption(): AbortSignal {
  const controller = new AbortController();
  const abort = (): void => controller.abort(new InterruptedError());
  for (const event of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(event, () => {
      if (controller.signal.aborted) process.exit(INTERRUPTED_EXIT_CODE);
      abort();
    });
  }
  const npm = npmProcess();
  if (npm !== undefined) setInterval(() => isAlive(npm) || abort(), NPM_POLL_MS).unref();
  return controller.signal;
}

/** Resolves once the signal has aborted. */
export async function interrupted(signal: AbortSignal): Promise<void> {
  if (!signal.aborted) await once(signal, 'abort');
}
