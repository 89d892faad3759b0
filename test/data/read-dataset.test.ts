import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { ReadOptions } from '../../data/read-dataset.ts';
import { file, fixture, read } from './reading.ts';
import type { Row } from './reading.ts';
import { storeTest } from './temporary-store.ts';

interface Reading {
  readonly what: string;
  readonly name: string;
  readonly content: string;
  readonly options?: Partial<ReadOptions>;
  readonly labels?: readonly string[];
  readonly rows: readonly Row[];
}

const TEXTS: readonly Reading[] = [
  {
    what: 'quoted fields with separators, quotes and line breaks of either kind',
    name: 'a.csv',
    content: 'text,label\r\n"a, ""b""\r\nc\nd",x\r\n  e  ,y\r\n',
    options: { label: 'label' },
    labels: ['x', 'y'],
    rows: [
      ['train-0', 'a, "b"\r\nc\nd', 0],
      ['train-1', '  e  ', 1],
    ],
  },
  {
    what: 'a byte order mark, mixed line ends, no last line end, blank lines',
    name: 'a.csv',
    content: '\uFEFFtext,id\n\uFEFFa,1\r\n\nb,2',
    options: { id: 'id' },
    rows: [
      ['1', '\uFEFFa', null],
      ['2', 'b', null],
    ],
  },
  {
    what: 'quotes inside unquoted fields, and words that others take for nothing',
    name: 'a.csv',
    content: 'text\nHe said "hi"\nNA\nnull\n"q" and more\n\\N\n',
    rows: ['He said "hi"', 'NA', 'null', '"q" and more', '\\N'].map((text, row) => [
      `train-${row}`,
      text,
      null,
    ]),
  },
  {
    what: 'characters of every length, and a lone carriage return',
    name: 'a.tsv',
    content: 'text\tlabel\né 日 🙂 👩‍👩‍👧\u2028x\ry\t0\n',
    options: { label: 'label' },
    labels: ['0'],
    rows: [['train-0', 'é 日 🙂 👩‍👩‍👧\u2028x\ry', 0]],
  },
  {
    what: 'escapes, empty text and big numbers as ids',
    name: 'a.jsonl',
    content:
      '{"text": "a\\n\\u00e9\\ud83d\\ude42\\u0000", "id": 1234567890123456789}\n' +
      '{"id": "x", "text": "", "more": {"a": [1]}}\r\n',
    options: { id: 'id' },
    rows: [
      ['1234567890123456789', 'a\né🙂\0', null],
      ['x', '', null],
    ],
  },
  {
    what: 'a list of objects',
    name: 'a.json',
    content: '[{"text": "a", "label": 1},\n {"label": 0, "text": "b"}]',
    options: { label: 'label' },
    labels: ['0', '1'],
    rows: [
      ['train-0', 'a', 1],
      ['train-1', 'b', 0],
    ],
  },
  {
    what: 'objects one after the other in a .json file',
    name: 'a.json',
    content: '{"text": "a"}\n{"text": "b"}\n',
    rows: [
      ['train-0', 'a', null],
      ['train-1', 'b', null],
    ],
  },
  ...['a.jsonl', 'a.json'].map((name) => ({
    what: 'a byte order mark, and the same character in a text and an id',
    name,
    content: '\uFEFF{"text": "\uFEFFa", "id": "\uFEFF1"}\n{"text": "\\ufeffb", "id": "2"}\n',
    options: { id: 'id' },
    rows: [
      ['\uFEFF1', '\uFEFFa', null],
      ['2', '\uFEFFb', null],
    ] as const,
  })),
  {
    what: 'a list of objects after a byte order mark and white space',
    name: 'a.json',
    content: '\uFEFF\n [{"text": "\uFEFFa [1]"},\n{"text": "b,]"}\n]\r\n \t',
    rows: [
      ['train-0', '\uFEFFa [1]', null],
      ['train-1', 'b,]', null],
    ],
  },
  {
    what: 'keys that differ in case alone, of which one is asked for',
    name: 'a.jsonl',
    content: '{"Text": "A", "text": "a", "text_1": "1"}\n{"Text": "B"}\n{"text": "c"}\n',
    rows: [
      ['train-0', 'a', null],
      ['train-1', '', null],
      ['train-2', 'c', null],
    ],
  },
  {
    what: 'the separator that was asked for',
    name: 'a.csv',
    content: 'text;label\n"a;b, c";x\nd,;y\n',
    options: { label: 'label', separator: ';' },
    labels: ['x', 'y'],
    rows: [
      ['train-0', 'a;b, c', 0],
      ['train-1', 'd,', 1],
    ],
  },
  {
    what: 'another format than the name says',
    name: 'a.txt',
    content: '{"body": "a"}',
    options: { format: 'jsonl', content: { text: 'body' } },
    rows: [['train-0', 'a', null]],
  },
];

