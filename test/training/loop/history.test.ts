import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { TrainingArgumentsInput } from '../../../training/arguments.ts';
import { train, type TrainResult } from '../../../training/train.ts';
import { isEvaluation } from '../../../training/training-progress.ts';
import { smallTraining, temporaryFolder } from './small-training.ts';

let folder = '';
beforeAll(async () => {
  folder = await temporaryFolder();
});
afterAll(() => rm(folder, { recursive: true }));

const trained = async (args: TrainingArgumentsInput): Promise<TrainResult> =>
  train(await smallTraining(join(folder, 'training'), args));

const kindsOf = ({ history }: TrainResult): unknown[] =>
  history.map((row) => [row.step, isEvaluation(row) ? 'eval_loss' : 'loss']);

test.each([
  {
    args: { logging_strategy: 'epoch', eval_on_start: true, num_train_epochs: 2 },
    rows: [
      [0, 'eval_loss'],
      [7, 'loss'],
      [7, 'eval_loss'],
      [14, 'loss'],
      [14, 'eval_loss'],
    ],
  },
  {
    args: { logging_strategy: 'no', logging_first_step: true, eval_strategy: 'no', max_steps: 3 },
    rows: [[1, 'loss']],
  },
  {
    args: { logging_steps: 0.5, eval_strategy: 'steps', eval_steps: 3, max_steps: 5 },
    rows: [
      [3, 'loss'],
      [3, 'eval_loss'],
      [5, 'loss'],
      [5, 'eval_loss'],
    ],
  },
] as const)('$args: $rows', async ({ args, rows }) => {
  expect(kindsOf(await trained(args))).toEqual(rows);
});

test('losses are means since the row before, also when rows are few', async () => {
  const each = await trained({ logging_steps: 1, max_steps: 6, eval_strategy: 'no' });
  const losses = each.history.map((row) => Number(row['loss' as keyof typeof row]));
  const few = await trained({ logging_steps: 3, max_steps: 6, eval_strategy: 'no' });
  const mean = (values: readonly number[]): number =>
    values.reduce((sum, value) => sum + value, 0) / values.length;
  expect(few.history.map((row) => Number(row['loss' as keyof typeof row]))).toEqual([
    mean(losses.slice(0, 3)),
    mean(losses.slice(3)),
  ]);
  expect(few.metrics['train_loss']).toBe(mean(losses));
});

test('tokens are counted with padding and without', async () => {
  const args = { logging_steps: 7, num_train_epochs: 1, eval_strategy: 'no' } as const;
  const seen = async (which: 'all' | 'non_padding'): Promise<number> => {
    const { history } = await trained({ ...args, include_num_input_tokens_seen: which });
    const [row] = history;
    return row !== undefined && !isEvaluation(row) ? (row.num_input_tokens_seen ?? NaN) : NaN;
  };
  const { metrics, history } = await trained(args);
  expect(history.some((row) => 'num_input_tokens_seen' in row)).toBe(false);
  const { trainRows } = await smallTraining(join(folder, 'training'), args);
  const [all, real] = [await seen('all'), await seen('non_padding')];
  expect(real).toBe(trainRows.inputIds.length);
  expect(metrics['padding_fraction']).toBe((all - real) / all);
});
