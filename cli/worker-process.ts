import { fork } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { CommandError } from './command-error.ts';

const WORKER = fileURLToPath(new URL('../worker.ts', import.meta.url));
const LOG_TAIL_LINES = 15;
/** worker.ts's own outer limit, and a little. */
const STOP_TIMEOUT_MS = 65_000;

export interface WorkerProcessOptions {
  /** What the worker prints; appended to. */
  readonly logFile: string;
  readonly args?: readonly string[];
  /** All of it: which server, which store. */
  readonly env: NodeJS.ProcessEnv;
}

/** What worker.ts says to the process that started it, of which the first word counts. */
export type WorkerMessage =
  | { readonly kind: 'ready'; readonly queues: readonly string[] }
  /** It tries again by itself. */
  | { readonly kind: 'broken'; readonly problem: string };

export interface WorkerProcess {
  readonly pid: number;
  readonly exited: Promise<void>;
  /** Tells it to hand over and waits until it has ended. */
  stop(): Promise<void>;
}

/**
 * Starts worker.ts as its own process and waits until it serves its queues. It ends with this
 * process, however that ends, and is out of reach of the terminal's Ctrl-C.
 *
 * @throws CommandError with the end of its log, when it ends before it serves
 */
export async function startWorker(options: WorkerProcessOptions): Promise<WorkerProcess> {
  const { logFile, args = [], env } = options;
  mkdirSync(dirname(logFile), { recursive: true });
  const log = openSync(logFile, 'a');
  const child = fork(WORKER, [...args], {
    execArgv: ['--import', import.meta.resolve('tsx')],
    env,
    stdio: ['ignore', log, log, 'ipc'],
    detached: true,
  });
  closeSync(log);
  const exited = new Promise<void>((settle) => {
    child.once('exit', () => settle());
  });
  const word = new Promise<WorkerMessage>((settle) => {
    child.once('message', (message) => settle(message as WorkerMessage));
  });
  const first = await Promise.race([word, exited]);
  if (first?.kind === 'broken') {
    child.kill('SIGTERM');
    throw new CommandError(`the worker takes no work: ${first.problem}`);
  }
  if (first === undefined) {
    const tail = readFileSync(logFile, 'utf8').trimEnd().split('\n').slice(-LOG_TAIL_LINES);
    throw new CommandError(`the worker ended before it served; ${logFile}:\n${tail.join('\n')}`);
  }
  return {
    pid: child.pid ?? 0,
    exited,
    async stop() {
      child.kill('SIGTERM');
      const timer = setTimeout(() => child.kill('SIGKILL'), STOP_TIMEOUT_MS);
      await exited;
      clearTimeout(timer);
    },
  };
}