storeTest.for(TEXTS)(
  'reads $what ($name)',
  async ({ name, content, options, labels, rows }, { folder }) => {
    const train = [await file(folder, name, content)];
    expect(await read({ train }, options)).toEqual({
      labels: labels ?? null,
      splits: { train: rows },
    });
  },
);

test.each(['tweets.parquet', 'tweets.arrow'])(
  'reads %s with the class names that datasets wrote',
  async (name) => {
    expect(await read({ test: [fixture(name)] }, { label: 'label' })).toEqual({
      labels: ['negative', 'neutral', 'positive'],
      splits: {
        test: [
          ['test-0', 'good 🙂', 2],
          ['test-1', 'say "no"\r\n', 0],
          ['test-2', '日本語', 1],
          ['test-3', '', 2],
        ],
      },
    });
  },
);

test.each(['types.parquet', 'types.arrow'])('reads the types of %s', async (name) => {
  const train = [fixture(name)];
  expect(await read({ train }, { label: 'label', id: 'id' })).toEqual({
    labels: ['0', '1'],
    splits: {
      train: [
        ['1152921504606846977', 'a', 1],
        ['-5', 'b', 0],
        ['7', 'a', 1],
      ],
    },
  });
  expect(await read({ train }, { content: { text: 'large' }, label: 'flag' })).toEqual({
    labels: ['false', 'true'],
    splits: {
      train: [
        ['train-0', 'a', 1],
        ['train-1', 'b', 0],
        ['train-2', 'a', 1],
      ],
    },
  });
});

const MARKED = ['text', 'large', 'view', 'dictionary'].flatMap((text) =>
  ['marks.parquet', 'marks.arrow'].map((name) => [name, text] as const),
);

test.each(MARKED)('keeps each U+FEFF of %s in the column %s', async (name, text) => {
  const { splits } = await read({ train: [fixture(name)] }, { content: { text } });
  expect(splits['train']).toEqual([
    ['train-0', '\uFEFFa', null],
    ['train-1', '', null],
    ['train-2', '\uFEFF', null],
    ['train-3', 'b\uFEFF', null],
  ]);
});

test('tells columns apart whose names differ in case alone', async () => {
  const { labels, splits } = await read(
    { train: [fixture('case.parquet')] },
    { content: { text: 'text' }, label: 'Text', id: 'text_1' },
  );
  expect(labels).toEqual(['A']);
  expect(splits['train']).toEqual([['1', 'a', 0]]);
});

storeTest.for(['lang=en', 'text=en'])(
  'takes nothing from the name of a folder %s',
  async (name, { folder }) => {
    const below = join(folder, name);
    await mkdir(below);
    const parquet = await file(below, 'a.parquet', await readFile(fixture('case.parquet').path));
    const jsonl = await file(below, 'a.jsonl', '{"text": "b"}\n');
    const { splits } = await read({ train: [parquet], test: [jsonl] });
    expect(splits).toEqual({ train: [['train-0', 'a', null]], test: [['test-0', 'b', null]] });
  },
);

test('keeps the order of the rows across groups and files', async () => {
  const many = fixture('many.parquet');
  const { splits } = await read({ train: [many, many] }, { label: 'label' });
  expect(splits['train']).toEqual(
    Array.from({ length: 10_000 }, (_, row) => [
      `train-${row}`,
      `row ${row % 5_000}`,
      (row % 5_000) % 2,
    ]),
  );
});

interface Labelling {
  readonly what: string;
  readonly name: string;
  /** Of the files of the splits train and test. */
  readonly contents: readonly [string, string];
  readonly given?: readonly string[];
  readonly labels: readonly string[];
  readonly indices: readonly [readonly number[], readonly number[]];
}

