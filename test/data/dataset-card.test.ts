import { expect, test } from 'vitest';
import { readCard } from '../../data/dataset-card.ts';
import type { SplitFilesOptions } from '../../data/split-files.ts';

const SOURCE = 'hf://datasets/acme/tweets';

const NAMES = [
  '.gitattributes',
  '.hidden/.cache/a.csv',
  '.hidden/a.csv',
  'LICENSE',
  'README.md',
  'de/test.csv',
  'de/train.csv',
  'en/README.md',
  'en/a.jsonl',
  'en/data/extra-00000-of-00001.parquet',
  'en/data/train-00000-of-00001.parquet',
  'en/test/b.csv',
  'en/train/a.csv',
  'test-fr/a.csv',
];

const EN_SHARDS = {
  extra: ['en/data/extra-00000-of-00001.parquet'],
  train: ['en/data/train-00000-of-00001.parquet'],
};
const EN_FOLDERS = { test: ['en/test/b.csv'], train: ['en/train/a.csv'] };
const DE = { test: ['de/test.csv'], train: ['de/train.csv'] };

function card(frontMatter: string): string {
  return `---\n${frontMatter}\n---\n# Tweets\n`;
}

test.each([
  ['no front matter', '# Tweets'],
  ['nothing of files', card('license: mit')],
  ['no configuration', card('configs: []')],
  ['a text for a mapping', card('mit')],
  ['YAML that is broken, and says nothing of files', card('a: [')],
])('says nothing with %s', (_, text) => {
  expect(readCard(SOURCE, text, NAMES)).toBeUndefined();
});

interface Reading {
  readonly what: string;
  readonly configs: string;
  readonly options?: SplitFilesOptions;
  readonly splits: Readonly<Record<string, readonly string[]>>;
  readonly separator?: string;
}

const READINGS: readonly Reading[] = [
  {
    what: 'files of splits, with wildcards',
    configs: `
- config_name: de
  data_files:
  - split: train
    path: ./de/train*
  - split: test
    path: [de/t?st.csv, 'de/[!x]est.csv']`,
    splits: DE,
  },
  {
    what: 'a default among several, and files without a split',
    configs: `
- { config_name: de, data_files: de/* }
- { config_name: en, default: true, data_files: '**/a.csv' }`,
    splits: { train: ['en/train/a.csv', 'test-fr/a.csv'] },
  },
  {
    what: 'wildcards that pass over what is no data, and over one that fits nothing',
    configs: `[{ config_name: a, data_files: ['en/*', '*', 'it/*', de/test.csv] }]`,
    splits: { train: ['en/a.jsonl', 'de/test.csv'] },
  },
  {
    what: 'a file that is named, whatever it is called',
    configs: '[{ config_name: a, data_files: README.md }]',
    splits: { train: ['README.md'] },
  },
  {
    what: 'a hidden folder that is named, and what is not hidden in it',
    configs: `[{ config_name: a, data_files: ['./.hidden/*.csv', '.hidden/**'] }]`,
    splits: { train: ['.hidden/a.csv'] },
  },
  {
    what: 'files that wildcards find hidden or called as no data, where the card says so',
    configs: `[{ config_name: a, data_files: ['*/README.md', '.h*/.c*/*'] }]`,
    splits: { train: ['en/README.md', '.hidden/.cache/a.csv'] },
  },
  {
    what: 'a folder, sorted by the names below it',
    configs: `
- { config_name: de, data_dir: de, default: true }
- { config_name: en, data_dir: en }`,
    splits: DE,
  },
  {
    what: 'a folder with shards',
    configs: '[{ config_name: en, data_dir: ./en/ }]',
    splits: EN_SHARDS,
  },
  {
    what: 'a folder, and the format that a person said',
    configs: '[{ config_name: en, data_dir: en }]',
    options: { format: 'csv' },
    splits: EN_FOLDERS,
  },
  {
    what: 'a folder whose own name looks like a split',
    configs: '[{ config_name: fr, data_dir: test-fr }]',
    splits: { train: ['test-fr/a.csv'] },
  },
  {
    what: 'files in a folder',
    configs: `[{ config_name: en, data_dir: en, data_files: [{ split: test, path: '*/b.csv' }] }]`,
    splits: { test: ['en/test/b.csv'] },
  },
  {
    what: 'no files, but the separator',
    configs: `[{ config_name: a, data_dir: test-fr, data_files: , sep: ";" }]`,
    splits: { train: ['test-fr/a.csv'] },
    separator: ';',
  },
  {
    what: 'a delimiter, which goes before the separator',
    configs: `[{ config_name: de, data_dir: de, sep: ';', delimiter: \\t }]`,
    splits: DE,
    separator: '\t',
  },
  {
    what: 'options that change nothing, and keys that no loader knows',
    configs: `
- config_name: de
  data_dir: de
  version: 1.0.0
  description: German tweets
  license: mit
  drop_labels: true
  sep: null
  header: 0
  skiprows: null
  encoding: utf-8
  features: null`,
    splits: DE,
  },
  {
    what: 'options of csv, for parquet',
    configs: `[{ config_name: en, data_dir: en, column_names: [a], sep: '\\s+', field: a }]`,
    splits: EN_SHARDS,
  },
  {
    what: 'options of csv, for the format that a person said',
    configs: '[{ config_name: en, data_dir: en, skiprows: 1, sep: ";", filters: [] }]',
    options: { format: 'jsonl' },
    splits: { train: ['en/a.jsonl'] },
  },
  {
    what: 'options of json and parquet, for csv',
    configs: '[{ config_name: de, data_dir: de, field: data, filters: [] }]',
    splits: DE,
  },
  {
    what: 'an option of a configuration that is not chosen',
    configs: `
- { config_name: default, data_dir: de }
- { config_name: en, data_dir: en, skiprows: 1 }`,
    splits: DE,
  },
];

