import type { DuckDBListValue } from '@duckdb/node-api';
import { Failure } from '../../plan/failures.ts';
import type { JsonValue } from '../../plan/json.ts';
import { identifier, literal, duckDbReason, pathLiteral, queryRows } from './duckdb.ts';
import {
  checkText,
  findBadText,
  findLongLine,
  lastCharacters,
  linesOf,
  readPrefix,
} from './text-file.ts';
import { fileFailure, integerCell, jsonCell } from './table.ts';
import type { Cell, CellRows, Table, TableFile } from './table.ts';

/** DuckDB's names. */
type Layout = 'newline_delimited' | 'array' | 'auto';

/** Rows in which columns are looked for first. */
const SAMPLE_ROWS = 20_480;
/** DuckDB reads no longer line or object: twice its `maximum_object_size`, less some bytes. */
const LONGEST_LINE_BYTES = (1 << 25) - 64;

/**
 * Opens JSON: one object a line (`jsonl`), or an array of objects or objects one after the other
 * (`json`). A key that an object lacks is nothing.
 *
 * @param wanted columns to look for beyond the first rows
 * @throws InvalidInput when the file is no JSON, is cut short, or holds no objects
 */
export async function openJson(
  file: TableFile,
  format: 'jsonl' | 'json',
  wanted: readonly string[],
): Promise<Table> {
  await checkText(file);
  const layout = format === 'jsonl' ? 'newline_delimited' : await layoutOf(file);
  const names = await columnNames(file, layout, wanted);
  return {
    file,
    columns: names,
    untyped: false,
    classNames: () => undefined,
    scan: (columns, signal) => scan(file, layout, columns, signal),
  };
}

/** Checks that a list ends: DuckDB takes one that is cut after a comma for a whole one. */
async function layoutOf(file: TableFile): Promise<Layout> {
  const start = (await readPrefix(file.path)).toString().replace(/^\uFEFF/, '');
  if (!start.trimStart().startsWith('[')) return 'auto';
  const end = await lastCharacters(file.path, 2);
  if (end.endsWith(']') && end !== ',]') return 'array';
  throw fileFailure(
    file,
    end === ',]'
      ? 'its list has a comma before the last "]": an object is missing there, so get or write the ' +
          'whole file again, or remove the comma'
      : 'it begins with "[" but does not end with "]": it looks cut off, so get or write the whole ' +
          'file again',
  );
}

async function columnNames(
  file: TableFile,
  layout: Layout,
  wanted: readonly string[],
): Promise<readonly string[]> {
  try {
    const names = await namesInRows(file, layout, ` LIMIT ${SAMPLE_ROWS}`);
    if (wanted.every((column) => names.includes(column))) return names;
    const all = await namesInRows(file, layout, '');
    if (all.length > 0) return all;
  } catch (error) {
    throw await explain(file, layout, error);
  }
  throw await unreadable(file, layout, 'it holds no objects');
}

async function namesInRows(
  file: TableFile,
  layout: Layout,
  limit: string,
): Promise<readonly string[]> {
  const objects = `SELECT json FROM ${readJson('read_json_objects', file, layout)}${limit}`;
  const names = new Set<string>();
  for await (const rows of queryRows(`SELECT DISTINCT json_keys(json) FROM (${objects})`)) {
    for (const [keys] of rows) {
      for (const key of (keys as DuckDBListValue | null)?.items ?? []) names.add(String(key));
    }
  }
  return [...names];
}

async function* scan(
  file: TableFile,
  layout: Layout,
  columns: readonly string[],
  signal: AbortSignal | undefined,
): AsyncGenerator<CellRows> {
  checkCase(file, columns);
  const types = columns.map((column) => `${literal(column)}: 'JSON'`);
  const source = readJson('read_json', file, layout, {
    records: "'true'",
    columns: `{${types.join(', ')}}`,
  });
  const sql = `SELECT ${columns.map(identifier).join(', ')} FROM ${source}`;
  try {
    for await (const rows of queryRows(sql, signal)) {
      yield rows.map((row) => row.map((value) => parseCell(value as string | null)));
    }
  } catch (error) {
    signal?.throwIfAborted();
    throw await explain(file, layout, error);
  }
}