const LABELLINGS: readonly Labelling[] = [
  {
    what: 'texts, sorted by code point over all splits',
    name: 'a.csv',
    contents: ['text,label\nx,b\nx,Z\nx,é\n', 'text,label\nx,a\nx,10\nx,\u{1F642}\nx,\uFFFD\n'],
    labels: ['10', 'Z', 'a', 'b', 'é', '\uFFFD', '🙂'],
    indices: [
      [3, 1, 4],
      [2, 0, 6, 5],
    ],
  },
  {
    what: 'integers in CSV, with a class that only the test split has',
    name: 'a.csv',
    contents: ['text,label\nx,0\nx,1\n', 'text,label\nx,3\n'],
    labels: ['0', '1', '2', '3'],
    indices: [[0, 1], [3]],
  },
  {
    what: 'integers named by the column beside them',
    name: 'a.csv',
    contents: [
      'text,label,label_text\nx,1,0 stars\nx,0,1\nx,1,0 stars\n',
      'text,label,label_text\nx,0,1\n',
    ],
    labels: ['1', '0 stars'],
    indices: [[1, 0, 1], [0]],
  },
  {
    what: 'integers whose texts differ',
    name: 'a.jsonl',
    contents: [
      '{"text": "x", "label": 1, "label_text": "a"}\n{"text": "x", "label": 0, "label_text": "b"}\n',
      '{"text": "x", "label": 0, "label_text": "c"}\n',
    ],
    labels: ['0', '1'],
    indices: [[1, 0], [0]],
  },
  {
    what: 'digits that JSON calls text',
    name: 'a.jsonl',
    contents: [
      '{"text": "x", "label": "5"}\n{"text": "x", "label": "1"}\n',
      '{"text": "x", "label": "1"}\n',
    ],
    labels: ['1', '5'],
    indices: [[1, 0], [0]],
  },
  {
    what: 'names that the person gave',
    name: 'a.csv',
    contents: ['text,label\nx,yes\nx,no\n', 'text,label\nx,no\n'],
    given: ['no', 'maybe', 'yes'],
    labels: ['no', 'maybe', 'yes'],
    indices: [[2, 0], [0]],
  },
  {
    what: 'names that the person gave to integers',
    name: 'a.csv',
    contents: ['text,label\nx,1\nx,0\n', 'text,label\nx,0\n'],
    given: ['no', 'yes'],
    labels: ['no', 'yes'],
    indices: [[1, 0], [0]],
  },
  {
    what: 'digits that the person gave as names',
    name: 'a.csv',
    contents: ['text,label\nx,1\nx,2\n', 'text,label\nx,2\n'],
    given: ['1', '2'],
    labels: ['1', '2'],
    indices: [[0, 1], [1]],
  },
];

storeTest.for(LABELLINGS)(
  'takes as labels $what',
  async ({ name, contents, given, labels, indices }, { folder }) => {
    const train = [await file(folder, `train-${name}`, contents[0])];
    const test = [await file(folder, `test-${name}`, contents[1])];
    const dataset = await read(
      { train, test },
      { label: 'label', ...(given === undefined ? {} : { labels: given }) },
    );
    expect({
      labels: dataset.labels,
      indices: [dataset.splits['train'], dataset.splits['test']].map((rows) =>
        rows?.map(([, , label]) => label),
      ),
    }).toEqual({ labels, indices });
  },
);

storeTest.for([
  ['a.csv', 'text,label\nx,1\n,0\n'],
  ['a.jsonl', '{"text": "x", "label": 1}\n{"label": 0}\n'],
  ['b.jsonl', '{"text": "x", "label": 1}\n{"text": null, "label": 0}\n'],
] as const)(
  'a missing text of %s is kept as an empty one, and told',
  async ([name, content], { folder }) => {
    const train = [await file(folder, name, content)];
    const told: string[] = [];
    const options = { label: 'label', onRowWithoutText: (id: string) => told.push(id) };
    const { splits } = await read({ train }, options);
    expect(splits).toEqual({
      train: [
        ['train-0', 'x', 1],
        ['train-1', '', 0],
      ],
    });
    expect(told).toEqual(['train-1']);
  },
);