test.for(READINGS)('follows a card with $what', ({ configs, options, splits, separator }) => {
  const reading = readCard(SOURCE, card(`configs: ${configs}`), NAMES, options);
  expect(reading && { ...reading, splits: Object.fromEntries(reading.splits) }).toEqual({
    splits,
    separator,
  });
});

const CARD = `"${SOURCE}": its README.md`;
const REMEDY = 'name the files with splits';

test.each([
  [
    '[{ config_name: de, data_dir: de }, { config_name: en, data_dir: en }]',
    `"${SOURCE}" holds several data sets, "de", "en", and no default: name a folder in the source, ` +
      'or the files with splits',
  ],
  [
    '[{ config_name: a, data_files: [{ split: train, path: b/* }] }]',
    `${CARD} names "b/*" as the split train, but there is no such file: ${REMEDY}`,
  ],
  [
    '[{ config_name: a, data_files: [de/train.csv, de/tset.csv] }]',
    `${CARD} names "de/tset.csv" as the split train, but there is no such file: ${REMEDY}`,
  ],
  [
    '[{ config_name: a, data_dir: de, data_files: de/train.csv }]',
    `${CARD} names "de/train.csv" as the split train, but there is no such file: ${REMEDY}`,
  ],
  [
    '[{ config_name: it, data_dir: it }]',
    `${CARD} names the data_dir "it", but there is no such folder: ${REMEDY}`,
  ],
  [
    '[{ config_name: it, data_dir: ../de }]',
    `${CARD} names the data_dir "../de", but there is no such folder: ${REMEDY}`,
  ],
  [
    '[{ config_name: de, data_dir: de, skiprows: 2 }]',
    `${CARD} sets skiprows for "de", which is not supported: ${REMEDY}`,
  ],
  [
    '[{ config_name: de, data_dir: de, header: null }]',
    `${CARD} sets header for "de", which is not supported: ${REMEDY}`,
  ],
  [
    '[{ config_name: de, data_dir: de, names: [text, label] }]',
    `${CARD} sets names for "de", which is not supported: ${REMEDY}`,
  ],
  [
    '[{ config_name: de, data_dir: de, features: [{ name: text, dtype: string }] }]',
    `${CARD} sets features for "de", which is not supported: ${REMEDY}`,
  ],
  [
    '[{ config_name: a, data_files: en/a.jsonl, field: data }]',
    `${CARD} sets field for "a", which is not supported: ${REMEDY}`,
  ],
  [
    '[{ config_name: a, data_files: en/a.jsonl, encoding: latin-1 }]',
    `${CARD} sets encoding for "a", which is not supported: ${REMEDY}`,
  ],
  [
    '[{ config_name: en, data_dir: en, filters: [[label, ">", 0]] }]',
    `${CARD} sets filters for "en", which is not supported: ${REMEDY}`,
  ],
  [
    '[{ config_name: en, data_dir: en, features: [{ name: text, dtype: string }] }]',
    `${CARD} sets features for "en", which is not supported: ${REMEDY}`,
  ],
  [
    '[{ config_name: a, data_files: [en/a.jsonl, de/test.csv], thousands: "." }]',
    `${CARD} sets thousands for "a", which is not supported: ${REMEDY}`,
  ],
  [
    `[{ config_name: de, data_dir: de, sep: '\\s+' }]`,
    `${CARD} separates fields by "\\\\s+", but only one character is supported: ${REMEDY}`,
  ],
  [
    '[{ config_name: de, data_dir: 5 }]',
    `${CARD} has configs.0.data_dir in another form than Hugging Face's datasets reads: ${REMEDY}`,
  ],
  [
    '[{ config_name: a, data_files: [{ split: train }] }]',
    `${CARD} has configs.0.data_files in another form than Hugging Face's datasets reads: ${REMEDY}`,
  ],
  [
    '[{ config_name: a',
    `${CARD} has configs in YAML that is broken in line 2 (Flow map in block collection must be ` +
      `sufficiently indented and end with a }): ${REMEDY}`,
  ],
  [
    '{ a: { data_files: b } }',
    `${CARD} has configs in another form than Hugging Face's datasets reads: ${REMEDY}`,
  ],
])('refuses a card with %s', (configs, message) => {
  expect(() => readCard(SOURCE, card(`configs: ${configs}`), NAMES)).toThrow(
    expect.objectContaining({ type: 'InvalidInput', message }),
  );
});

test('names the folder of a card that holds no data', () => {
  const text = card('configs: [{ config_name: en, data_dir: en }]');
  expect(() => readCard('file:tweets/', text, ['en/a.txt', 'en/b.txt'], { format: 'csv' })).toThrow(
    expect.objectContaining({
      type: 'InvalidInput',
      message: '"file:tweets/en" holds no csv file, only "a.txt", "b.txt"',
    }),
  );
});

test('names the folder of a card whose only file is no data', () => {
  const text = card('configs: [{ config_name: a, data_dir: data }]');
  expect(() => readCard('file:tweets', text, ['README.md', 'data/notes.pdf'])).toThrow(
    expect.objectContaining({
      type: 'InvalidInput',
      message:
        '"file:tweets/data" holds no parquet, jsonl, json, csv, tsv, arrow file, only "notes.pdf"',
    }),
  );
});
