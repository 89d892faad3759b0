import { DuckDBInstance } from '@duckdb/node-api';
import type { DuckDBConnection } from '@duckdb/node-api';
import { Failure } from '../../plan/failures.ts';
import type { TableFile } from './table.ts';

/** Within this, DuckDB spills or fails; reading a file row by row needs far less. */
const MEMORY_LIMIT = '1GB';

let opened: Promise<DuckDBInstance> | undefined;

/**
 * A connection to an empty database in memory. One thread: rows come in the order of the file, and
 * the cores stay free for training. It loads no extension and nothing from the network.
 */
async function connectDuckDb(): Promise<DuckDBConnection> {
  opened ??= DuckDBInstance.create(':memory:', {
    threads: '1',
    preserve_insertion_order: 'true',
    memory_limit: MEMORY_LIMIT,
    autoinstall_known_extensions: 'false',
    autoload_known_extensions: 'false',
  });
  return (await opened).connect();
}

/** Runs one query on a connection of its own, row by row of its result. */
export async function* queryRows(
  sql: string,
  signal?: AbortSignal,
): AsyncGenerator<readonly (readonly unknown[])[]> {
  const connection = await connectDuckDb();
  try {
    const result = await connection.stream(sql);
    for (;;) {
      signal?.throwIfAborted();
      const chunk = await result.fetchChunk();
      if (chunk === null || chunk.rowCount === 0) return;
      yield chunk.getRows();
    }
  } catch (error) {
    throw outOfMemory(error) ?? error;
  } finally {
    connection.closeSync();
  }
}

function outOfMemory(error: unknown): Failure | undefined {
  if (!(error instanceof Error) || !error.message.startsWith('Out of Memory')) return undefined;
  return new Failure(
    'OutOfMemory',
    `reading a file took more than ${MEMORY_LIMIT}: write it as several smaller files`,
    { cause: error },
  );
}

/** A query's columns: names and types. */
export async function queryColumns(
  sql: string,
): Promise<readonly { name: string; type: string }[]> {
  const columns: { name: string; type: string }[] = [];
  for await (const rows of queryRows(`DESCRIBE ${sql}`)) {
    for (const [name, type] of rows) columns.push({ name: String(name), type: String(type) });
  }
  return columns;
}

/** A text as an SQL literal. */
export function literal(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}

/** A column's name as an SQL identifier. */
export function identifier(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

/** A path as an SQL literal that stands for that file alone, whatever wildcards it looks to hold. */
export function pathLiteral(path: string): string {
  return literal(path.replace(/[[*?]/g, '[$&]'));
}

/**
 * What DuckDB says went wrong with a file, without our SQL, its own advice, our path, and the
 * position in JSON, where it is off by one.
 */
export function duckDbReason(error: unknown, file: TableFile): string {
  const message = error instanceof Error ? error.message : String(error);
  const [first = message] = message.split('\n');
  return first
    .replace(/^[\w ]+ Error: /, '')
    .replaceAll(` in file "${file.path}",`, '')
    .replaceAll(file.path, file.display)
    .replace(/^Malformed JSON at byte \d+ in (line|record\/value) \d+: /, '')
    .replace(/\s*(Try|See) .*$/, '')
    .replace(/[.\s]+$/, '');
}
