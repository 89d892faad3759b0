import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openStore } from '../../../store/open.ts';
import type { Store } from '../../../store/store.ts';
import type { TrainingArgumentsInput } from '../../../training/arguments.ts';
import { MersenneTwister } from '../../../training/random/mersenne-twister.ts';
import { train, type TrainInput, type TrainResult } from '../../../training/train.ts';
import { isEvaluation } from '../../../training/training-progress.ts';
import {
  modelDigests,
  smallRows,
  smallTraining,
  temporaryFolder,
  withoutSpeed,
} from './small-training.ts';

let folder = '';
let store: Store;
beforeAll(async () => {
  folder = await temporaryFolder();
  store = await openStore(`file:${join(folder, 'store')}`);
});
afterAll(() => rm(folder, { recursive: true }));

const NO_PATIENCE = { patience: 2, threshold: 0 };
const BEST: TrainingArgumentsInput = {
  ...{ load_best_model_at_end: true, eval_strategy: 'steps', eval_steps: 2 },
  ...{ learning_rate: 3e-2, weight_decay: 0 },
};

interface Case {
  readonly what: string;
  readonly args: TrainingArgumentsInput;
  readonly change?: Partial<TrainInput>;
}

const CASES: readonly Case[] = [
  { what: 'the best of evaluations by steps', args: BEST },
  {
    what: 'the best by accuracy, where only some are saved',
    args: { ...BEST, metric_for_best_model: 'accuracy', save_steps: 4 },
  },
  {
    what: 'early stopping, with the best',
    args: { ...BEST, save_strategy: 'best' },
    change: { earlyStopping: NO_PATIENCE },
  },
  {
    what: 'early stopping, with the last',
    args: { eval_strategy: 'steps', eval_steps: 2, learning_rate: 3e-2, save_strategy: 'no' },
    change: { earlyStopping: NO_PATIENCE },
  },
  {
    what: 'rows by length, without the last batch, with replay',
    args: {
      ...{ train_sampling_strategy: 'group_by_length', dataloader_drop_last: true },
      ...{ per_device_train_batch_size: 3, logging_strategy: 'epoch', eval_on_start: true },
    },
    change: { replay: { rows: smallRows(9, 5), fraction: 0.2 } },
  },
  {
    what: 'sgd with momentum and smoothed labels',
    args: {
      optim: 'sgd',
      optim_args: 'momentum=0.9',
      label_smoothing_factor: 0.1,
      logging_steps: 1,
    },
  },
  {
    what: 'adafactor with the guard on',
    args: { optim: 'adafactor', include_num_input_tokens_seen: true },
    change: { divergence: { factor: 3, patience: 4 } },
  },
];

class Killed extends Error {}

/** Trains, dying after random steps until it ends; whatever was not published is lost. */
async function interrupted(input: TrainInput, key: string, seed: number): Promise<TrainResult> {
  const random = new MersenneTwister(seed);
  for (;;) {
    let stepsLeft = 2 + (random.next() % 9);
    const attempt = train({
      ...input,
      threads: 1 + (random.next() % 2),
      checkpoints: { store, key, everySeconds: 1000, everySteps: 1 + (random.next() % 3) },
      onEvent: ({ kind }) => {
        if (kind === 'step' && --stepsLeft < 0) throw new Killed();
      },
    });
    try {
      return await attempt;
    } catch (error) {
      if (!(error instanceof Killed)) throw error;
    }
  }
}

test.each(CASES.map((each, index) => ({ ...each, index })))(
  'the same bytes however often it is killed: $what',
  async ({ what, index, args, change }) => {
    const input = { ...(await smallTraining(join(folder, what), args)), ...change };
    const whole = await train(input);
    const digests = await modelDigests(whole);
    for (const seed of [1, 2]) {
      const result = await interrupted(input, `killed-${index}-${seed}`, seed);
      expect({ seed, digests: await modelDigests(result) }).toEqual({ seed, digests });
      expect(withoutSpeed(result)).toEqual(withoutSpeed(whole));
      expect([result.metrics, result.bestStep, result.steps, result.verdict]).toEqual([
        ...[whole.metrics, whole.bestStep, whole.steps, whole.verdict],
      ]);
    }
  },
);

