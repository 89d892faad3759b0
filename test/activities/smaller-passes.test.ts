import { execFile, execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { beforeAll, expect, test, vi } from 'vitest';
import { runWithinMemory } from '../../activities/smaller-passes.ts';
import {
  readTokenizedSplit,
  writeTokenizedSplit,
  type TokenizedRows,
} from '../../data/tokenized-dataset.ts';
import { Failure } from '../../plan/failures.ts';
import { openStore } from '../../store/open.ts';
import type { Store } from '../../store/store.ts';
import { evaluate } from '../../training/evaluate.ts';
import type { EvaluateJob, JobEvent, TrainJob } from '../../training/process.ts';
import { dataOrder } from '../../training/random/data-order.ts';
import { train, type TrainInput } from '../../training/train.ts';
import { temporaryFolder } from '../setup/folders.ts';
import { modelDigests, smallTraining } from '../training/loop/small-training.ts';

vi.setConfig({ testTimeout: 240_000, hookTimeout: 120_000 });

let folder = '';
let input: TrainInput;
let store: Store;
let job: TrainJob;
beforeAll(async () => {
  folder = await temporaryFolder();
  const args = { num_train_epochs: 2 };
  const { evalRows: _, ...small } = await smallTraining(folder, args, { n_positions: 1024 });
  input = { ...small, trainRows: withLongRow(small.trainRows) };
  store = await openStore(`file:${join(folder, 'store')}`);
  const { trainRows, replay: _replay, checkpoints: _none, ...others } = input;
  const { onEvent: _onEvent, signal: _signal, ...rest } = others;
  const trainFile = join(folder, 'train.arrow');
  const rows = trainRows.ids.map((id, row) => ({
    id,
    inputIds: trainRows.inputIds.subarray(trainRows.offsets[row], trainRows.offsets[row + 1]),
    label: trainRows.labels?.[row] ?? null,
    values: null,
    completionMask: null,
  }));
  await writeTokenizedSplit(trainFile, [rows], {
    ...{ label: true, valuesPerRow: 0, completionMask: false },
  });
  job = { ...rest, kind: 'train', task: 'text-classification', trainFile };
});

/**
 * The same with 900 tokens in the row that the first epoch visits last: its step needs more memory
 * than all before it.
 */
function withLongRow(rows: TokenizedRows): TokenizedRows {
  const last = dataOrder({ rows: rows.ids.length, seed: 42, epoch: 0 }).at(-1);
  const parts = rows.ids.map((_, row) =>
    row === last
      ? new Int32Array(900).fill(7)
      : rows.inputIds.slice(rows.offsets[row], rows.offsets[row + 1]),
  );
  const offsets = new Int32Array(rows.offsets.length);
  for (const [row, part] of parts.entries()) offsets[row + 1] = (offsets[row] ?? 0) + part.length;
  return { ...rows, offsets, inputIds: Int32Array.from(parts.flatMap((part) => [...part])) };
}

/** A library that does not look at what it was given may crash where memory ends, and not at another time. */
async function uncrashed<T>(work: (attempt: number) => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await work(attempt);
    } catch (error) {
      const isCrash = error instanceof Failure && error.message.includes('killed by SIGSEGV');
      if (!isCrash || attempt === 5) throw error;
    }
  }
}

/**
 * Trains with a checkpoint after every step; `disturb` is told of the process at the first step of
 * each attempt that begins after a checkpoint was published.
 */
