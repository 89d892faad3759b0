import { createReadStream } from 'node:fs';
import { open, stat } from 'node:fs/promises';
import { RecordBatchReader } from 'apache-arrow';
import type { RecordBatch, Schema, Vector } from 'apache-arrow';
import { cellReader, isNested } from '../arrow-text.ts';
import { readPrefix } from './text-file.ts';
import { fileFailure, parseClassNames, toCell } from './table.ts';
import type { Cell, CellRows, Table, TableFile } from './table.ts';

const FILE_MAGIC = Buffer.from('ARROW1');
const STREAM_START = Buffer.from([0xff, 0xff, 0xff, 0xff]);

/**
 * Opens an Arrow IPC file or stream, such as `datasets` saves to disk.
 * @throws InvalidInput when it is neither, is cut short, or compressed
 */
export async function openArrow(file: TableFile): Promise<Table> {
  await checkMagic(file);
  const schema = await schemaOf(file);
  const classNames = parseClassNames(schema.metadata.get('huggingface'));
  return {
    file,
    columns: schema.fields.map((field) => field.name),
    untyped: false,
    classNames: (column) => classNames.get(column),
    scan: (columns, signal) => scan(file, columns, signal),
  };
}

async function checkMagic(file: TableFile): Promise<void> {
  const start = await readPrefix(file.path, FILE_MAGIC.length);
  if (start.subarray(0, STREAM_START.length).equals(STREAM_START)) return;
  if (!start.equals(FILE_MAGIC)) throw unreadable(file, 'it does not begin as one');
  const { size } = await stat(file.path);
  const handle = await open(file.path);
  try {
    const end = Buffer.alloc(FILE_MAGIC.length);
    await handle.read({ buffer: end, position: size - end.length });
    if (!end.equals(FILE_MAGIC)) throw unreadable(file, 'it is cut short');
  } finally {
    await handle.close();
  }
}

async function schemaOf(file: TableFile): Promise<Schema> {
  const input = createReadStream(file.path);
  try {
    const reader = await (await RecordBatchReader.from(input)).open();
    return reader.schema;
  } catch (error) {
    throw unreadable(file, (error as Error).message, error);
  } finally {
    input.destroy();
  }
}

async function* scan(
  file: TableFile,
  columns: readonly string[],
  signal: AbortSignal | undefined,
): AsyncGenerator<CellRows> {
  const input = createReadStream(file.path);
  try {
    for await (const batch of await RecordBatchReader.from(input)) {
      signal?.throwIfAborted();
      yield cellRows(batch, columns);
    }
  } catch (error) {
    signal?.throwIfAborted();
    throw unreadable(file, (error as Error).message, error);
  } finally {
    input.destroy();
  }
}

function cellRows(batch: RecordBatch, columns: readonly string[]): CellRows {
  const readers = columns.map((column) => {
    const vector = batch.getChild(column) as Vector;
    return { cell: cellReader(vector), type: String(vector.type) };
  });
  return Array.from({ length: batch.numRows }, (_, row) =>
    readers.map(({ cell, type }) => cellOf(cell(row), type)),
  );
}

function cellOf(value: unknown, type: string): Cell {
  if (!isNested(value)) return toCell(value, type);
  return { what: `a value of type ${type}`, value };
}

function unreadable(file: TableFile, why: string, cause?: unknown): Error {
  return fileFailure(
    file,
    `it cannot be read as an Arrow file: ${why}; check that it is complete and not compressed, or ` +
      'set format',
    cause,
  );
}
