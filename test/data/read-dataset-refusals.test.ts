import { expect, test } from 'vitest';
import type { ReadOptions } from '../../data/read-dataset.ts';
import { file, fixture, read, testRefusals } from './reading.ts';
import type { Refusal } from './reading.ts';
import { storeTest } from './temporary-store.ts';

const LABEL = { label: 'label' };

const REFUSALS: Readonly<Record<string, Refusal>> = {
  'a wrong column': {
    name: 'a.csv',
    content: 'txt,label\nx,1\n',
    message: 'file:a.csv: it has no column "text" (text), only "txt", "label"; did you mean "txt"?',
  },
  'a wrong label column in JSON': {
    name: 'a.jsonl',
    content: '{"text": "x", "sentiment": 1}\n',
    options: LABEL,
    message: 'file:a.jsonl: it has no column "label" (label), only "text", "sentiment"',
  },
  'one column for text and label': {
    name: 'a.jsonl',
    content: '{"text": "x"}\n',
    options: { label: 'text' },
    message:
      'text and label both name the column "text": name another one as label, or leave label out',
  },
  'one column for label and id': {
    name: 'a.csv',
    content: 'text,label\nx,1\n',
    options: { label: 'label', id: 'label' },
    message: 'label and id both name the column "label": name another one as id, or leave id out',
  },
  'two JSON columns that differ in case alone': {
    name: 'a.jsonl',
    content: '{"Text": "x", "text": "y"}\n',
    options: { label: 'Text' },
    message:
      'file:a.jsonl: its columns "text" and "Text" differ in case alone, and cannot both be read ' +
      'from JSON: rename one of them',
  },
  'two columns of one name': {
    name: 'a.csv',
    content: 'text,text\nx,1\n',
    message: 'file:a.csv: it has 2 columns named "text": rename all but one',
  },
  'an empty file': {
    name: 'a.jsonl',
    content: '',
    message: 'file:a.jsonl: the file is empty: put rows into it, or name another one',
  },
  'a header without rows': {
    name: 'a.csv',
    content: 'text,label\n',
    options: LABEL,
    message:
      'file:a.csv: the split "train" has no rows: the file holds none; put some into it, or name another one',
  },
  'an empty list': {
    name: 'a.json',
    content: '[]',
    message:
      'file:a.json: it cannot be read as JSON: it holds no objects; expected a list of objects, such as [{"text": "...", "label": 1}]',
  },
  'texts that are all missing': {
    name: 'a.csv',
    content: 'text,label\n,1\n,0\n',
    options: LABEL,
    message:
      'file:a.csv: no row of the split "train" has a text (column "text"): name the column of the text',
  },
  'a label of null': {
    name: 'a.jsonl',
    content: '{"text": "x", "label": 1}\n{"text": "y", "label": null}\n',
    options: LABEL,
    message: 'file:a.jsonl: row 2 has no label (column "label"): fill it in, or remove the row',
  },
  'a column that only a late line has': {
    name: 'a.jsonl',
    content: `${'{"text": "a"}\n'.repeat(25_000)}{"text": "b", "label": "x"}\n`,
    options: LABEL,
    message: 'file:a.jsonl: row 1 has no label (column "label"): fill it in, or remove the row',
  },
  'an id of null': {
    name: 'a.jsonl',
    content: '{"text": "x", "id": null}\n',
    options: { id: 'id' },
    message: 'file:a.jsonl: row 1 has no id (column "id"): fill it in, or leave id out',
  },
  'a text that is a number': {
    name: 'a.jsonl',
    content: '{"text": 5}\n',
    message: 'file:a.jsonl: row 1: "text" is 5 (a number): expected a text',
  },
  'a text that is a list': {
    name: 'a.jsonl',
    content: '{"text": ["a"]}\n',
    message: 'file:a.jsonl: row 1: "text" is a list: expected a text',
  },
  'a withheld label': {
    name: 'a.jsonl',
    content: '{"text": "x", "label": -1}\n',
    options: LABEL,
    message:
      'file:a.jsonl: row 1: "label" is -1 (a number), which stands for a withheld label: leave such ' +
      'a split out with splits, or number the classes from 0',
  },
  'a withheld label in CSV': {
    name: 'a.csv',
    content: 'text,label\nx,1\nx,-1\nx,0\n',
    options: LABEL,
    message:
      'file:a.csv: row 2: "label" is "-1" (text), which stands for a withheld label: leave such a ' +
      'split out with splits, or number the classes from 0',
  },
  'withheld labels alone': {
    name: 'a.tsv',
    content: 'text\tlabel\nx\t-1\n',
    options: LABEL,
    message:
      'file:a.tsv: row 1: "label" is "-1" (text), which stands for a withheld label: leave such a ' +
      'split out with splits, or number the classes from 0',
  },
  'a class with a fraction': {
    name: 'a.jsonl',
    content: '{"text": "x", "label": 0.5}\n',
    options: { ...LABEL, labelKind: 'class' },
    message:
      'file:a.jsonl: row 1: "label" is 0.5 (a number), no class: expected an integer from 0, or a text',
  },
  'a label that is an object': {
    name: 'a.jsonl',
    content: '{"text": "x", "label": {}}\n',
    options: LABEL,
    message: 'file:a.jsonl: row 1: "label" is an object, no class: expected an integer or a text',
  },
  'labels of two kinds': {
    name: 'a.jsonl',
    content: '{"text": "x", "label": 1}\n{"text": "x", "label": "one"}\n',
    options: LABEL,
    message:
      'file:a.jsonl: row 2 has a text as "label", but row 1 of file:a.jsonl has a number: make all ' +
      'of them texts, or all numbers',
  },
  'a label that no one gave': {
    name: 'a.csv',
    content: 'text,label\nx,postive\n',
    options: { label: 'label', labels: ['negative', 'positive'] },
    message:
      'file:a.csv: row 1: "label" is "postive" (text), no class: expected one of "negative", ' +
      '"positive"; did you mean "positive"?',
  },
  'a label beyond those given': {
    name: 'a.csv',
    content: 'text,label\nx,2\n',
    options: { label: 'label', labels: ['negative', 'positive'] },
    message: 'file:a.csv: row 1: "label" is "2" (text), no class: expected 0 to 1',
  },
  'a label that is an id': {
    name: 'a.jsonl',
    content: '{"text": "x", "label": 987654321}\n',
    options: LABEL,
    message: 'file:a.jsonl: row 1: "label" is 987654321 (a number), no class: expected 0 to 9999',
  },
  'more labels than there are classes': {
    name: 'a.csv',
    content: `text,label\n${Array.from({ length: 10_001 }, (_, row) => `x,t${row}\n`).join('')}`,
    options: LABEL,
    message:
      'file:a.csv: the column "label" has more than 10000 different values: it is no label; name ' +
      'another column, or none',
  },
};

