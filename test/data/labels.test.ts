import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { LabelKind, RowLabel } from '../../data/dataset.ts';
import type { ReadOptions } from '../../data/read-dataset.ts';
import { file, fixture, readRows, testRefusals } from './reading.ts';
import { sharedTest, SHARED } from './shared-data.ts';
import { storeTest } from './temporary-store.ts';

interface Reading {
  readonly what: string;
  readonly name: string;
  readonly content: string;
  readonly options?: Partial<ReadOptions>;
  readonly kind: LabelKind;
  readonly names: readonly string[] | null;
  readonly labels: readonly RowLabel[];
}

const LABEL = { label: 'label' };
const COLUMNS = { label: ['toxic', 'insult', 'threat'] };
/** Rows of a text and the given JSON as their label. */
const jsonl = (...labels: readonly string[]): string =>
  labels.map((label) => `{"text": "x", "label": ${label}}\n`).join('');

const READINGS: readonly Reading[] = [
  {
    what: 'texts as classes',
    ...{ name: 'a.jsonl', content: jsonl('"b"', '"a"'), kind: 'class' },
    ...{ names: ['a', 'b'], labels: [1, 0] },
  },
  {
    what: 'integers as classes, also where they are written as floats',
    ...{ name: 'a.jsonl', content: jsonl('1', '0.0', '2e0'), kind: 'class' },
    ...{ names: ['0', '1', '2'], labels: [1, 0, 2] },
  },
  {
    what: 'integers of a file of texts as classes',
    ...{ name: 'a.csv', content: 'text,label\nx,1\ny,0\n', kind: 'class' },
    ...{ names: ['0', '1'], labels: [1, 0] },
  },
  {
    what: 'words beside integers of a file of texts as classes',
    ...{ name: 'a.csv', content: 'text,label\nx,1\ny,one\n', kind: 'class' },
    ...{ names: ['1', 'one'], labels: [0, 1] },
  },
  {
    what: 'decimal texts of a typed file as classes',
    ...{ name: 'a.jsonl', content: jsonl('"1.5"', '"2.0"'), kind: 'class' },
    ...{ names: ['1.5', '2.0'], labels: [0, 1] },
  },
  {
    what: 'numbers, of which one has a fraction',
    ...{ name: 'a.jsonl', content: jsonl('1', '-1', '0.25', '-3e-2'), kind: 'number' },
    ...{ names: null, labels: [[1], [-1], [0.25], [-0.03]] },
  },
  {
    what: 'numbers of a file of texts, of which one has a fraction',
    ...{ name: 'a.tsv', content: 'text\tlabel\nx\t-1\ny\t+.5\nz\t1e-3\n', kind: 'number' },
    ...{ names: null, labels: [[-1], [0.5], [0.001]] },
  },
  {
    what: 'integers as numbers, if asked for',
    ...{ name: 'a.csv', content: 'text,label\nx,1\ny,-1\n', kind: 'number' },
    ...{ options: { labelKind: 'number' }, names: null, labels: [[1], [-1]] },
  },
  {
    what: 'fractions as classes, if asked for',
    ...{ name: 'a.csv', content: 'text,label\nx,1.5\ny,n/a\n', kind: 'class' },
    ...{ options: { labelKind: 'class' }, names: ['1.5', 'n/a'], labels: [0, 1] },
  },
  {
    what: 'lists of names as classes, in any order, none and twice the same too',
    ...{ name: 'a.jsonl', content: jsonl('[]', '["c", "a"]', '["b", "b"]'), kind: 'classes' },
    ...{ names: ['a', 'b', 'c'], labels: [[], [0, 2], [1]] },
  },
  {
    what: 'lists of indices as classes',
    ...{ name: 'a.jsonl', content: jsonl('[2]', '[]', '[1, 0]'), kind: 'classes' },
    ...{ names: ['0', '1', '2'], labels: [[2], [], [0, 1]] },
  },
  {
    what: 'lists of names that are known',
    ...{ name: 'a.jsonl', content: jsonl('["c", 0]', '[]'), kind: 'classes' },
    ...{ options: { labels: ['b', 'c'] }, names: ['b', 'c'], labels: [[0, 1], []] },
  },
  {
    what: 'lists of numbers, of which one has a fraction',
    ...{ name: 'a.jsonl', content: jsonl('[1, 2]', '[0.5, -2]'), kind: 'number' },
    ...{
      names: null,
      labels: [
        [1, 2],
        [0.5, -2],
      ],
    },
  },
  {
    what: 'columns of 0 and 1 as classes',
    name: 'a.csv',
    content: 'insult,text,threat,toxic\n1,x,0,1\n0,y,0,0\nfalse,z,TRUE,0\n',
    ...{ options: COLUMNS, kind: 'classes', names: COLUMNS.label, labels: [[0, 1], [], [2]] },
  },
  {
    what: 'columns of true and false as classes',
    name: 'a.jsonl',
    content: '{"text": "x", "toxic": true, "insult": false, "threat": 1.0}\n',
    ...{ options: COLUMNS, kind: 'classes', names: COLUMNS.label, labels: [[0, 2]] },
  },
  {
    what: 'columns of which one has a fraction as numbers',
    name: 'a.csv',
    content: 'text,toxic,insult,threat\nx,0,1,0.5\ny,2,-1,0\n',
    ...{ options: COLUMNS, kind: 'number', names: null },
    labels: [
      [0, 1, 0.5],
      [2, -1, 0],
    ],
  },
];

