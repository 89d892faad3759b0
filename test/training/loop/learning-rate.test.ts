import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import {
  trainingArgumentsSchema,
  type TrainingArgumentsInput,
} from '../../../training/arguments.ts';
import { BUILT_ARGUMENTS } from '../../../training/arguments/built.ts';
import { learningRateAt } from '../../../training/learning-rate.ts';
import { planSchedule } from '../../../training/schedule.ts';

interface Reference {
  readonly args: TrainingArgumentsInput;
  readonly rates: readonly number[];
}

// Of transformers' own get_scheduler: make-learning-rate-reference.py.
const file = new URL('../../fixtures/learning-rates.json', import.meta.url);
const references = JSON.parse(readFileSync(file, 'utf8')) as readonly Reference[];

const described = ({ args }: Reference): string => {
  const { lr_scheduler_type: type, warmup_steps: warmup = 0, lr_scheduler_kwargs: options } = args;
  return `${type}, warm-up ${warmup}, ${JSON.stringify(options ?? {})}`;
};

test.each(references.map((reference) => [described(reference), reference] as const))(
  "%s: each step has transformers' learning rate",
  (_, { args, rates }) => {
    const parsed = trainingArgumentsSchema.parse(args);
    const schedule = planSchedule(parsed, 1000);
    const found = rates.map((_rate, step) => learningRateAt(schedule, step, parsed));
    for (const [step, rate] of rates.entries()) {
      // A cosine of another library may differ in its last bit.
      expect(Math.abs((found[step] ?? NaN) - rate)).toBeLessThanOrEqual(1e-15 * rate + 1e-19);
    }
  },
);

test('every schedule that is built has a reference', () => {
  const types = BUILT_ARGUMENTS.lr_scheduler_type.unwrap().options;
  expect(new Set(references.map(({ args }) => args.lr_scheduler_type))).toEqual(new Set(types));
});
