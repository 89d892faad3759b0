import { join } from 'node:path';
import { Field, Int32, List, Schema, Utf8 } from 'apache-arrow';
import type { RecordBatch, Vector } from 'apache-arrow';
import { artifactFile, putArtifact, readManifest } from '../store/artifacts.ts';
import type { ArtifactDigest, BlobDigest, Store } from '../store/store.ts';
import {
  inBatches,
  int32Column,
  int32ListColumn,
  readArrowFile,
  recordBatch,
  utf8Column,
  writeArrowFile,
} from './arrow-file.ts';
import { cellReader } from './arrow-text.ts';
import type { WriteOptions } from './dataset.ts';
import { chooseSplit } from './split.ts';

/** Tokenized examples of a split, N of them, in the dataset's order. */
export interface TokenizedRows {
  /** N row ids. */
  readonly ids: readonly string[];
  /** The tokens of all rows, one after the other. */
  readonly inputIds: Int32Array;
  /** N + 1 indices into `inputIds`: row i is offsets[i] .. offsets[i + 1], exclusive. */
  readonly offsets: Int32Array;
  /** N class indices, or null for a dataset without labels. */
  readonly labels: Int32Array | null;
}

/** What a tokenized dataset's manifest says of it. */
export interface TokenizedDatasetInfo {
  /** Number of rows, by the split's name. */
  readonly splits: { readonly [split: string]: number };
  readonly labels: readonly string[] | null;
  readonly pad_token: string;
  readonly pad_token_id: number;
  /** Longest row allowed, in tokens; null when rows were not truncated. */
  readonly max_length: number | null;
  /** Digest of the tokenizer.json used. */
  readonly tokenizer: BlobDigest;
  /** Tokens in all rows, after truncation. */
  readonly tokens: number;
  /** Rows that were longer than max_length. */
  readonly truncated: number;
}

export interface TokenizedRow {
  readonly id: string;
  readonly inputIds: Int32Array;
  readonly label: number | null;
}

/**
 * Writes the Arrow IPC file of one split: `id` (Utf8), `input_ids` (List<Int32>) and, with labels,
 * `label` (Int32).
 * @returns the number of rows
 * @throws DiskFull
 */
export async function writeTokenizedSplit(
  path: string,
  groups: AsyncIterable<readonly TokenizedRow[]> | Iterable<readonly TokenizedRow[]>,
  labelled: boolean,
  signal?: AbortSignal,
): Promise<number> {
  const schema = new Schema([
    new Field('id', new Utf8(), false),
    new Field('input_ids', new List(new Field('item', new Int32(), false)), false),
    ...(labelled ? [new Field('label', new Int32(), false)] : []),
  ]);
  let count = 0;
  async function* batches(): AsyncGenerator<RecordBatch> {
    for await (const rows of inBatches(groups, (row) => 4 * row.inputIds.length)) {
      count += rows.length;
      yield recordBatch(schema, [
        utf8Column(rows.map((row) => row.id)),
        int32ListColumn(rows.map((row) => row.inputIds)),
        ...(labelled ? [int32Column(Int32Array.from(rows, (row) => row.label as number))] : []),
      ]);
    }
  }
  await writeArrowFile(path, batches(), signal);
  return count;
}

/** Writes a tokenized-dataset artifact of files that `writeTokenizedSplit` wrote. */
export async function putTokenizedDataset(
  store: Store,
  info: TokenizedDatasetInfo,
  options: Pick<WriteOptions, 'directory'>,
): Promise<ArtifactDigest> {
  const files = Object.fromEntries(
    Object.keys(info.splits).map((split) => [
      `${split}.arrow`,
      { file: join(options.directory, `${split}.arrow`) },
    ]),
  );
  return putArtifact(store, { type: 'tokenized-dataset', metadata: { ...info }, files });
}

/** Reads a split's Arrow file into flat arrays. */
export async function readTokenizedSplit(path: string): Promise<TokenizedRows> {
  const table = await readArrowFile(path);
  const id = cellReader(table.getChild('id') as Vector<Utf8>);
  const ids = Array.from({ length: table.numRows }, (_, row) => id(row) as string);
  const offsets = new Int32Array(table.numRows + 1);
  const lists = (table.getChild('input_ids') as Vector<List<Int32>>).data;
  let row = 0;
  for (const { valueOffsets, length } of lists) {
    for (let i = 0; i < length; i++, row++) {
      const tokens = (valueOffsets[i + 1] as number) - (valueOffsets[i] as number);
      offsets[row + 1] = (offsets[row] as number) + tokens;
    }
  }
  const inputIds = new Int32Array(offsets[table.numRows] as number);
  let at = 0;
  for (const { children, valueOffsets, length } of lists) {
    const values = children[0]?.values as Int32Array;
    const part = values.subarray(valueOffsets[0], valueOffsets[length]);
    inputIds.set(part, at);
    at += part.length;
  }
  const labels = table.getChild('label') as Vector<Int32> | null;
  return { ids, inputIds, offsets, labels: labels === null ? null : labels.toArray() };
}

/**
 * What a tokenized dataset says of itself.
 * @throws NotFound, CorruptArtifact, InvalidInput when the artifact is no tokenized dataset
 */
export async function readTokenizedDatasetInfo(
  store: Store,
  digest: ArtifactDigest,
): Promise<TokenizedDatasetInfo> {
  const { metadata } = await readManifest(store, digest, 'tokenized-dataset');
  return metadata as unknown as TokenizedDatasetInfo;
}

/**
 * Verified local path of the Arrow file of one split; without a name, of the only one.
 * @throws InvalidInput, NotFound, CorruptArtifact
 */
export async function tokenizedSplitFile(
  store: Store,
  digest: ArtifactDigest,
  split?: string,
): Promise<string> {
  const manifest = await readManifest(store, digest, 'tokenized-dataset');
  const { splits } = manifest.metadata as unknown as TokenizedDatasetInfo;
  return artifactFile(store, manifest, `${chooseSplit(Object.keys(splits), split)}.arrow`);
}
