import { join, resolve } from 'node:path';
import { ensureTemporalCli } from '../setup/temporal-cli.mjs';
import { startTemporalServer, type TemporalServer } from './temporal-server.ts';
import { startWorker, type WorkerProcess } from './worker-process.ts';

export interface LocalStackOptions {
  /** The default port 7233, where the Temporal CLI looks, or any free one. */
  readonly port: number | 'free';
  readonly uiPort?: number | 'free';
  readonly onStep?: (text: string) => void;
}

export interface LocalStack {
  readonly home: string;
  readonly server: TemporalServer;
  readonly worker: WorkerProcess;
  stop(): Promise<void>;
}

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
  options.onStep?.('starting the Temporal server');
  const server = await startTemporalServer({
    cliPath: await ensureTemporalCli(),
    databaseFile: join(home, 'temporal.db'),
    port: options.port,
    ...(options.uiPort !== undefined && { uiPort: options.uiPort }),
    logFile: join(logs, 'temporal.log'),
  });
  try {
    signal.throwIfAborted();
    options.onStep?.('starting the worker');
    const worker = await startWorker({
      address: server.address,
      logFile: join(logs, 'worker.log'),
      env: { ...process.env, RETUNE_HOME: home },
    });
    return {
      home,
      server,
      worker,
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

/** Aborts at the first Ctrl-C or SIGTERM; a second one ends the process at once. */
export function interruption(): AbortSignal {
  const controller = new AbortController();
  for (const event of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(event, () => {
      if (controller.signal.aborted) process.exit(130);
      controller.abort(new Error('interrupted'));
    });
  }
  return controller.signal;
}