storeTest.for(READINGS)('reads $what ($name)', async (reading, { folder }) => {
  const { name, content, options, kind, names, labels } = reading;
  const train = [await file(folder, name, content)];
  const { shape, splits } = await readRows({ train }, { ...LABEL, ...options });

  expect(shape).toEqual({ content: 'text', labelKind: kind, labels: names });
  expect(splits['train']?.map(({ label }) => label)).toEqual(labels);
});

const KINDS = ['kinds.parquet', 'kinds.arrow'];

test.each(KINDS)('reads lists of ClassLabels, of names and of numbers (%s)', async (name) => {
  const train = [fixture(name)];
  const of = async (label: string): Promise<unknown> => {
    const { shape, splits } = await readRows({ train }, { label });
    return [shape.labelKind, shape.labels, splits['train']?.map((row) => row.label)];
  };
  expect(await of('tags')).toEqual(['classes', ['no', 'maybe', 'yes'], [[0, 2], [], [1]]]);
  expect(await of('names')).toEqual(['classes', ['y', '\uFEFFx'], [[0, 1], [0], []]]);
});

test.each(KINDS)('refuses numbers that are none, or too large (%s)', async (name) => {
  const train = [fixture(name)];
  await expect(readRows({ train }, { label: 'rating' })).rejects.toMatchObject({
    type: 'InvalidInput',
    message: `file:${name}: row 3: "rating" is NaN (a number), no number to predict: expected a number; fill it in or remove the row`,
  });
  await expect(readRows({ train }, { label: 'scores' })).rejects.toMatchObject({
    type: 'InvalidInput',
    message: `file:${name}: row 3: "scores" is 1e+300 (a number), no number to predict: expected a number that single precision holds, at most 3.4e38`,
  });
});

storeTest('reads the same kind in every split, by all of its files', async ({ folder }) => {
  const train = [await file(folder, 'train.jsonl', jsonl('1', '2'))];
  const test = [await file(folder, 'test.jsonl', jsonl('1.5'))];
  const { shape, splits } = await readRows({ train, test }, LABEL);

  expect(shape).toEqual({ content: 'text', labelKind: 'number', labels: null });
  expect(splits['train']?.map(({ label }) => label)).toEqual([[1], [2]]);
  expect(splits['test']?.map(({ label }) => label)).toEqual([[1.5]]);
});

const RATINGS = 'data/vader-tweets.tsv';

sharedTest(RATINGS)('reads the ratings of real tweets as numbers', async () => {
  const train = [{ path: join(SHARED, RATINGS), display: RATINGS }];
  const { shape, splits } = await readRows({ train }, { label: 'rating', id: 'id' });
  const ratings = splits['train']!.map(({ label }) => (label as readonly number[])[0]!);

  expect(shape).toEqual({ content: 'text', labelKind: 'number', labels: null });
  expect(ratings.length).toBe(4_200);
  expect(ratings.slice(0, 2)).toEqual([2.726315789, 1.443298969]);
  expect([Math.min(...ratings) >= -4, Math.max(...ratings) <= 4]).toEqual([true, true]);
});

