import type { DuckDBBlobValue, DuckDBListValue } from '@duckdb/node-api';
import { Failure } from '../../plan/failures.ts';
import type { JsonValue } from '../../plan/json.ts';
import { decodeText } from '../exact-text.ts';
import { duckDbReason, literal, pathLiteral, queryColumns, queryRows } from './duckdb.ts';
import { fileFailure, parseClassNames, toCell } from './table.ts';
import type { Cell, CellRows, Table, TableFile } from './table.ts';

interface Column {
  readonly name: string;
  /** DuckDB's. */
  readonly type: string;
}

/**
 * Opens a parquet file. ClassLabel names come from what `datasets` wrote into its footer.
 * @throws InvalidInput when it is no parquet file
 */
export async function openParquet(file: TableFile): Promise<Table> {
  try {
    const columns = await columnsOf(file);
    const classNames = parseClassNames(await huggingFaceMetadata(file));
    return {
      file,
      columns: columns.map(({ name }) => name),
      untyped: false,
      classNames: (column) => classNames.get(column),
      scan: (wanted, signal) => scan(file, columns, wanted, signal),
    };
  } catch (error) {
    throw unreadable(file, error);
  }
}

/** The file's columns alone: else the folder of `text=en/a.parquet` adds or replaces one. */
function readParquet(file: TableFile): string {
  return `read_parquet(${pathLiteral(file.path)}, hive_partitioning = false)`;
}

/** Names are the file's: DuckDB makes up others where two are equal but for their case. */
async function columnsOf(file: TableFile): Promise<readonly Column[]> {
  const typed = await queryColumns(`SELECT * FROM ${readParquet(file)}`);
  const names = await columnNames(file);
  if (names.length !== typed.length) {
    throw new Error(`internal: ${names.length} columns in its schema, ${typed.length} read`);
  }
  return typed.map(({ type }, index) => ({ name: names[index] as string, type }));
}

async function columnNames(file: TableFile): Promise<readonly string[]> {
  const sql = `SELECT name, num_children FROM parquet_schema(${pathLiteral(file.path)}) OFFSET 1`;
  const names: string[] = [];
  // The schema is a tree, depth first: how many nodes are still to come below the last column.
  let below = 0;
  for await (const rows of queryRows(sql)) {
    for (const [name, children] of rows) {
      if (below === 0) names.push(String(name));
      else below -= 1;
      below += Number(children ?? 0);
    }
  }
  return names;
}

async function huggingFaceMetadata(file: TableFile): Promise<string | undefined> {
  const sql =
    `SELECT decode(value) FROM parquet_kv_metadata(${pathLiteral(file.path)}) ` +
    `WHERE decode(key) = ${literal('huggingface')}`;
  for await (const rows of queryRows(sql)) return rows[0]?.[0] as string;
  return undefined;
}

async function* scan(
  file: TableFile,
  columns: readonly Column[],
  wanted: readonly string[],
  signal: AbortSignal | undefined,
): AsyncGenerator<CellRows> {
  const places = wanted.map((name) => columns.findIndex((column) => column.name === name));
  const types = places.map((place) => columns[place]?.type as string);
  const selected = places.map((place, index) => selection(`c${place}`, types[index] as string));
  const aliases = columns.map((_, place) => `c${place}`).join(', ');
  const sql = `SELECT ${selected.join(', ')} FROM ${readParquet(file)} AS file(${aliases})`;
  try {
    for await (const rows of queryRows(sql, signal)) {
      yield rows.map((row) => row.map((value, index) => cellOf(value, types[index] as string)));
    }
  } catch (error) {
    signal?.throwIfAborted();
    throw unreadable(file, error);
  }
}

const NESTED = /^(STRUCT|MAP)\(|\]$/;
/** Lists of numbers come as they are: JSON has no word for a NaN. */
const NUMBERS = /^(FLOAT|DOUBLE|U?(TINY|SMALL|BIG)?INT(EGER)?)\[\d*\]$/;

/** Texts come as bytes, and what holds texts as the bytes of its JSON. */
function selection(column: string, type: string): string {
  if (type === 'VARCHAR') return `encode(${column})`;
  return NESTED.test(type) && !NUMBERS.test(type) ? `encode(to_json(${column})::VARCHAR)` : column;
}

function cellOf(value: unknown, type: string): Cell {
  if (value === null) return null;
  if (type === 'VARCHAR') return decodeText((value as DuckDBBlobValue).bytes);
  if (!NESTED.test(type)) return toCell(value, type);
  const what = `a value of type ${type}`;
  if (NUMBERS.test(type)) {
    return { what, value: (value as DuckDBListValue).items.map(plainNumber) };
  }
  const json = decodeText((value as DuckDBBlobValue).bytes);
  return { what, value: JSON.parse(json) as JsonValue };
}

function plainNumber(item: unknown): number | null {
  return item === null ? null : Number(item);
}

function unreadable(file: TableFile, error: unknown): Error {
  if (error instanceof Failure) return error;
  return fileFailure(
    file,
    `it cannot be read as parquet: ${duckDbReason(error, file)}; check that it is complete, or set format`,
    error,
  );
}
