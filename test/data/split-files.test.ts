import { expect, test } from 'vitest';
import { splitFiles } from '../../data/split-files.ts';
import type { NamedFilesOptions } from '../../data/split-files.ts';

const SOURCE = 'hf://datasets/acme/tweets';

type Splits = Record<string, readonly string[]>;

type Layout = readonly [
  what: string,
  names: readonly string[],
  splits: Splits,
  options?: NamedFilesOptions,
];

const LAYOUTS: readonly Layout[] = [
  ['one file of any name', ['tweets.jsonl'], { train: ['tweets.jsonl'] }],
  ['one file named for a split', ['val.csv'], { validation: ['val.csv'] }],
  ['one file whose name holds a split', ['tweets_test-2.csv'], { test: ['tweets_test-2.csv'] }],
  ['one file that merely begins like one', ['trains.csv'], { train: ['trains.csv'] }],
  [
    'a file that is the source, without an extension',
    ['download'],
    { train: ['download'] },
    { sourceIsFile: true },
  ],
  [
    'shards, whatever their split is called',
    [
      'README.md',
      'data/extra-00000-of-00001.parquet',
      'data/train-00000-of-00002-a1b2.parquet',
      'data/train-00001-of-00002-c3d4.parquet',
    ],
    {
      extra: ['data/extra-00000-of-00001.parquet'],
      train: ['data/train-00000-of-00002-a1b2.parquet', 'data/train-00001-of-00002-c3d4.parquet'],
    },
  ],
  [
    'folders named for splits',
    ['dev/a.csv', 'my-training/a.csv', 'my-training/b.csv', 'test_2/x.csv', 'notes.csv'],
    {
      validation: ['dev/a.csv'],
      train: ['my-training/a.csv', 'my-training/b.csv'],
      test: ['test_2/x.csv'],
    },
  ],
  [
    'what datasets saves to disk',
    [
      'dataset_dict.json',
      'test/data-00000-of-00001.arrow',
      'test/dataset_info.json',
      'test/state.json',
      'train/data-00000-of-00001.arrow',
      'train/dataset_info.json',
      'train/state.json',
    ],
    { test: ['test/data-00000-of-00001.arrow'], train: ['train/data-00000-of-00001.arrow'] },
  ],
  [
    'files named for splits, beside one that is not',
    ['eval.jsonl', 'notes.jsonl', 'tweets-train.jsonl', 'valid.jsonl'],
    { test: ['eval.jsonl'], train: ['tweets-train.jsonl'], validation: ['valid.jsonl'] },
  ],
  ['no file named for a split', ['a.csv', 'b.csv'], { train: ['a.csv', 'b.csv'] }],
  [
    'several formats',
    ['test.csv', 'test.jsonl', 'train.csv', 'train.jsonl'],
    { test: ['test.jsonl'], train: ['train.jsonl'] },
  ],
  [
    'several formats of which one was asked for',
    ['test.csv', 'test.jsonl', 'train.csv', 'train.jsonl'],
    { test: ['test.csv'], train: ['train.csv'] },
    { format: 'csv' },
  ],
  [
    'data beside files that are none',
    ['.cache/a.csv', '.gitattributes', 'LICENSE', 'README.txt', 'a.csv', 'docs/x.md', 'x/.b.csv'],
    { train: ['a.csv'] },
  ],
  [
    'a format that is not compressed before one that is',
    ['a.csv.gz', 'a.parquet'],
    { train: ['a.parquet'] },
  ],
  [
    'files beside compressed ones that name no split',
    ['archive/all.csv.gz', 'test.csv', 'train.csv'],
    { test: ['test.csv'], train: ['train.csv'] },
  ],
  [
    'files beside compressed ones of the same splits',
    ['data/train-00000-of-00001.json.gz', 'dev.csv', 'test.csv', 'test.json.gz', 'train.csv'],
    { validation: ['dev.csv'], test: ['test.csv'], train: ['train.csv'] },
  ],
  [
    'a hidden folder that a person named, without what is hidden in it',
    ['.data/train/.b.csv', '.data/train/a.csv', '.data/train/x/.cache/c.csv'],
    { train: ['.data/train/a.csv'] },
    { splits: { train: '.data/train' } },
  ],
  [
    'folders that a person named, without what is no data',
    ['a/.gitattributes', 'a/LICENSE', 'a/README.md', 'a/b.csv', 'a/deep/c.csv', 'a/state.json'],
    { train: ['a/b.csv', 'a/deep/c.csv'] },
    { splits: { train: 'a' } },
  ],
  [
    'files that a person named, whatever they are called',
    ['README.md', 'config.json'],
    { test: ['config.json'], train: ['README.md'] },
    { splits: { train: 'README.md', test: 'config.json' } },
  ],
  [
    'splits that a person named',
    ['a.csv', 'more/b.csv', 'more/c.csv', 'train.csv'],
    { test: ['a.csv'], train: ['more/b.csv', 'more/c.csv', 'train.csv'] },
    { splits: { test: './a.csv', train: ['more/', 'train.csv'] } },
  ],
];

