import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import type { TokenizedRows } from '../../../data/tokenized-dataset.ts';
import { trainingArgumentsSchema } from '../../../training/arguments.ts';
import { dataOrder } from '../../../training/random/data-order.ts';
import { mixRows, replayOrder } from '../../../training/replay.ts';
import { RowOrder } from '../../../training/row-order.ts';
import { smallRows } from './small-training.ts';

interface Reference {
  readonly lengths: readonly number[];
  readonly batch: number;
  readonly seed: number;
  readonly epochs: readonly (readonly number[])[];
}

// Of transformers' LengthGroupedSampler: make-length-groups-reference.py.
const file = new URL('../../fixtures/length-groups.json', import.meta.url);
const references = JSON.parse(readFileSync(file, 'utf8')) as readonly Reference[];

/** Rows of these lengths, with nothing in them. */
function rowsOf(lengths: readonly number[]): TokenizedRows {
  const offsets = [0];
  for (const length of lengths) offsets.push((offsets.at(-1) ?? 0) + length);
  return {
    ids: lengths.map((_, row) => `row-${row}`),
    inputIds: new Int32Array(offsets.at(-1) ?? 0),
    offsets: Int32Array.from(offsets),
    ...{ labels: null, values: null, valuesPerRow: 0, completionMask: null },
  };
}

test.each(references.map((reference) => [reference.lengths.length, reference] as const))(
  "group_by_length: %i rows are in the order of transformers' sampler",
  (_, { lengths, batch, seed, epochs }) => {
    const args = trainingArgumentsSchema.parse({
      ...{ train_sampling_strategy: 'group_by_length', seed: 1, data_seed: seed },
      per_device_train_batch_size: batch,
    });
    const order = new RowOrder(mixRows(rowsOf(lengths), undefined), args);
    for (const [epoch, expected] of epochs.entries()) {
      expect([...order.of(epoch)]).toEqual(expected);
    }
  },
);

test('group_by_length: a slice is an effective batch, accumulation included', () => {
  const [, , , reference] = references;
  const args = trainingArgumentsSchema.parse({
    ...{ group_by_length: true, seed: reference?.seed, per_device_train_batch_size: 1 },
    gradient_accumulation_steps: reference?.batch,
  });
  const order = new RowOrder(mixRows(rowsOf(reference?.lengths ?? []), undefined), args);
  expect([...order.of(0)]).toEqual(reference?.epochs[0]);
});

test('sequential: the rows as they are', () => {
  const args = trainingArgumentsSchema.parse({ train_sampling_strategy: 'sequential' });
  const order = new RowOrder(mixRows(smallRows(5, 1), undefined), args);
  expect([...order.of(0)]).toEqual([0, 1, 2, 3, 4]);
  expect([...order.of(3)]).toEqual([0, 1, 2, 3, 4]);
});

test('replay: an epoch visits all primary rows once, and the next of a shuffle of the others', () => {
  const mixed = mixRows(smallRows(12, 1), { rows: smallRows(7, 2), fraction: 0.25 });
  expect([mixed.primaryRows, mixed.replayedRows, mixed.rows.ids.length]).toEqual([12, 4, 19]);
  const order = new RowOrder(mixed, trainingArgumentsSchema.parse({ seed: 5 }));
  const replayed: number[] = [];
  for (let epoch = 0; epoch < 7; epoch++) {
    const rows = [...order.of(epoch)];
    const primary = rows.filter((row) => row < 12);
    expect(primary.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 12 }, (_, i) => i));
    expect(rows.map((row) => row >= 12)).not.toEqual(rows.map((_, i) => i >= 12));
    replayed.push(...rows.filter((row) => row >= 12).map((row) => row - 12));
  }
  // Seven epochs of four: each of seven rows four times.
  expect(replayed.toSorted((a, b) => a - b)).toEqual(
    Array.from({ length: 28 }, (_, i) => Math.floor(i / 4)),
  );
  const again = new RowOrder(mixed, trainingArgumentsSchema.parse({ seed: 5 }));
  expect([...again.of(3)]).toEqual([...order.of(3)]);
});

test('replay: primary rows keep the order among them that they have by place', () => {
  const mixed = mixRows(smallRows(6, 1), { rows: smallRows(9, 2), fraction: 0.5 });
  const order = new RowOrder(mixed, trainingArgumentsSchema.parse({ seed: 3 }));
  const places = dataOrder({ rows: 12, seed: 3, epoch: 2 });
  const others = replayOrder(9, 6, 3, 2);
  expect([...order.of(2)]).toEqual(
    Array.from(places, (place) => (place < 6 ? place : 6 + (others[place - 6] ?? NaN))),
  );
});

test('replay: sequential rows have the others at even distances', () => {
  const mixed = mixRows(smallRows(6, 1), { rows: smallRows(3, 2), fraction: 1 / 3 });
  const args = trainingArgumentsSchema.parse({ train_sampling_strategy: 'sequential' });
  const isReplayed = Array.from(new RowOrder(mixed, args).of(0), (row) => row >= 6);
  expect(isReplayed).toEqual([false, false, true, false, false, true, false, false, true]);
});

test('replay: rows keep their tokens and labels, and ids of their own', () => {
  const [primary, other] = [smallRows(4, 1), smallRows(3, 2)];
  const { rows } = mixRows(primary, { rows: other, fraction: 0.5 });
  expect(rows.ids).toEqual([...primary.ids, 'replay/row-2-0', 'replay/row-2-1', 'replay/row-2-2']);
  const tokens = (of: TokenizedRows, row: number): number[] => [
    ...of.inputIds.subarray(of.offsets[row], of.offsets[row + 1]),
  ];
  expect([0, 1, 2, 3].map((row) => tokens(rows, row))).toEqual(
    [0, 1, 2, 3].map((row) => tokens(primary, row)),
  );
  expect([4, 5, 6].map((row) => tokens(rows, row))).toEqual(
    [0, 1, 2].map((row) => tokens(other, row)),
  );
  expect([...(rows.labels ?? [])]).toEqual([...(primary.labels ?? []), ...(other.labels ?? [])]);
});

test.each([
  {
    what: 'no rows',
    replay: { rows: smallRows(0, 1), fraction: 0.5 },
    message: 'replay.dataset has no rows; expected at least 1',
  },
  {
    what: 'less than half a row',
    replay: { rows: smallRows(3, 1), fraction: 0.1 },
    message: 'replay.fraction is 0.1, less than half a row in an epoch of 4; give a larger one',
  },
  {
    what: 'other targets',
    replay: { rows: { ...smallRows(3, 1), labels: null }, fraction: 0.5 },
    message:
      'one of train_dataset and replay.dataset has labels and the other has not; make both by download-dataset and tokenize steps with the same columns',
  },
  {
    what: 'completions in one',
    replay: { rows: { ...smallRows(3, 1), completionMask: new Uint8Array(90) }, fraction: 0.5 },
    message:
      'one of train_dataset and replay.dataset has completions and the other has not; make both by download-dataset and tokenize steps with the same columns',
  },
])('replay: refuses $what', ({ replay, message }) => {
  expect(() => mixRows(smallRows(4, 1), replay)).toThrow(
    expect.objectContaining({ type: 'InvalidInput', message }),
  );
});