async function run(key: string, disturb: (pid: number, attempt: number) => Promise<void>) {
  const notes: string[] = [];
  const started: number[] = [];
  let pid = 0;
  let checkpoints = 0;
  const onEvent = (event: JobEvent): void => {
    if (event.kind === 'process') [pid, checkpoints] = [event.pid, 0];
    if (event.kind === 'started') started.push(event.resumedFromStep);
    if (event.kind === 'checkpoint') checkpoints += 1;
    if (event.kind === 'step' && checkpoints > 0) void disturb(pid, started.length);
  };
  const kept = {
    ...{ storeUrl: store.url, key, directory: join(folder, `copies-${key}`) },
    ...{ everySeconds: 1000, everySteps: 1 },
  };
  const { signal } = new AbortController();
  const note = (text: string): unknown => notes.push(text);
  const ended = runWithinMemory({ ...job, checkpoints: kept }, { signal, onEvent, note });
  return { ended, notes, started };
}

test('a process that memory ran out for goes on in smaller passes', async () => {
  const { result, notes, started } = await uncrashed(async (number) => {
    let isLimited = false;
    const training = await run(`limited-${number}`, async (pid, attempt) => {
      if (attempt > 1 || isLimited) return;
      isLimited = true;
      // From now on the first process gets no more memory.
      process.kill(pid, 'SIGSTOP');
      await promisify(execFile)('prlimit', ['--pid', String(pid), '--data=1']);
      process.kill(pid, 'SIGCONT');
    });
    return { ...training, result: await training.ended };
  });
  expect(notes).toEqual([
    'memory ran out and ended the training process: it goes on from its last checkpoint in ' +
      'passes of at most 512 tokens',
  ]);
  expect(started[0]).toBe(0);
  expect(started[1]).toBeGreaterThanOrEqual(1);
  expect(result.resumedFromStep).toBe(started[1]);
  expect(result.exact).toBe(false);
  const whole = await train({ ...input, tokensPerPass: 512 });
  const { 'config.json': _, ...weights } = await modelDigests(whole);
  expect(await modelDigests(result)).toMatchObject(weights);
});

/** The first process gets no more memory from its first prediction on. */
async function limitedEvaluation(job: Omit<EvaluateJob, 'kind'>) {
  const notes: string[] = [];
  let pid = 0;
  let processes = 0;
  const onEvent = (event: JobEvent): void => {
    if (event.kind === 'process') [pid, processes] = [event.pid, processes + 1];
    if (event.kind !== 'prediction' || event.rowsDone > 0 || processes > 1) return;
    execFileSync('prlimit', ['--pid', String(pid), '--data=1']);
  };
  const { signal } = new AbortController();
  const note = (text: string): unknown => notes.push(text);
  const answers = await runWithinMemory({ kind: 'evaluate', ...job }, { signal, onEvent, note });
  return { answers, notes };
}

test('an evaluation that memory ran out for begins again in smaller passes', async () => {
  const { modelFiles } = await train({ ...input, outputDirectory: await temporaryFolder() });
  // The long rows come last, in passes that need more memory than all before.
  const lengths = [...Array<number>(4000).fill(20), ...Array<number>(4).fill(1000)];
  const rows = lengths.map((length, row) => ({
    ...{ id: `${row}`, inputIds: new Int32Array(length).fill(1 + (row % 9)), label: row % 3 },
    ...{ values: null, completionMask: null },
  }));
  const file = join(folder, 'evaluated.arrow');
  const columns = { label: true, valuesPerRow: 0, completionMask: false };
  await writeTokenizedSplit(file, [rows], columns);
  const evaluated = { modelFiles, padTokenId: input.padTokenId, threads: 1 };
  const { answers, notes } = await uncrashed(() => limitedEvaluation({ ...evaluated, file }));
  expect(notes).toEqual([
    'memory ran out and ended the evaluation process: it begins again in passes of at most 512 tokens',
  ]);
  const split = await readTokenizedSplit(file);
  expect(answers).toEqual(await evaluate({ ...evaluated, rows: split, tokensPerPass: 512 }));
});

test('a process that was killed otherwise is not begun again', async () => {
  const { ended, notes } = await run('killed', async (pid) => {
    process.kill(pid, 'SIGKILL');
  });
  await expect(ended).rejects.toMatchObject({ type: 'OutOfMemory' });
  expect(notes).toEqual([]);
});
