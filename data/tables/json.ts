import { Failure } from '../../plan/failures.ts';
import {
  identifier,
  literal,
  duckDbReason,
  pathLiteral,
  queryColumns,
  queryRows,
} from './duckdb.ts';
import { checkText, findBadEncoding, linesOf } from './text-file.ts';
import { fileFailure, integerCell } from './table.ts';
import type { Cell, CellRows, Table, TableFile } from './table.ts';

/**
 * Opens JSON: one object a line (`jsonl`), or an array of objects or objects one after the other
 * (`json`). A key that an object lacks is nothing.
 *
 * @param wanted columns to look for beyond the first rows
 * @throws InvalidInput when the file is no JSON or holds no objects
 */
export async function openJson(
  file: TableFile,
  format: 'jsonl' | 'json',
  wanted: readonly string[],
): Promise<Table> {
  await checkText(file);
  const names = await columnNames(file, format, wanted);
  return {
    file,
    columns: names,
    untyped: false,
    classNames: () => undefined,
    scan: (columns, signal) => scan(file, format, columns, signal),
  };
}

async function columnNames(
  file: TableFile,
  format: 'jsonl' | 'json',
  wanted: readonly string[],
): Promise<readonly string[]> {
  const inRows = async (sample: number): Promise<readonly string[]> => {
    const source = readJson(file, format, {
      sample_size: String(sample),
      maximum_depth: '1',
      map_inference_threshold: '-1',
      field_appearance_threshold: '0',
    });
    const columns = await queryColumns(`SELECT * FROM ${source}`);
    return columns.map((column) => column.name);
  };
  try {
    const names = await inRows(20_480);
    return wanted.every((column) => names.includes(column)) ? names : await inRows(-1);
  } catch (error) {
    throw await explain(file, format, error);
  }
}

async function* scan(
  file: TableFile,
  format: 'jsonl' | 'json',
  columns: readonly string[],
  signal: AbortSignal | undefined,
): AsyncGenerator<CellRows> {
  const types = columns.map((column) => `${literal(column)}: 'JSON'`);
  const source = readJson(file, format, { columns: `{${types.join(', ')}}` });
  const sql = `SELECT ${columns.map(identifier).join(', ')} FROM ${source}`;
  try {
    for await (const rows of queryRows(sql, signal)) {
      yield rows.map((row) => row.map((value) => parseCell(value as string | null)));
    }
  } catch (error) {
    signal?.throwIfAborted();
    throw await explain(file, format, error);
  }
}

function readJson(
  file: TableFile,
  format: 'jsonl' | 'json',
  options: Readonly<Record<string, string>>,
): string {
  const all = {
    format: format === 'jsonl' ? "'newline_delimited'" : "'auto'",
    records: "'true'",
    compression: "'uncompressed'",
    ...options,
  };
  const list = Object.entries(all).map(([name, value]) => `${name} = ${value}`);
  return `read_json(${[pathLiteral(file.path), ...list].join(', ')})`;
}

/** A cell of its JSON text. */
function parseCell(json: string | null): Cell {
  if (json === null) return null;
  if (json.startsWith('{')) return { what: 'an object' };
  if (json.startsWith('[')) return { what: 'a list' };
  if (/^-?\d+$/.test(json)) return integerCell(BigInt(json));
  const value = JSON.parse(json) as string | number | boolean;
  return value;
}

async function explain(
  file: TableFile,
  format: 'jsonl' | 'json',
  error: unknown,
): Promise<unknown> {
  if (error instanceof Failure) return error;
  const encoding = await findBadEncoding(file);
  if (encoding !== undefined) return encoding;
  const expected =
    format === 'jsonl'
      ? 'expected one object a line, such as {"text": "...", "label": 1}'
      : 'expected a list of objects, such as [{"text": "...", "label": 1}]';
  const line = format === 'jsonl' ? await badLine(file) : undefined;
  if (line !== undefined) {
    const what = `line ${line.number} is not a JSON object: ${line.why}; ${expected}`;
    return fileFailure(file, what, error);
  }
  const said = duckDbReason(error, file);
  const reason = said.startsWith('json_read expected records') ? 'it holds no objects' : said;
  return fileFailure(file, `it cannot be read as JSON: ${reason}; ${expected}`, error);
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