/** DuckDB takes names that differ in case alone for one. */
function checkCase(file: TableFile, columns: readonly string[]): void {
  for (const [index, column] of columns.entries()) {
    const other = columns
      .slice(0, index)
      .find((before) => before.toLowerCase() === column.toLowerCase());
    if (other === undefined) continue;
    throw fileFailure(
      file,
      `its columns "${other}" and "${column}" differ in case alone, and cannot both be read from ` +
        'JSON: rename one of them',
    );
  }
}

function readJson(
  reader: 'read_json' | 'read_json_objects',
  file: TableFile,
  layout: Layout,
  options: Readonly<Record<string, string>> = {},
): string {
  const all = {
    format: literal(layout),
    compression: "'uncompressed'",
    // Else the folder of `text=en/a.jsonl` replaces the column.
    hive_partitioning: 'false',
    ...options,
  };
  const list = Object.entries(all).map(([name, value]) => `${name} = ${value}`);
  return `${reader}(${[pathLiteral(file.path), ...list].join(', ')})`;
}

/** A cell of its JSON text. */
function parseCell(json: string | null): Cell {
  if (json === null) return null;
  if (/^-?\d+$/.test(json)) return integerCell(BigInt(json));
  return jsonCell(JSON.parse(json) as JsonValue);
}

async function explain(file: TableFile, layout: Layout, error: unknown): Promise<unknown> {
  if (error instanceof Failure) return error;
  const reason = duckDbReason(error, file);
  return reason.startsWith('"maximum_object_size"')
    ? tooLong(file, layout, error)
    : unreadable(file, layout, reason, error);
}

async function tooLong(file: TableFile, layout: Layout, error: unknown): Promise<Failure> {
  const line =
    layout === 'newline_delimited' ? await findLongLine(file.path, LONGEST_LINE_BYTES) : undefined;
  return fileFailure(
    file,
    `${line === undefined ? 'it holds an object that' : `line ${line}`} is longer than 32 MB: ` +
      'shorten it, or write the data as parquet',
    error,
  );
}

async function unreadable(
  file: TableFile,
  layout: Layout,
  reason: string,
  error?: unknown,
): Promise<Error> {
  const badText = await findBadText(file);
  if (badText !== undefined) return badText;
  const lines = layout === 'newline_delimited';
  const expected = lines
    ? 'expected one object a line, such as {"text": "...", "label": 1}'
    : 'expected a list of objects, such as [{"text": "...", "label": 1}]';
  const line = lines ? await badLine(file) : undefined;
  const what =
    line === undefined
      ? `it cannot be read as JSON: ${reason}`
      : `line ${line.number} is not a JSON object: ${line.why}`;
  return fileFailure(file, `${what}; ${expected}`, error);
}

async function badLine(
  file: TableFile,
): Promise<{ readonly number: number; readonly why: string } | undefined> {
  for await (const { line, number } of linesOf(file.path)) {
    const text = line.toString().replace(/^\uFEFF/, '');
    if (text.trim() === '') continue;
    const why = notAnObject(text);
    if (why !== undefined) return { number, why };
  }
  return undefined;
}

function notAnObject(json: string): string | undefined {
  try {
    const value = JSON.parse(json, refuseHalfCharacters) as unknown;
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return undefined;
    return `it is ${json.trim().slice(0, 40)}`;
  } catch (error) {
    // Newer engines add the line and column of what is one line to them.
    return (error as Error).message.replace(/ \(line 1 column \d+\)$/, '');
  }
}

function refuseHalfCharacters(_key: string, value: unknown): unknown {
  if (typeof value === 'string' && /\p{Surrogate}/u.test(value)) {
    throw new SyntaxError('a text holds one half of a surrogate pair');
  }
  return value;
}
