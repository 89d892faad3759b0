import { watch } from 'node:fs';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { readTokenizedSplit } from '../../../data/tokenized-dataset.ts';
import { meanCrossEntropy, predictedClasses } from '../../../evaluation/logits.ts';
import { Failure } from '../../../plan/failures.ts';
import { openStore } from '../../../store/open.ts';
import type { Store } from '../../../store/store.ts';
import { listCheckpoints } from '../../../training/checkpoints/checkpoint-store.ts';
import {
  runJob,
  unexpectedEnd,
  type EvaluateJob,
  type JobEvent,
  type TrainJob,
} from '../../../training/process.ts';
import type { TrainResult } from '../../../training/train.ts';
import { TestProcess } from '../../setup/processes.ts';
import {
  modelDigests,
  smallRows,
  smallTraining,
  temporaryFolder,
  withoutSpeed,
} from '../loop/small-training.ts';
import { writeRows } from './row-files.ts';

vi.setConfig({ testTimeout: 120_000 });

let folder = '';
let store: Store;
let job: TrainJob;
let whole: TrainResult;
let expected: Record<string, string>;

beforeAll(async () => {
  folder = await temporaryFolder();
  store = await openStore(`file:${join(folder, 'store')}`);
  // 11 MB of state: its checkpoints take long enough to be killed in the middle.
  const input = await smallTraining(folder, {}, { n_embd: 128, n_layer: 4 });
  const { modelFiles, labels, padTokenId, args, outputDirectory } = input;
  job = {
    kind: 'train',
    ...{ modelFiles, labels, padTokenId, args, outputDirectory },
    trainFile: await writeRows(join(folder, 'train.arrow'), smallRows(26, 1)),
    evalFile: await writeRows(join(folder, 'eval.arrow'), smallRows(10, 2)),
    threads: 2,
  };
  whole = await runJob(job);
  expected = await modelDigests(whole);
});
afterAll(() => rm(folder, { recursive: true }));

function withCheckpoints(key: string, everySteps = 3): TrainJob {
  const checkpoints = { storeUrl: store.url, key, everySeconds: 1000, everySteps };
  return { ...job, checkpoints };
}

const killed = expect.objectContaining({
  type: 'OutOfMemory',
  message:
    'the training process was killed by SIGKILL, as the system does when memory runs out; lower per_device_train_batch_size or max_length, or use a worker with more memory',
}) as unknown;

/** Runs a training until `isTime` says so, of an event or when the store writes, then SIGKILLs it. */
async function runAndKill(
  running: TrainJob,
  isTime: (at: { event?: JobEvent; step: number }) => boolean,
): Promise<JobEvent[]> {
  const events: JobEvent[] = [];
  let pid = 0;
  const kill = (event?: JobEvent): void => {
    const step = lastStep(events);
    if (pid !== 0 && isTime({ step, ...(event && { event }) })) process.kill(pid, 'SIGKILL');
  };
  const watcher = watch(join(folder, 'store', 'tmp'), () => kill());
  const ended = runJob(running, {
    onEvent: (event) => {
      events.push(event);
      if (event.kind === 'process') pid = event.pid;
      kill(event);
    },
  });
  await expect(ended).rejects.toEqual(killed);
  watcher.close();
  return events;
}

const lastStep = (events: readonly JobEvent[]): number =>
  events.reduce((last, event) => (event.kind === 'step' ? event.step : last), 0);

test('killed at any moment, also while a checkpoint is written, it ends with the same model', async () => {
  const running = withCheckpoints('killed');
  const published = async (): Promise<number> =>
    (await listCheckpoints(store, 'killed'))[0]?.step ?? 0;

  // In the middle of training, after checkpoints 3 and 6.
  const first = await runAndKill(
    running,
    ({ event }) => event?.kind === 'step' && event.step === 7,
  );
  expect(lastStep(first)).toBe(7);
  const afterFirst = await published();
  expect([3, 6]).toContain(afterFirst);

  // While a checkpoint is being stored, of step 9 or of what follows.
  const second = await runAndKill(running, ({ event, step }) => event === undefined && step >= 9);
  expect(second).toContainEqual({ kind: 'started', resumedFromStep: afterFirst, totalSteps: 21 });
  const afterSecond = await published();
  expect(afterSecond).toBeGreaterThan(afterFirst);
  expect(afterSecond).toBeLessThan(21);

  // While it starts, before its first step.
  await runAndKill(running, ({ event }) => event?.kind === 'started');

  // In the last evaluation or later: there is no checkpoint of the last step.
  const fourth = await runAndKill(
    running,
    ({ event }) => event?.kind === 'step' && event.step === 21,
  );
  expect(fourth).toContainEqual({ kind: 'started', resumedFromStep: afterSecond, totalSteps: 21 });

  const result = await runJob(running);
  expect(result.resumedFromStep).toBeGreaterThanOrEqual(15);
  expect(await modelDigests(result)).toEqual(expected);
  expect(withoutSpeed(result)).toEqual(withoutSpeed(whole));
});

