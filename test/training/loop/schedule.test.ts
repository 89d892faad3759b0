import { expect, test } from 'vitest';
import {
  trainingArgumentsSchema,
  type TrainingArgumentsInput,
} from '../../../training/arguments.ts';
import { epochAfter, isEpochEnd, planSchedule, stepData } from '../../../training/schedule.ts';

const plan = (args: TrainingArgumentsInput, rows: number) =>
  planSchedule(trainingArgumentsSchema.parse(args), rows);

// Expected numbers: Trainer.set_initial_training_values and get_warmup_steps of transformers 5.23.
test.each([
  { args: {}, rows: 1000, stepsPerEpoch: 125, totalSteps: 375, warmupSteps: 0 },
  {
    args: { per_device_train_batch_size: 1, gradient_accumulation_steps: 4 },
    rows: 1000,
    stepsPerEpoch: 250,
    totalSteps: 750,
    warmupSteps: 0,
  },
  {
    args: { per_device_train_batch_size: 2, gradient_accumulation_steps: 4, warmup_steps: 0.1 },
    rows: 25,
    stepsPerEpoch: 4,
    totalSteps: 12,
    warmupSteps: 2,
  },
  {
    args: { num_train_epochs: 0.5, warmup_steps: 7 },
    rows: 17,
    stepsPerEpoch: 3,
    totalSteps: 2,
    warmupSteps: 7,
  },
  {
    args: { max_steps: 25, warmup_ratio: 0.06 },
    rows: 9,
    stepsPerEpoch: 2,
    totalSteps: 25,
    warmupSteps: 2,
  },
])('plans $rows rows with $args', ({ args, rows, ...expected }) => {
  expect(plan(args, rows)).toMatchObject(expected);
});

test("an epoch's last step is shorter, and nothing carries over", () => {
  const schedule = plan({ per_device_train_batch_size: 3, gradient_accumulation_steps: 2 }, 13);
  const steps = [0, 1, 2, 3].map((step) => stepData(schedule, step));
  expect(steps).toEqual([
    { epoch: 0, start: 0, end: 6 },
    { epoch: 0, start: 6, end: 12 },
    { epoch: 0, start: 12, end: 13 },
    { epoch: 1, start: 0, end: 6 },
  ]);
  expect([1, 2, 3, 4].map((done) => epochAfter(schedule, done))).toEqual([0.4, 0.8, 1, 1.4]);
});

test('an epoch ends with its last step, and with the training', () => {
  const schedule = plan({ max_steps: 5 }, 16);
  expect([0, 1, 2, 3, 4, 5].filter((step) => isEpochEnd(schedule, step))).toEqual([2, 4, 5]);
});
