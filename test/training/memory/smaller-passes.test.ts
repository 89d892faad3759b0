import { execFile } from 'node:child_process';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { Failure } from '../../../plan/failures.ts';
import { openStore } from '../../../store/open.ts';
import type { TrainingEvent } from '../../../training/training-event.ts';
import { train, type TrainInput, type TrainResult } from '../../../training/train.ts';
import type { HistoryRow } from '../../../training/training-progress.ts';
import { modelDigests, temporaryFolder } from '../loop/small-training.ts';
import { longTraining } from './long-training.ts';

vi.setConfig({ testTimeout: 600_000, hookTimeout: 120_000 });

let folder = '';
let input: TrainInput;
let whole: TrainResult;
beforeAll(async () => {
  folder = await temporaryFolder();
  input = await longTraining(folder);
  whole = await train(input);
});
afterAll(() => rm(folder, { recursive: true }));

function numbersOf(history: readonly HistoryRow[], name: 'loss' | 'grad_norm'): number[] {
  return history.flatMap((row) => ('loss' in row ? [row[name]] : []));
}

function expectSame(history: readonly HistoryRow[]): void {
  for (const name of ['loss', 'grad_norm'] as const) {
    const found = numbersOf(history, name);
    const expected = numbersOf(whole.history, name);
    expect(found).toHaveLength(expected.length);
    for (const [i, value] of found.entries()) {
      expect(Math.abs(value / (expected[i] ?? NaN) - 1)).toBeLessThan(1e-6);
    }
  }
}

const note = (step: number, tokens: number): string =>
  `memory ran out at optimizer step ${step}: from here on the same batches run in passes of at ` +
  `most ${tokens} tokens, and the last bits of the model may differ`;

interface LimitedTraining {
  readonly notes: readonly string[];
  readonly history: readonly HistoryRow[];
  readonly exact: boolean;
}

/** MiB that the process may take beyond what it has; a pass of four rows takes about 135. */
const HEADROOMS = [90, 100, 95, 160, 180];
const DEADLINE_MS = 90_000;

/**
 * A training under a limit of memory. Where the library meets the limit in a place from which it
 * cannot return, its process dies or stands still, and is begun again by the worker (see
 * activities/smaller-passes.test.ts): then the next limit is tried.
 */
async function limitedTraining(file: string): Promise<LimitedTraining> {
  const script = fileURLToPath(new URL('./limited-training.ts', import.meta.url));
  const failures: unknown[] = [];
  for (const headroom of HEADROOMS) {
    const args = ['--import', 'tsx', script, file, String(headroom)];
    const options = { timeout: DEADLINE_MS, killSignal: 'SIGKILL' } as const;
    try {
      const { stdout } = await promisify(execFile)(process.execPath, args, options);
      return JSON.parse(stdout) as LimitedTraining;
    } catch (error) {
      failures.push(error);
    }
  }
  throw new AggregateError(failures, 'no training came to its end');
}

test('when the system refuses memory, the same batches run in smaller passes', async () => {
  const file = join(folder, 'input.json');
  const { trainRows: _, ...rest } = input;
  await writeFile(file, JSON.stringify(rest));
  const limited = await limitedTraining(file);
  expect(limited.exact).toBe(false);
  const [share, ...smaller] = limited.notes;
  expect(share).toBe('all 120,576 parameters; their gradients and moments take 1.4 MiB');
  // How much else the process needs decides whether half is enough.
  expect(smaller).toEqual([note(1, 480), note(1, 240)].slice(0, Math.max(1, smaller.length)));
  expectSame(limited.history);
});

test('a resumed training keeps its smaller passes, and ends with the same bytes', async () => {
  const smaller = await train({ ...input, tokensPerPass: 480 });
  expect(smaller.exact).toBe(false);
  expectSame(smaller.history);
  const expected = await modelDigests(smaller);
  expect(expected).not.toEqual(await modelDigests(await train(input)));

  const store = await openStore(`file:${join(folder, 'store')}`);
  const reason = new Failure('ShuttingDown', 'the worker is shutting down');
  const controller = new AbortController();
  const directory = join(folder, 'copies');
  const checkpoints = { store, key: 'smaller', directory, everySeconds: 1000 };
  const onEvent = (event: TrainingEvent): void => {
    if (event.kind === 'step' && event.step === 2) controller.abort(reason);
  };
  const { signal } = controller;
  const stopped = train({ ...input, tokensPerPass: 480, checkpoints, signal, onEvent });
  await expect(stopped).rejects.toBe(reason);
  const resumed = await train({ ...input, checkpoints });
  expect(resumed.resumedFromStep).toBe(2);
  expect(resumed.exact).toBe(false);
  expect(await modelDigests(resumed)).toEqual(expected);
});