test.for(LAYOUTS)('sorts into splits: %s', ([, names, splits, options]) => {
  expect(Object.fromEntries(splitFiles(SOURCE, names, options))).toEqual(splits);
});

const REFUSED: readonly (readonly [readonly string[], NamedFilesOptions, string])[] = [
  [[], {}, `"${SOURCE}" holds no parquet, jsonl, json, csv, tsv, arrow file: it is empty`],
  [
    ['README.md', 'config.json'],
    {},
    `"${SOURCE}" holds no parquet, jsonl, json, csv, tsv, arrow file, only "README.md", "config.json"`,
  ],
  [
    ['a.csv', 'b.csv'],
    { format: 'parquet' },
    `"${SOURCE}" holds no parquet file, only "a.csv", "b.csv"`,
  ],
  [
    ['a.json', 'test.csv', 'train.csv.gz'],
    { format: 'csv' },
    `"train.csv.gz" of "${SOURCE}" is compressed: decompress it first, or name other files with splits`,
  ],
  [
    ['a.csv.gz', 'notes.txt'],
    {},
    `"a.csv.gz" of "${SOURCE}" is compressed: decompress it first, or name other files with splits`,
  ],
  ...[
    ['test.csv', 'train.csv.gz'],
    ['test.json.gz', 'train.csv'],
    ['notes.csv', 'train.csv.gz'],
    ['test/a.csv.gz', 'train/a.csv'],
    ['data/extra-00000-of-00001.csv.gz', 'train.csv'],
  ].map((names) => {
    const compressed = names.find((name) => name.endsWith('.gz'));
    return [
      names,
      {},
      `"${compressed}" of "${SOURCE}" is compressed: decompress it first, or name other files with splits`,
    ] as const;
  }),
  [
    ['notes.pdf'],
    {},
    `"${SOURCE}" holds no parquet, jsonl, json, csv, tsv, arrow file, only "notes.pdf"`,
  ],
  [
    ['a/README.md', 'a/LICENSE'],
    { splits: { train: 'a/' } },
    `splits.train: the folder "a/" of "${SOURCE}" holds no data, only "a/README.md", "a/LICENSE"`,
  ],
  [
    ['a.csv', 'train_test.csv'],
    {},
    `"train_test.csv" of "${SOURCE}" fits the splits train and test: say which with splits`,
  ],
  [
    ['train.csv'],
    { splits: { test: 'tarin.csv' } },
    `splits.test: "${SOURCE}" has no file or folder "tarin.csv", only "train.csv"; did you mean ` +
      '"train.csv"?',
  ],
  [
    ['train.csv'],
    { splits: { 'my split': 'train.csv' } },
    '"my split" cannot name a split: expected letters, digits and _, such as train',
  ],
  [['train.csv'], { splits: {} }, 'splits is empty: expected a path for each split, or no splits'],
];

test.each(REFUSED)('refuses %j with %j', (names, options, message) => {
  expect(() => splitFiles(SOURCE, names, options)).toThrow(
    expect.objectContaining({ type: 'InvalidInput', message }),
  );
});
