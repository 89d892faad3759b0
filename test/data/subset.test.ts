import { expect } from 'vitest';
import { readSplit, writeDataset } from '../../data/dataset.ts';
import { permutation } from '../../data/shuffle.ts';
import { subsetDataset } from '../../data/subset.ts';
import type { SubsetSelection } from '../../data/subset.ts';
import { storeTest } from './temporary-store.ts';

const LABELS = ['no', 'yes'];
const SHAPE = { content: 'text', labelKind: 'class', labels: LABELS } as const;
const ROWS = Array.from({ length: 2_500 }, (_, index) => ({
  id: String(index),
  text: `text ${index}`,
  label: index % 2,
}));

const SELECTIONS: readonly (readonly [string, SubsetSelection, readonly number[]])[] = [
  ['the first rows', { take: 3 }, [0, 1, 2]],
  ['the rows after skip', { skip: 2_497 }, [2_497, 2_498, 2_499]],
  ['shuffled rows', { shuffleSeed: 42, take: 1_500 }, [...permutation(2_500, 42).slice(0, 1_500)]],
  [
    'the next rows of the same shuffle',
    { shuffleSeed: 42, skip: 1_500, take: 200 },
    [...permutation(2_500, 42).slice(1_500, 1_700)],
  ],
  ['every row', {}, ROWS.map((_, index) => index)],
];

storeTest.for(SELECTIONS)('takes %s', async ([, selection, expected], { store, folder }) => {
  const options = { directory: folder };
  const all = await writeDataset(store, { test: [ROWS] }, SHAPE, options);
  const { dataset, rows } = await subsetDataset(store, all, selection, options);
  const split = await readSplit(store, dataset);

  expect([...split.rows()]).toEqual(expected.map((index) => ROWS[index]));
  expect({ rows, name: split.name, labels: split.shape.labels }).toEqual({
    rows: expected.length,
    name: 'test',
    labels: LABELS,
  });
});

const REFUSED: readonly (readonly [SubsetSelection, string])[] = [
  [
    { take: 2_501 },
    'the split "test" has 2500 rows, but the subset takes 2501 rows: lower take to 2500 or less',
  ],
  [
    { skip: 2_000, take: 501 },
    'the split "test" has 2500 rows, but the subset takes 501 rows after the first 2000: ' +
      'lower take to 500 or less',
  ],
  [
    { skip: 2_500 },
    'the split "test" has 2500 rows, but the subset takes 1 row after the first 2500: ' +
      'lower skip below 2500',
  ],
  [{ take: 0 }, 'take: 0 is not a number of rows: expected an integer of 1 or more'],
  [{ skip: -1 }, 'skip: -1 is not a number of rows: expected an integer of 0 or more'],
  [{ take: 1.5 }, 'take: 1.5 is not a number of rows: expected an integer of 1 or more'],
  [{ split: 'train' }, 'the dataset has no split "train", only "test"'],
];

storeTest.for(REFUSED)('refuses %o', async ([selection, message], { store, folder }) => {
  const options = { directory: folder };
  const all = await writeDataset(store, { test: [ROWS] }, SHAPE, options);

  await expect(subsetDataset(store, all, selection, options)).rejects.toMatchObject({
    type: 'InvalidInput',
    message,
  });
});