testRefusals({
  'fractions beside words in a file of texts': {
    name: 'a.csv',
    content: 'text,label\nx,1.5\ny,n/a\n',
    options: LABEL,
    message:
      'file:a.csv: row 2: "label" is "n/a" (text), but row 1 holds the number 1.5: correct it, or set ' +
      'label_kind: number or class',
  },
  'a word that should be a number': {
    name: 'a.csv',
    content: 'text,label\nx,1.5\ny,n/a\n',
    options: { ...LABEL, labelKind: 'number' },
    message:
      'file:a.csv: row 2: "label" is "n/a" (text), no number to predict: expected a number; fill it in or ' +
      'remove the row',
  },
  'a missing number': {
    name: 'a.csv',
    content: 'text,label\nx,1.5\ny,\n',
    options: LABEL,
    message: 'file:a.csv: row 2 has no label (column "label"): fill it in, or remove the row',
  },
  'a truth value as a number': {
    name: 'a.jsonl',
    content: jsonl('0.5', 'true'),
    options: LABEL,
    message:
      'file:a.jsonl: row 2: "label" is true (true or false), no number to predict: expected a number; fill ' +
      'it in or remove the row',
  },
  'lists of numbers that are not as long': {
    name: 'a.jsonl',
    content: jsonl('[1, 0.5]', '[1]'),
    options: LABEL,
    message:
      'file:a.jsonl: row 2 has 1 number to predict, but row 1 of file:a.jsonl has 2: give every row as many',
  },
  'an empty list of numbers': {
    name: 'a.jsonl',
    content: jsonl('[]'),
    options: { ...LABEL, labelKind: 'number' },
    message: 'file:a.jsonl: row 1: "label" is an empty list: expected a number to predict',
  },
  'a list that holds nothing': {
    name: 'a.jsonl',
    content: jsonl('["a"]', '["b", null]'),
    options: LABEL,
    message: 'file:a.jsonl: row 2 has no label (column "label"): fill it in, or remove the row',
  },
  'a list that holds a list': {
    name: 'a.jsonl',
    content: jsonl('["a"]', '[["b"]]'),
    options: LABEL,
    message: 'file:a.jsonl: row 2: "label" is a list, no class: expected an integer or a text',
  },
  'one name among lists': {
    name: 'a.jsonl',
    content: jsonl('["a"]', '"b"'),
    options: { ...LABEL, labelKind: 'classes' },
    message:
      'file:a.jsonl: row 2: "label" is "b" (text): expected a list of classes, which may be empty; or set ' +
      'label_kind: class',
  },
  'lists for one class': {
    name: 'a.jsonl',
    content: jsonl('["a"]'),
    options: { ...LABEL, labelKind: 'class' },
    message: 'file:a.jsonl: row 1: "label" is a list, no class: expected an integer or a text',
  },
  'a name that is not known': {
    name: 'a.jsonl',
    content: jsonl('["yes", "mayb"]'),
    options: { ...LABEL, labels: ['yes', 'maybe'] },
    message:
      'file:a.jsonl: row 1: "label" is "mayb" (text), no class: expected one of "yes", "maybe"; did you ' +
      'mean "maybe"?',
  },
  'a count in a column of 0 and 1': {
    name: 'a.csv',
    content: 'text,toxic,insult,threat\nx,0,2,0\n',
    options: COLUMNS,
    message:
      'file:a.csv: row 1: "insult" is "2" (text): expected 1 (the row has this class) or 0; or set ' +
      'label_kind: number',
  },
  'a withheld label in a column of 0 and 1': {
    name: 'a.csv',
    content: 'text,toxic,insult,threat\nx,-1,0,0\n',
    options: COLUMNS,
    message:
      'file:a.csv: row 1: "toxic" is "-1" (text), which stands for a withheld label: leave such a split ' +
      'out with splits, or number the classes from 0',
  },
  'nothing in a column of 0 and 1': {
    name: 'a.csv',
    content: 'text,toxic,insult,threat\nx,1,0,\n',
    options: COLUMNS,
    message: 'file:a.csv: row 1 has no label (column "threat"): fill it in, or remove the row',
  },
  'several columns for one class': {
    name: 'a.csv',
    content: 'text,toxic,insult,threat\nx,1,0,0\n',
    options: { ...COLUMNS, labelKind: 'class' },
    message:
      'label names 3 columns, and label_kind: class needs one: name one column, or set label_kind: classes ' +
      '(columns of 0 and 1) or number',
  },
  'one column twice': {
    name: 'a.csv',
    content: 'text,toxic\nx,1\n',
    options: { label: ['toxic', 'toxic'] },
    message: 'label names the column "toxic" twice: leave one of them out',
  },
});
