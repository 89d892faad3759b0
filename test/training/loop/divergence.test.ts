import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openStore } from '../../../store/open.ts';
import { listCheckpoints } from '../../../training/checkpoints/checkpoint-store.ts';
import {
  DEFAULT_DIVERGENCE,
  hasDiverged,
  isDoubtful,
  lossLimit,
  lossScale,
  nextLevel,
  START_LEVEL,
  type LossScale,
} from '../../../training/divergence.ts';
import { MersenneTwister } from '../../../training/random/mersenne-twister.ts';
import { train } from '../../../training/train.ts';
import type { TrainingEvent } from '../../../training/training-event.ts';
import { smallTraining, temporaryFolder } from './small-training.ts';

const THREE_CLASSES: LossScale = { guess: Math.log(3), least: 1 };

/** The step at which the rule ends a training with these losses; undefined if it does not. */
function endOf(
  losses: Iterable<number>,
  rule = DEFAULT_DIVERGENCE,
  scale = THREE_CLASSES,
): number | undefined {
  let level = START_LEVEL;
  let step = 0;
  for (const loss of losses) {
    step += 1;
    const limit = lossLimit(level, rule, scale);
    level = nextLevel(level, { step, loss, limit }, rule);
    if (hasDiverged(level, rule)) return step;
  }
  return undefined;
}

/** Uniform in [0, 1). */
const uniform = (random: MersenneTwister): number => random.next() / 2 ** 32;

function* lossesOf(steps: number, lossAt: (step: number) => number): Iterable<number> {
  for (let step = 0; step < steps; step++) yield lossAt(step);
}

const random = new MersenneTwister(1);

test.each([
  {
    what: 'three in ten answers are wrong and sure',
    lossAt: () => (uniform(random) < 0.3 ? 4 + 2 * uniform(random) : 0.05),
  },
  {
    what: 'half of a thousand classes are never right',
    scale: { guess: Math.log(1000), least: 1 },
    lossAt: () => (uniform(random) < 0.5 ? 5 + 2 * uniform(random) : 0.2),
  },
  {
    what: 'all is learned by heart, and one in fifty rows is new',
    lossAt: (step: number) => (step > 500 && uniform(random) > 0.02 ? 1e-3 : 2.5),
  },
  {
    what: 'a regression of numbers in the hundreds',
    scale: { guess: 15_000, least: 15_000 },
    lossAt: () => (300 * (uniform(random) - uniform(random))) ** 2,
  },
  {
    what: 'a model of another task is sure of the wrong answers at first',
    lossAt: (step: number) => 8 * Math.exp(-step / 2000) + uniform(random),
  },
  { what: 'the loss falls as it should', lossAt: (step: number) => 3.5 * Math.exp(-step / 5000) },
])('100,000 steps of batch 1 do not end: $what', ({ lossAt, scale }) => {
  const losses = lossesOf(100_000, lossAt);
  expect(endOf(losses, DEFAULT_DIVERGENCE, scale)).toBeUndefined();
});

const LANGUAGE: LossScale = { guess: Math.log(50_257), least: 1 };

test.each([
  { what: 'a classifier', before: 0.7, after: 2.1, scale: THREE_CLASSES },
  {
    what: 'a language model that falls back to frequent words',
    ...{ before: 3.4, after: 7.5, scale: LANGUAGE },
  },
])('$what whose loss has blown up ends 20 steps later', ({ before, after, scale }) => {
  const losses = lossesOf(500, (step) => (step < 300 ? before : after));
  expect(endOf(losses, DEFAULT_DIVERGENCE, scale)).toBe(320);
});

test.each([
  { what: 'a classifier', scale: THREE_CLASSES },
  { what: 'a language model', scale: LANGUAGE },
])('$what that blows up with its first update ends, also as losses come down', ({ scale }) => {
  const losses = lossesOf(500, (step) => (step === 0 ? 1 : 1e7 * Math.exp(-step / 30)));
  expect(endOf(losses, DEFAULT_DIVERGENCE, scale)).toBe(21);
});

test('lower losses between start the count anew', () => {
  const rule = { factor: 2, patience: 3 };
  expect(endOf([9, 9, 9, 1, 1, 1], rule)).toBeUndefined();
  expect(endOf([1, 1, 1, 9, 9, 1, 9, 9, 9], rule)).toBe(9);
  expect(endOf([0.1, 0.1, 0.1, 1.9, 1.9, 1.9, 1.9], rule)).toBeUndefined();
});

test.each([
  { problemType: 'single_label_classification', expected: { guess: Math.log(8), least: 1 } },
  { problemType: 'multi_label_classification', expected: { guess: 1, least: 1 } },
  { problemType: 'regression', expected: { guess: 12.5, least: 12.5 } },
] as const)('the scale of a $problemType', ({ problemType, expected }) => {
  const model = { task: 'text-classification', problemType, classes: 8, vocabulary: 100 } as const;
  expect(lossScale(model, { values: Float32Array.of(3, -4) })).toEqual(expected);
  const language = { ...model, task: 'causal-lm' } as const;
  expect(lossScale(language, { values: null })).toEqual({ guess: Math.log(100), least: 1 });
});

test('losses are in doubt once more than half of the patience is gone', () => {
  const rule = { factor: 2, patience: 4 };
  const level = { average: 0, lowest: 1, stepsAbove: 2 };
  expect([2, 3].map((stepsAbove) => isDoubtful({ ...level, stepsAbove }, rule))).toEqual([
    false,
    true,
  ]);
});

let folder = '';
beforeAll(async () => {
  folder = await temporaryFolder();
});
afterAll(() => rm(folder, { recursive: true }));

test('a learning rate far too high ends the training for good, keeping a checkpoint from before', async () => {
  const store = await openStore(`file:${join(folder, 'store')}`);
  const args = { learning_rate: 1e3, lr_scheduler_type: 'constant', warmup_steps: 0 } as const;
  const input = await smallTraining(folder, { ...args, max_steps: 21 });
  const events: TrainingEvent[] = [];
  const attempt = (): Promise<unknown> =>
    train({
      ...input,
      divergence: { factor: 2, patience: 6 },
      checkpoints: {
        store,
        key: 'diverges',
        everySeconds: 1e3,
        everySteps: 1,
      },
      onEvent: (event) => events.push(event),
    });
  const failure = {
    type: 'Diverged',
    message: expect.stringMatching(
      /^the loss is \d\.\d+e\+\d+ at optimizer step 7, on the rows row-1-20, row-1-9, and has been above 10\.99 for 6 optimizer steps, with learning_rate 1000; lower learning_rate or add warmup_steps; if such losses are right for this data, raise divergence\.factor or set divergence: off$/,
    ) as string,
  };
  await expect(attempt()).rejects.toMatchObject(failure);
  // In doubt from the fourth loss above on: the newest was taken before.
  const kept = await listCheckpoints(store, 'diverges');
  expect(kept.map(({ step }) => step)).toEqual([4, 3]);
  events.length = 0;
  await expect(attempt()).rejects.toMatchObject(failure);
  expect(events.filter(({ kind }) => kind === 'checkpoint')).toEqual([]);
  expect(await listCheckpoints(store, 'diverges')).toEqual(kept);
});

test('without the rule a finite loss ends nothing', async () => {
  const args = { learning_rate: 10, lr_scheduler_type: 'constant', warmup_steps: 0 } as const;
  const input = await smallTraining(folder, { ...args, max_steps: 10 });
  expect((await train(input)).steps).toBe(10);
});