testRefusals(REFUSALS);

const SEPARATORS = [
  [';', 'a.csv', 'it seems to be separated by ";", so write it with commas or tabs'],
  ['|', 'a.tsv', 'it seems to be separated by "|", so write it with commas or tabs'],
  ['\t', 'a.csv', 'it seems to be separated by tabs, so set format: tsv'],
  [',', 'a.tsv', 'it seems to be separated by commas, so set format: csv'],
] as const;

storeTest.for(SEPARATORS)('refuses %j in %s', async ([separator, name, hint], { folder }) => {
  const content = `text${separator}label\nx, y${separator}1\n`;
  const train = [await file(folder, name, content)];
  await expect(read({ train })).rejects.toMatchObject({
    type: 'InvalidInput',
    message: `file:${name}: it has no column "text" (text), only "text${separator}label": ${hint}`,
  });
});

const FIXTURES: readonly (readonly [string, Partial<ReadOptions>, string])[] = [
  [
    'types.arrow',
    { label: 'fraction', labelKind: 'class' },
    'file:types.arrow: row 1: "fraction" is 0.5 (a number), no class: expected an integer from 0, or a text',
  ],
  [
    'types.parquet',
    { content: { text: 'bytes' } },
    'file:types.parquet: row 1: "bytes" is a value of type BLOB: expected a text',
  ],
  [
    'tweets.arrow',
    { content: { text: 'scores' } },
    'file:tweets.arrow: row 1: "scores" is a value of type List<Int32>: expected a text',
  ],
  [
    'compressed.arrow',
    {},
    'file:compressed.arrow: it cannot be read as an Arrow file: Dictionary batch is compressed but ' +
      'codec not found; check that it is complete and not compressed, or set format',
  ],
  ['twice.parquet', {}, 'file:twice.parquet: it has 2 columns named "text": rename all but one'],
  [
    'case.parquet',
    { content: { text: 'TEXT' } },
    'file:case.parquet: it has no column "TEXT" (text), only "Text", "text", "nested", "text_1"; did ' +
      'you mean "Text"?',
  ],
  [
    'tweets.parquet',
    { format: 'csv' },
    'file:tweets.parquet: it is a parquet file: set format: parquet, or rename it to .parquet',
  ],
];

test.each(FIXTURES)('refuses %s read with %o', async (name, options, message) => {
  await expect(read({ train: [fixture(name)] }, options)).rejects.toMatchObject({
    type: 'InvalidInput',
    message,
  });
});

storeTest('refuses files whose classes differ', async ({ folder }) => {
  const plain = await file(folder, 'b.jsonl', '{"text": "x", "label": 1}\n');
  await expect(
    read({ train: [fixture('tweets.parquet'), plain] }, { label: 'label' }),
  ).rejects.toMatchObject({
    type: 'InvalidInput',
    message:
      'file:b.jsonl: its classes are unknown, but those of file:tweets.parquet are "negative", ' +
      '"neutral", "positive": name a folder or files that belong together, in the source or with splits',
  });
});
