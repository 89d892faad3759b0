import { open } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import {
  AsyncByteQueue,
  makeData,
  RecordBatch,
  RecordBatchFileWriter,
  Struct,
  tableFromIPC,
} from 'apache-arrow';
import type { Data, Schema, Table } from 'apache-arrow';
import { diskFailure } from './disk-failure.ts';

/** Rows of a record batch, at most: fixed, so that equal rows give equal bytes. */
const BATCH_ROWS = 4096;
/** Size at which a record batch is closed early, in the unit that `size` of `inBatches` counts. */
const BATCH_SIZE = 1 << 24;

export function recordBatch(schema: Schema, columns: readonly Data[]): RecordBatch {
  const length = columns[0]?.length ?? 0;
  const type = new Struct(schema.fields);
  return new RecordBatch(schema, makeData({ type, length, nullCount: 0, children: [...columns] }));
}

/**
 * Regroups rows into the batches of an Arrow file: they depend on the rows alone, not on how the
 * rows arrived.
 */
export async function* inBatches<Row>(
  groups: AsyncIterable<readonly Row[]> | Iterable<readonly Row[]>,
  size: (row: Row) => number,
): AsyncGenerator<readonly Row[]> {
  let rows: Row[] = [];
  let total = 0;
  for await (const group of groups) {
    for (const row of group) {
      rows.push(row);
      total += size(row);
      if (rows.length === BATCH_ROWS || total >= BATCH_SIZE) {
        yield rows;
        rows = [];
        total = 0;
      }
    }
  }
  if (rows.length > 0) yield rows;
}

/**
 * Writes an Arrow IPC file, batch by batch. Equal batches give equal bytes.
 *
 * The library's own streams lose an error of the batches' source in a rejection that nobody
 * handles, so its writer is given a sink that is emptied into the file after each batch.
 *
 * @throws DiskFull, the signal's reason, or what the batches throw
 */
export async function writeArrowFile(
  path: string,
  batches: AsyncIterable<RecordBatch>,
  signal?: AbortSignal,
): Promise<void> {
  const sink = new ChunkSink();
  const writer = new RecordBatchFileWriter();
  writer.reset(sink);
  const file = await open(path, 'w');
  try {
    for await (const batch of batches) {
      signal?.throwIfAborted();
      writer.write(batch);
      await sink.flush(file, path);
    }
    writer.finish();
    await sink.flush(file, path);
  } finally {
    await file.close();
  }
}

/** Keeps what a writer writes until it is flushed. */
class ChunkSink extends AsyncByteQueue {
  #chunks: Uint8Array[] = [];

  override write(chunk: ArrayBufferView): void {
    this.#chunks.push(new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.byteLength));
  }

  async flush(file: FileHandle, path: string): Promise<void> {
    const chunks = this.#chunks;
    this.#chunks = [];
    try {
      for (const chunk of chunks) await file.writeFile(chunk);
    } catch (error) {
      throw diskFailure(error, path);
    }
  }
}

/** Reads an Arrow IPC file or stream, batch by batch, into memory. */
export async function readArrowFile(path: string): Promise<Table> {
  const file = await open(path);
  try {
    return await tableFromIPC(file);
  } finally {
    await file.close();
  }
}
