import { readFile } from 'node:fs/promises';
import { Failure } from '../plan/failures.ts';
import { PACKING } from '../training/packing.ts';
import {
  KilledProcess,
  runJob,
  type JobEvent,
  type JobResult,
  type EvaluateJob,
  type TrainJob,
} from '../training/process.ts';

export interface RunWithinMemoryOptions {
  readonly signal: AbortSignal;
  readonly onEvent: (event: JobEvent) => void;
  /** Told a sentence for a person when the job begins again. */
  readonly note: (text: string) => void;
}

/** Tokens of a pass below which memory is not lost to passes. */
const FEWEST_TOKENS = PACKING.tokensPerPass / 8;

/** What a person is told: the process that ended, and how the next one goes on. */
const AGAIN = {
  train: ['training', 'it goes on from its last checkpoint'],
  evaluate: ['evaluation', 'it begins again'],
} as const;

/**
 * Trains or evaluates in a process of its own. When that process ends because memory ran out,
 * another one does in passes of half as many tokens, three times at most; a training goes on from
 * its last checkpoint.
 * @throws as `runJob`
 */
export async function runWithinMemory<J extends TrainJob | EvaluateJob>(
  job: J,
  { signal, onEvent, note }: RunWithinMemoryOptions,
): Promise<JobResult<J>> {
  const [what, again] = AGAIN[job.kind];
  for (let tokensPerPass = job.tokensPerPass ?? PACKING.tokensPerPass; ;) {
    const killsBefore = await outOfMemoryKills();
    try {
      const limited = tokensPerPass < PACKING.tokensPerPass ? { ...job, tokensPerPass } : job;
      return await runJob(limited, { signal, onEvent });
    } catch (error) {
      if (tokensPerPass <= FEWEST_TOKENS || !(await ranOutOfMemory(error, killsBefore)))
        throw error;
      tokensPerPass /= 2;
      note(
        `memory ran out and ended the ${what} process: ${again} in passes of at most ` +
          `${tokensPerPass} tokens`,
      );
    }
  }
}

/** Whoever else sends SIGKILL says nothing of memory: the next attempt computes the same bits. */
async function ranOutOfMemory(error: unknown, killsBefore: number): Promise<boolean> {
  if (!(error instanceof Failure) || error.type !== 'OutOfMemory') return false;
  return !(error instanceof KilledProcess) || (await outOfMemoryKills()) > killsBefore;
}

/** Processes that Linux has killed for want of memory since it started; 0 where it does not say. */
async function outOfMemoryKills(): Promise<number> {
  const counts = await readFile('/proc/vmstat', 'utf8').catch(() => '');
  return Number(/^oom_kill (\d+)$/m.exec(counts)?.[1] ?? 0);
}
