import { fork, type ChildProcess } from 'node:child_process';
import { createRequire } from 'node:module';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { Failure, FAILURE_TYPES, type FailureType } from '../plan/failures.ts';
import { SECRET_VARIABLE } from '../plan/secret-inputs.ts';
import type { ChildMessage, Job, JobEvent, JobResult, ParentMessage } from './jobs.ts';

export type { EvaluateJob, Job, JobEvent, JobResult, TrainJob } from './jobs.ts';

export interface RunJobOptions {
  /** Ends the job: a training takes a checkpoint after its current optimizer step first. */
  readonly signal?: AbortSignal;
  readonly onEvent?: (event: JobEvent) => void;
}

/** Characters of the process's last words that a failure quotes. */
const TAIL_LENGTH = 2000;
/** Characters that are kept of what it says: V8 puts a long stack below the reason of its end. */
const KEPT_LENGTH = 20_000;

/**
 * Runs a job in a process of its own, so that neither its memory, nor a crash, nor a full event loop
 * is ours. It ends with this process, whatever ends this one.
 *
 * @throws the signal's reason once the process has ended; the job's failure; what `onEvent` threw,
 *   which kills the process; OutOfMemory or Internal when the process ended without a word
 */
export async function runJob<J extends Job>(
  job: J,
  options: RunJobOptions = {},
): Promise<JobResult<J>> {
  const { signal, onEvent } = options;
  signal?.throwIfAborted();
  const child = forkChild();
  const post = (message: ParentMessage): void => void child.send(message, () => undefined);
  const abort = (): void => post({ kind: 'abort' });
  signal?.addEventListener('abort', abort, { once: true });
  try {
    const ended = endOf(child, (event) => onEvent?.(event));
    post({ kind: 'start', job });
    const answer = await ended;
    if (answer.kind === 'aborted') throw signal?.reason;
    if (answer.kind === 'failure') throw new Failure(failureType(answer.type), answer.message);
    return answer.result as JobResult<J>;
  } finally {
    signal?.removeEventListener('abort', abort);
  }
}

function forkChild(): ChildProcess {
  // Secrets are for the step's code in this process: a training needs none.
  const variables = Object.entries(process.env).filter(
    ([name]) => !name.startsWith(SECRET_VARIABLE),
  );
  const loader = createRequire(import.meta.url).resolve('tsx');
  return fork(fileURLToPath(new URL('./child.ts', import.meta.url)), [], {
    execArgv: ['--import', pathToFileURL(loader).href],
    env: Object.fromEntries(variables),
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    serialization: 'advanced',
  });
}

type Answer = Exclude<ChildMessage, { readonly kind: 'event' }>;

/** Resolves with the child's answer once it has exited. */
function endOf(child: ChildProcess, onEvent: (event: JobEvent) => void): Promise<Answer> {
  let answer: Answer | undefined;
  let watcherError: unknown;
  let said = '';
  const keep = (text: Buffer): void => {
    said = (said + text.toString()).slice(-KEPT_LENGTH);
  };
  child.stdout?.on('data', keep);
  child.stderr?.on('data', keep);
  const watch = (event: JobEvent): void => {
    if (watcherError !== undefined) return;
    try {
      onEvent(event);
    } catch (error) {
      watcherError = error;
      child.kill('SIGKILL');
    }
  };
  child.on('spawn', () => watch({ kind: 'process', pid: child.pid ?? 0 }));
  child.on('message', (message: ChildMessage) => {
    if (message.kind !== 'event') answer = message;
    else watch(message.event);
  });
  return new Promise((resolve, reject) => {
    child.on('error', (error) => {
      const message = `the training process could not be started: ${error.message}; end other processes or use a larger worker`;
      reject(new Failure('OutOfMemory', message, { cause: error }));
    });
    child.on('close', (code, killedBy) => {
      if (watcherError !== undefined) reject(watcherError);
      else if (answer !== undefined) resolve(answer);
      else reject(unexpectedEnd(code, killedBy, said.trim()));
    });
  });
}

/** The line that allocators leave behind. */
const OUT_OF_MEMORY = /^.*(?:bad_alloc|out of memory|Cannot allocate memory).*$/im;

/** SIGKILL ended the process: sent by the system when memory ran out, or by someone else. */
export class KilledProcess extends Failure {}

/**
 * The failure for a process that ended without an answer.
 *
 * @param said the end of what it wrote
 */
export function unexpectedEnd(
  code: number | null,
  killedBy: NodeJS.Signals | null,
  said: string,
): Failure {
  const how = killedBy === null ? `ended with code ${code}` : `was killed by ${killedBy}`;
  const [reason] = OUT_OF_MEMORY.exec(said) ?? [];
  const lastWords = reason ?? said.slice(-TAIL_LENGTH);
  const quote = lastWords === '' ? '' : `; its last words: ${lastWords}`;
  if (killedBy === 'SIGKILL' || reason !== undefined) {
    const Kind = killedBy === 'SIGKILL' ? KilledProcess : Failure;
    return new Kind(
      'OutOfMemory',
      `the training process ${how}, as the system does when memory runs out; lower ` +
        `per_device_train_batch_size or max_length, or use a worker with more memory${quote}`,
    );
  }
  return new Failure('Internal', `internal: the training process ${how}${quote}`);
}

function failureType(type: string): FailureType {
  return type in FAILURE_TYPES ? (type as FailureType) : 'Internal';
}
