import { expect } from 'vitest';
import { file, read, testRefusals } from './reading.ts';
import type { Refusal } from './reading.ts';
import { storeTest } from './temporary-store.ts';

const LABEL = { label: 'label' };

/** Files that cannot be read as what they are called. */
const REFUSALS: Readonly<Record<string, Refusal>> = {
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
  'a list with a comma too many': {
    name: 'a.json',
    content: '[{"text": "x"},\n]\n',
    message:
      'file:a.json: its list has a comma before the last "]": an object is missing there, so get or ' +
      'write the whole file again, or remove the comma',
  },
  'a list that is cut inside a text': {
    name: 'a.json',
    content: '[{"text": "x [y]',
    message:
      'file:a.json: it cannot be read as JSON: unexpected end of data; expected a list of objects, ' +
      'such as [{"text": "...", "label": 1}]',
  },
  'text after a list': {
    name: 'a.json',
    content: '[{"text": "x"}] [{"text": "y"}]',
    message:
      'file:a.json: it cannot be read as JSON: unexpected character; expected a list of objects, ' +
      'such as [{"text": "...", "label": 1}]',
  },
  'lines that are no objects': {
    name: 'a.jsonl',
    content: '["text"]\n',
    message:
      'file:a.jsonl: line 1 is not a JSON object: it is ["text"]; expected one object a line, such ' +
      'as {"text": "...", "label": 1}',
  },
  'a line that is too long': {
    name: 'a.jsonl',
    content: `{"text": "x"}\n{"text": "${'y'.repeat(1 << 25)}"}\n{"text": "z"}\n`,
    message: 'file:a.jsonl: line 2 is longer than 32 MB: shorten it, or write the data as parquet',
  },
  'an object that is too long': {
    name: 'a.json',
    content: `[{"text": "x"}, {"text": "${'y'.repeat(1 << 25)}"}]`,
    message:
      'file:a.json: it holds an object that is longer than 32 MB: shorten it, or write the data as ' +
      'parquet',
  },
  'a quote that is never closed': {
    name: 'a.csv',
    content: 'text,label\n"a\nb",1\n"c,2\nd,1\ne,2\n',
    options: LABEL,
    message:
      'file:a.csv: the quote that opens in line 4 is never closed: close it, or double each quote ' +
      'inside a quoted field',
  },
  'a quote that is never closed in the first row': {
    name: 'a.csv',
    content: 'text,label\r\n\r\n"a,1\r\nb,0\r\n',
    options: LABEL,
    message:
      'file:a.csv: the quote that opens in line 3 is never closed: close it, or double each quote ' +
      'inside a quoted field',
  },
  'a quote that is never closed in the header': {
    name: 'a.csv',
    content: '"text,label\na,1\n',
    message:
      'file:a.csv: the quote that opens in line 1 is never closed: close it, or double each quote ' +
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
  'a zero byte far into a file': {
    name: 'a.csv',
    content: `text\n${'x\n'.repeat(50_000)}\0\n`,
    message:
      'file:a.csv: line 50002 holds a zero byte, which is no text: remove it, or check that it is ' +
      'the right file',
  },
  'a zero byte far into a file of JSON': {
    name: 'a.jsonl',
    content: `${'{"text": "x"}\n'.repeat(10_000)}{"text": "\0"}\n`,
    message:
      'file:a.jsonl: line 10001 holds a zero byte, which is no text: remove it, or check that it is ' +
      'the right file',
  },
  'a compressed file': {
    name: 'a.csv',
    content: Buffer.from([0x1f, 0x8b, 8, 0]),
    message: 'file:a.csv: it is compressed with gzip: decompress it first',
  },
  'a compressed file that says so': {
    name: 'a.csv.gz',
    content: Buffer.from([0x1f, 0x8b, 8, 0]),
    message: 'file:a.csv.gz: it is compressed: decompress it first',
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
      'file:data: its name does not say its format: set format to parquet, jsonl, json, csv, tsv, ' +
      'arrow, or name the files of data with splits',
  },
};

testRefusals(REFUSALS);

const CUT_SHORT = [
  '[',
  '[{"text": "x"}, {"text": ',
  '[{"text": "x"}',
  '[{"text": "x"},',
  `\uFEFF \n[{"text": "x"},\r\n${' '.repeat(200_000)}\n`,
];

storeTest.for(CUT_SHORT)('refuses a list cut short: %j', async (content, { folder }) => {
  const train = [await file(folder, 'a.json', content)];
  await expect(read({ train })).rejects.toMatchObject({
    type: 'InvalidInput',
    message:
      'file:a.json: it begins with "[" but does not end with "]": it looks cut off, so get or write ' +
      'the whole file again',
  });
});