/** A training to `steps`, without evaluations; its bytes are those of the longer one at that step. */
async function bytesAfter(steps: number, name: string): Promise<Buffer> {
  const args = { ...BEST, num_train_epochs: 3 };
  const input = await smallTraining(join(folder, `${name}-${steps}`), args);
  const { evalRows: _, ...rest } = input;
  const controller = new AbortController();
  const stopped = { ...input.args, load_best_model_at_end: false, eval_strategy: 'no' as const };
  const key = `${name}-${steps}`;
  const checkpoints = { store, key, everySeconds: 1000 };
  const onEvent = ({ kind, ...event }: { kind: string; step?: number }): void => {
    if (kind === 'step' && event.step === steps) controller.abort(new Killed());
  };
  const run = train({ ...rest, args: stopped, checkpoints, signal: controller.signal, onEvent });
  await expect(run).rejects.toBeInstanceOf(Killed);
  // The schedule knows 21 steps: from the checkpoint on, it ends at once.
  const ended = { ...stopped, max_steps: steps };
  const result = await train({ ...rest, args: ended, checkpoints });
  return readFile(result.modelFiles['model.safetensors'] ?? '');
}

test('the model at the end is that of the best evaluation, and so are its metrics', async () => {
  const input = await smallTraining(join(folder, 'best'), BEST);
  const result = await train(input);
  const evaluations = result.history.filter(isEvaluation);
  const [best] = evaluations.toSorted((a, b) => a.eval_loss - b.eval_loss);
  expect(result.bestStep).toBe(best?.step);
  expect(result.bestStep).toBeLessThan(result.steps);
  expect(result.metrics['eval_loss']).toBe(best?.eval_loss);
  const model = await readFile(result.modelFiles['model.safetensors'] ?? '');
  expect(model.equals(await bytesAfter(result.bestStep, 'best'))).toBe(true);
});

test('early stopping ends where evaluations have stopped getting better', async () => {
  const args = { eval_strategy: 'steps', eval_steps: 2, learning_rate: 3e-2 } as const;
  const input = await smallTraining(join(folder, 'early'), args);
  const { history, steps } = await train({ ...input, earlyStopping: NO_PATIENCE });
  expect(steps).toBeLessThan(21);
  const losses = history.filter(isEvaluation).map((row) => row.eval_loss);
  const best = Math.min(...losses);
  expect(losses.indexOf(best)).toBe(losses.length - 3);
});

test('a best without a checkpoint is said, and the model is the one before', async () => {
  const notes: string[] = [];
  const args = { ...BEST, greater_is_better: true, save_steps: 8, max_steps: 14 };
  const input = await smallTraining(join(folder, 'unsaved'), args);
  const { bestStep, metrics, history } = await train({
    ...input,
    onEvent: (event) => {
      if (event.kind === 'note') notes.push(event.message);
    },
  });
  expect(notes).toEqual([
    'the best evaluation was at step 6, where save_strategy took no checkpoint: the model is that of step 14',
  ]);
  expect(bestStep).toBe(6);
  expect(metrics['eval_loss']).toBe(history.findLast(isEvaluation)?.eval_loss);
});

test.each([
  {
    args: { metric_for_best_model: 'f1' },
    message:
      'metric_for_best_model is "f1", and evaluations have loss, accuracy; set it to one of these',
  },
  {
    args: { dataloader_drop_last: true, per_device_train_batch_size: 30 },
    message:
      'dataloader_drop_last leaves no batch of 30: train_dataset has 26 rows; lower per_device_train_batch_size, or remove it',
  },
])('refuses $args before it trains', async ({ args, message }) => {
  const input = await smallTraining(join(folder, 'refused'), args);
  const events: string[] = [];
  const run = train({ ...input, onEvent: ({ kind }) => events.push(kind) });
  await expect(run).rejects.toMatchObject({ type: 'InvalidInput', message });
  expect(events).not.toContain('step');
});
