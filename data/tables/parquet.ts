import { Failure } from '../../plan/failures.ts';
import {
  duckDbReason,
  identifier,
  literal,
  pathLiteral,
  queryColumns,
  queryRows,
} from './duckdb.ts';
import { fileFailure, parseClassNames, toCell } from './table.ts';
import type { CellRows, Table, TableFile } from './table.ts';

/**
 * Opens a parquet file. ClassLabel names come from what `datasets` wrote into its footer.
 * @throws InvalidInput when it is no parquet file
 */
export async function openParquet(file: TableFile): Promise<Table> {
  try {
    const columns = await queryColumns(`SELECT * FROM ${readParquet(file)}`);
    const types = new Map(columns.map(({ name, type }) => [name, type]));
    const classNames = parseClassNames(await huggingFaceMetadata(file));
    return {
      file,
      columns: columns.map(({ name }) => name),
      untyped: false,
      classNames: (column) => classNames.get(column),
      scan: (wanted, signal) => scan(file, types, wanted, signal),
    };
  } catch (error) {
    throw unreadable(file, error);
  }
}

function readParquet(file: TableFile): string {
  return `read_parquet(${pathLiteral(file.path)})`;
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
  types: ReadonlyMap<string, string>,
  columns: readonly string[],
  signal: AbortSignal | undefined,
): AsyncGenerator<CellRows> {
  const sql = `SELECT ${columns.map(identifier).join(', ')} FROM ${readParquet(file)}`;
  const columnTypes = columns.map((column) => types.get(column) ?? 'unknown');
  try {
    for await (const rows of queryRows(sql, signal)) {
      yield rows.map((row) => row.map((value, index) => toCell(value, columnTypes[index] ?? '')));
    }
  } catch (error) {
    signal?.throwIfAborted();
    throw unreadable(file, error);
  }
}

function unreadable(file: TableFile, error: unknown): Error {
  if (error instanceof Failure) return error;
  return fileFailure(
    file,
    `it cannot be read as parquet: ${duckDbReason(error, file)}; check that it is complete, or set format`,
    error,
  );
}
