import { createReadStream } from 'node:fs';
import { pipeline } from 'node:stream';
import { CsvError, parse } from 'csv-parse';
import type { Options } from 'csv-parse';
import { counted } from '../wording.ts';
import { checkText, findBadText, linesOf } from './text-file.ts';
import { fileFailure } from './table.ts';
import type { CellRows, Table, TableFile } from './table.ts';

const GROUP_ROWS = 1024;
const SEPARATORS = { csv: ',', tsv: '\t' } as const;

/**
 * Opens comma- or tab-separated text: UTF-8 with a header line, quoted as RFC 4180 says. Fields are
 * text exactly as written; an empty one is nothing. A quote inside an unquoted field is itself.
 *
 * csv-parse reads it: DuckDB's reader takes an unclosed quote for the end of the file, without a word.
 *
 * @param separator between fields; by the format without it
 * @throws InvalidInput when there is no header or the file is no text
 */
export async function openCsv(
  file: TableFile,
  format: 'csv' | 'tsv',
  separator?: string,
): Promise<Table> {
  await checkText(file);
  const delimiter = separator ?? SEPARATORS[format];
  const [header] = await headerOf(file, delimiter);
  if (header === undefined)
    throw fileFailure(file, 'the file is empty: put rows into it, or name another one');
  return {
    file,
    columns: header,
    untyped: true,
    hint: separator === undefined ? separatorHint(header) : undefined,
    classNames: () => undefined,
    scan: (columns, signal) => scan(file, delimiter, header, columns, signal),
  };
}

/** What to do about a file that has another separator, as its header shows. */
function separatorHint([only = '', ...others]: readonly string[]): string | undefined {
  if (others.length > 0) return undefined;
  if (only.includes('\t')) return 'it seems to be separated by tabs, so set format: tsv';
  if (only.includes(',')) return 'it seems to be separated by commas, so set format: csv';
  const [found] = /[;|]/.exec(only) ?? [];
  return found && `it seems to be separated by "${found}", so write it with commas or tabs`;
}

function parserOptions(delimiter: string): Options {
  return {
    delimiter,
    bom: true,
    record_delimiter: ['\r\n', '\n'],
    relax_quotes: true,
    skip_empty_lines: true,
  };
}

async function headerOf(file: TableFile, delimiter: string): Promise<string[][]> {
  const records: string[][] = [];
  const options = { ...parserOptions(delimiter), to: 1 };
  for await (const record of recordsOf(file, options)) records.push(record);
  return records;
}

async function* scan(
  file: TableFile,
  delimiter: string,
  header: readonly string[],
  columns: readonly string[],
  signal: AbortSignal | undefined,
): AsyncGenerator<CellRows> {
  const wanted = columns.map((column) => header.indexOf(column));
  let rows: (string | null)[][] = [];
  const options = { ...parserOptions(delimiter), from: 2 };
  for await (const record of recordsOf(file, options)) {
    rows.push(wanted.map((index) => record[index] || null));
    if (rows.length === GROUP_ROWS) {
      signal?.throwIfAborted();
      yield rows;
      rows = [];
    }
  }
  if (rows.length > 0) yield rows;
}

async function* recordsOf(file: TableFile, options: Options): AsyncGenerator<string[]> {
  const parser = parse(options);
  // The pipeline hands every error to the parser, and so to the loop below.
  pipeline(createReadStream(file.path), checkUtf8, parser, () => undefined);
  try {
    for await (const record of parser) yield record as string[];
  } catch (error) {
    throw await explain(file, options, error);
  }
}

async function* checkUtf8(chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  const decoder = new TextDecoder('utf-8', { fatal: true });
  for await (const chunk of chunks) {
    decoder.decode(chunk, { stream: true });
    if (chunk.includes(0)) throw new Error('a zero byte');
    yield chunk;
  }
  decoder.decode();
}

async function explain(file: TableFile, options: Options, error: unknown): Promise<unknown> {
  const badText = await findBadText(file);
  if (badText !== undefined) return badText;
  if (!(error instanceof CsvError)) return error;
  const line = String(error['lines']);
  switch (error.code) {
    case 'CSV_QUOTE_NOT_CLOSED': {
      return fileFailure(
        file,
        `the quote that opens in line ${await openingLine(file, options)} is never closed: close it, or double each quote ` +
          'inside a quoted field',
        error,
      );
    }
    case 'CSV_RECORD_INCONSISTENT_FIELDS_LENGTH': {
      const [, expected, found] = /expect (\d+), got (\d+)/.exec(error.message) ?? [];
      return fileFailure(
        file,
        `line ${line} has ${counted(Number(found), 'field')}, but the first line has ${expected}: ` +
          'put quotes around a field that holds the separator or a line break',
        error,
      );
    }
    default:
      return fileFailure(file, `line ${line} cannot be read: ${error.message}`, error);
  }
}

/** Number of the line in which the first record begins that cannot be read. */
async function openingLine(file: TableFile, options: Options): Promise<number> {
  const last = await lastLine(file, options);
  for await (const { line, number } of linesOf(file.path)) {
    if (number > last && !/^\r?$/.test(line.toString())) return number;
  }
  return last;
}

/** Number of the line in which the last readable record ends; 0 when there is none. */
async function lastLine(file: TableFile, options: Options): Promise<number> {
  let line = 0;
  const parser = createReadStream(file.path).pipe(parse({ ...options, from: 1, info: true }));
  try {
    for await (const { info } of parser as AsyncIterable<{ info: { lines: number } }>) {
      line = info.lines;
    }
  } catch {
    return line;
  }
  return line;
}
