import { expect, test } from 'vitest';
import type { ReadOptions } from '../../data/read-dataset.ts';
import { file, fixture, read } from './reading.ts';
import { storeTest } from './temporary-store.ts';

interface Refusal {
  readonly name: string;
  readonly content: string | Uint8Array;
  readonly options?: Partial<ReadOptions>;
  readonly message: string;
}

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
      'file:a.jsonl: row 1: "label" is -1 (a number), no class: which stands for a withheld label; ' +
      'leave such a split out with splits',
  },
  'a label with a fraction': {
    name: 'a.jsonl',
    content: '{"text": "x", "label": 0.5}\n',
    options: LABEL,
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
  'a broken line': {
    name: 'a.jsonl',
    content: '{"text": "x"}\n\n{"text": "y\n{"text": "z"}\n',
    message:
      'file:a.jsonl: line 3 is not a JSON object: Unterminated string in JSON at position 11; ' +
      'expected one object a line, such as {"text": "...", "label": 1}',
  },
  'a line that is no object': {
    name: 'a.jsonl',
    content: '{"text": "x"}\n["y"]\n',
    message:
      'file:a.jsonl: line 2 is not a JSON object: it is ["y"]; expected one object a line, such as ' +
      '{"text": "...", "label": 1}',
  },
  'half a character': {
    name: 'a.jsonl',
    content: '{"text": "x"}\n{"text": "\\ud83d"}\n',
    message:
      'file:a.jsonl: line 2 is not a JSON object: a text holds one half of a surrogate pair; ' +
      'expected one object a line, such as {"text": "...", "label": 1}',
  },
  'JSON cut short': {
    name: 'a.json',
    content: '[{"text": "x"}, {"text": ',
    message:
      'file:a.json: it cannot be read as JSON: unexpected end of data; expected a list of objects, ' +
      'such as [{"text": "...", "label": 1}]',
  },
  'a quote that is never closed': {
    name: 'a.csv',
    content: 'text,label\n"a\nb",1\n"c,2\nd,1\ne,2\n',
    options: LABEL,
    message:
      'file:a.csv: the quote that opens in line 4 is never closed: close it, or double each quote ' +
      'inside a quoted field',
  },
  'a field too many': {
    name: 'a.csv',
    content: 'text,label\na, b,1\n',
    options: LABEL,
    message:
      'file:a.csv: line 2 has 3 fields, but the first line has 2: put quotes around a field that ' +
      'holds the separator or a line break',
  },
  'another encoding': {
    name: 'a.csv',
    content: Buffer.from('text,label\nok,1\ncaf\xe9,1\n', 'latin1'),
    options: LABEL,
    message:
      'file:a.csv: line 3 is not UTF-8 text: convert the file first, as with iconv -f WINDOWS-1252 ' +
      '-t UTF-8',
  },
  'another encoding in JSON': {
    name: 'a.jsonl',
    content: Buffer.from('{"text": "ok"}\n{"text": "caf\xe9"}\n', 'latin1'),
    message:
      'file:a.jsonl: line 2 is not UTF-8 text: convert the file first, as with iconv -f ' +
      'WINDOWS-1252 -t UTF-8',
  },
  'UTF-16': {
    name: 'a.csv',
    content: Buffer.from('\uFEFFtext\nx\n', 'utf16le'),
    message: 'file:a.csv: it is UTF-16 text: convert it to UTF-8 first',
  },
  'binary data': {
    name: 'a.csv',
    content: Buffer.from([1, 2, 0, 3]),
    message: 'file:a.csv: it holds binary data, not text: check that it is the right file',
  },
  'a compressed file': {
    name: 'a.csv',
    content: Buffer.from([0x1f, 0x8b, 8, 0]),
    message: 'file:a.csv: it is compressed with gzip: decompress it first',
  },
  'text named parquet': {
    name: 'a.parquet',
    content: 'text\nx\n',
    message:
      "file:a.parquet: it cannot be read as parquet: File 'file:a.parquet' too small to be a " +
      'Parquet file; check that it is complete, or set format',
  },
  'text named arrow': {
    name: 'a.arrow',
    content: 'text\nx\n',
    message:
      'file:a.arrow: it cannot be read as an Arrow file: it does not begin as one; check that it is ' +
      'complete and not compressed, or set format',
  },
  'a name without a format': {
    name: 'data',
    content: 'text\nx\n',
    message:
      'file:data: its name does not say its format: set format to parquet, jsonl, json, csv, tsv, arrow',
  },
};

storeTest.for(Object.entries(REFUSALS))(
  'refuses %s',
  async ([, { name, content, options, message }], { folder }) => {
    const train = [await file(folder, name, content)];
    await expect(read({ train }, options)).rejects.toMatchObject({ type: 'InvalidInput', message });
  },
);

const FIXTURES: readonly (readonly [string, Partial<ReadOptions>, string])[] = [
  [
    'types.arrow',
    { label: 'fraction' },
    'file:types.arrow: row 1: "fraction" is 0.5 (a number), no class: expected an integer from 0, or a text',
  ],
  [
    'types.parquet',
    { text: 'bytes' },
    'file:types.parquet: row 1: "bytes" is a value of type BLOB: expected a text',
  ],
  [
    'tweets.arrow',
    { text: 'scores' },
    'file:tweets.arrow: row 1: "scores" is a value of type List<Int32>: expected a text',
  ],
  [
    'compressed.arrow',
    {},
    'file:compressed.arrow: it cannot be read as an Arrow file: Dictionary batch is compressed but ' +
      'codec not found; check that it is complete and not compressed, or set format',
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