test('an aborted training takes a checkpoint, and ends with the reason', async () => {
  const running = withCheckpoints('aborted', 1000);
  const controller = new AbortController();
  const reason = new Failure('ShuttingDown', 'the worker is shutting down');
  const events: JobEvent[] = [];
  const ended = runJob(running, {
    signal: controller.signal,
    onEvent: (event) => {
      events.push(event);
      if (event.kind === 'step' && event.step === 4) controller.abort(reason);
    },
  });
  await expect(ended).rejects.toBe(reason);
  const [newest] = await listCheckpoints(store, 'aborted');
  expect(newest?.step).toBe(lastStep(events));
  expect(lastStep(events)).toBeGreaterThanOrEqual(4);
  expect(lastStep(events)).toBeLessThan(7);
  await expect(runJob(running, { signal: controller.signal })).rejects.toBe(reason);
  expect(await modelDigests(await runJob(running))).toEqual(expected);
});

test('a training process ends when its parent is killed', async () => {
  const file = join(folder, 'job.json');
  await writeFile(file, JSON.stringify(withCheckpoints('orphan')));
  const script = fileURLToPath(new URL('./orphan-parent.ts', import.meta.url));
  const parent = new TestProcess(process.execPath, ['--import', 'tsx', script, file]);
  const pid = Number((await parent.untilPrinted(/process (\d+)/))[1]);
  await parent.untilPrinted(/step 2/);
  process.kill(parent.pid, 'SIGKILL');
  const isAlive = (): boolean => {
    try {
      return process.kill(pid, 0);
    } catch {
      return false;
    }
  };
  // There is no event for the end of a process that is not our child.
  while (isAlive()) await delay(20);
  const newest = (await listCheckpoints(store, 'orphan'))[0]?.step ?? 0;
  expect(newest).toBeLessThan(21);
});

test('evaluate gives the numbers of the last evaluation of the training', async () => {
  const { 'config.json': config, 'model.safetensors': weights } = whole.modelFiles;
  const evaluation: EvaluateJob = {
    kind: 'evaluate',
    modelFiles: { 'config.json': config ?? '', 'model.safetensors': weights ?? '' },
    file: job.evalFile ?? '',
    padTokenId: 0,
    threads: 1,
  };
  const answers = await runJob(evaluation);
  if (answers.task === 'causal-lm') throw new Error('a classifier answered as a language model');
  const answer = answers.logits;
  const { labels } = await readTokenizedSplit(evaluation.file);
  const hits = predictedClasses(answer).filter((predicted, row) => predicted === labels?.[row]);
  expect(meanCrossEntropy(answer, labels ?? [])).toBe(whole.metrics['eval_loss']);
  expect(hits.length / 10).toBe(whole.metrics['eval_accuracy']);
});

test("a job's failure comes back with its type and message", async () => {
  await expect(runJob({ ...job, modelFiles: {} })).rejects.toMatchObject({
    name: 'Failure',
    type: 'NotFound',
    message:
      'the model has no config.json: found no files at all; expected a Hugging Face directory with config.json, model.safetensors and tokenizer.json',
  });
});

test('a watcher that throws ends the process, and its error is the answer', async () => {
  const error = new Error('the watcher broke');
  const onEvent = (event: JobEvent): void => {
    if (event.kind === 'step') throw error;
  };
  await expect(runJob(job, { onEvent })).rejects.toBe(error);
});

/** As V8 ends: the reason comes first, then a stack longer than what a failure quotes. */
const HEAP_EXHAUSTED = [
  '<--- Last few GCs --->',
  'FATAL ERROR: NewSpace::Rebalance Allocation failed - JavaScript heap out of memory',
  '----- Native stack trace -----',
  ...Array.from({ length: 60 }, (_, i) => ` ${i}: 0x110d356 v8::internal::Heap [/usr/bin/node]`),
].join('\n');

test.each([
  {
    end: [null, 'SIGSEGV', ''] as const,
    type: 'Internal',
    message: 'internal: the training process was killed by SIGSEGV',
  },
  {
    end: [null, 'SIGABRT', 'terminate called: what(): std::bad_alloc'] as const,
    type: 'OutOfMemory',
    message:
      'the training process was killed by SIGABRT, as the system does when memory runs out; lower per_device_train_batch_size or max_length, or use a worker with more memory; its last words: terminate called: what(): std::bad_alloc',
  },
  {
    end: [null, 'SIGABRT', HEAP_EXHAUSTED] as const,
    type: 'OutOfMemory',
    message:
      'the training process was killed by SIGABRT, as the system does when memory runs out; lower per_device_train_batch_size or max_length, or use a worker with more memory; its last words: FATAL ERROR: NewSpace::Rebalance Allocation failed - JavaScript heap out of memory',
  },
  {
    end: [9, null, 'Error: no such option'] as const,
    type: 'Internal',
    message:
      'internal: the training process ended with code 9; its last words: Error: no such option',
  },
])('an end without a word is explained: $message', ({ end, type, message }) => {
  const [code, signal, lastWords] = end;
  expect(unexpectedEnd(code, signal, lastWords)).toMatchObject({ type, message });
});
