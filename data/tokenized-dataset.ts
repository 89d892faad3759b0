import { join } from 'node:path';
import { Field, Float32, Int32, Schema, Uint8, Utf8 } from 'apache-arrow';
import type { Data, FixedSizeList, List, RecordBatch, Vector } from 'apache-arrow';
import { artifactFile, putArtifact, readManifest } from '../store/artifacts.ts';
import type { ArtifactDigest, BlobDigest, Store } from '../store/store.ts';
import {
  fixedListOf,
  float32VectorColumn,
  int32Column,
  int32ListColumn,
  listOf,
  uint8ListColumn,
  utf8Column,
} from './arrow-columns.ts';
import { inBatches, readArrowFile, recordBatch, writeArrowFile } from './arrow-file.ts';
import { cellReader } from './arrow-text.ts';
import type { LabelKind, WriteOptions } from './dataset.ts';
import { chooseSplit } from './split.ts';

/** Tokenized examples of a split, N of them, in the dataset's order. */
export interface TokenizedRows {
  /** N row ids. */
  readonly ids: readonly string[];
  /** The tokens of all rows, one after the other. */
  readonly inputIds: Int32Array;
  /** N + 1 indices into `inputIds`: row i is offsets[i] .. offsets[i + 1], exclusive. */
  readonly offsets: Int32Array;
  /** N class indices where a row has one label, else null. */
  readonly labels: Int32Array | null;
  /**
   * N * valuesPerRow: the numbers to predict, or 1 for each class that a row has and 0 for the
   * others (several labels a row); else null.
   */
  readonly values: Float32Array | null;
  /** Numbers to predict, or classes there are; 0 when `values` is null. */
  readonly valuesPerRow: number;
  /** As `inputIds`: 1 where the loss counts a token, 0 in a prompt; null when all count. */
  readonly completionMask: Uint8Array | null;
}

/** What a tokenized dataset's manifest says of it. */
export interface TokenizedDatasetInfo {
  /** Number of rows, by the split's name. */
  readonly splits: { readonly [split: string]: number };
  /** Names of the classes, in the order of their indices; null without classes. */
  readonly labels: readonly string[] | null;
  /** Null for a dataset without labels. */
  readonly label_kind: LabelKind | null;
  readonly pad_token: string;
  readonly pad_token_id: number;
  /** Longest row allowed, in tokens; null when rows were not truncated. */
  readonly max_length: number | null;
  /** Digest of the tokenizer.json used. */
  readonly tokenizer: BlobDigest;
  /** The template that messages were written with; null for other rows. */
  readonly chat_template: string | null;
  /** Tokens in all rows, after truncation. */
  readonly tokens: number;
  /** Rows that were longer than max_length. */
  readonly truncated: number;
}

export interface TokenizedRow {
  readonly id: string;
  readonly inputIds: Int32Array;
  /** Class index, in a dataset whose rows have one. */
  readonly label: number | null;
  /** See `TokenizedRows`. */
  readonly values: Float32Array | null;
  readonly completionMask: Uint8Array | null;
}

/** Which columns the rows of a split have beside `id` and `input_ids`. */
export interface TokenizedColumns {
  readonly label: boolean;
  /** 0 for no column `values`. */
  readonly valuesPerRow: number;
  readonly completionMask: boolean;
}

/**
 * Writes the Arrow IPC file of one split: `id` (Utf8), `input_ids` (List<Int32>), and where the
 * rows have them `label` (Int32), `values` (FixedSizeList<Float32>) and `completion_mask`
 * (List<Uint8>).
 * @returns the number of rows
 * @throws DiskFull
 */
export async function writeTokenizedSplit(
  path: string,
  groups: AsyncIterable<readonly TokenizedRow[]> | Iterable<readonly TokenizedRow[]>,
  columns: TokenizedColumns,
  signal?: AbortSignal,
): Promise<number> {
  const schema = schemaOf(columns);
  let count = 0;
  async function* batches(): AsyncGenerator<RecordBatch> {
    for await (const rows of inBatches(groups, sizeOf)) {
      count += rows.length;
      yield recordBatch(schema, columnsOf(rows, columns));
    }
  }
  await writeArrowFile(path, batches(), signal);
  return count;
}

/** Bytes of a row, roughly. */
function sizeOf({ inputIds, values }: TokenizedRow): number {
  return 4 * (inputIds.length + (values?.length ?? 0));
}

function schemaOf({ label, valuesPerRow, completionMask }: TokenizedColumns): Schema {
  return new Schema([
    new Field('id', new Utf8(), false),
    new Field('input_ids', listOf(new Int32()), false),
    ...(label ? [new Field('label', new Int32(), false)] : []),
    ...(valuesPerRow > 0
      ? [new Field('values', fixedListOf(new Float32(), valuesPerRow), false)]
      : []),
    ...(completionMask ? [new Field('completion_mask', listOf(new Uint8()), false)] : []),
  ]);
}

function columnsOf(
  rows: readonly TokenizedRow[],
  { label, valuesPerRow, completionMask }: TokenizedColumns,
): Data[] {
  const columns: Data[] = [
    utf8Column(rows.map((row) => row.id)),
    int32ListColumn(rows.map((row) => row.inputIds)),
  ];
  if (label) columns.push(int32Column(Int32Array.from(rows, (row) => row.label as number)));
  if (valuesPerRow > 0) {
    const vectors = rows.map((row) => row.values as Float32Array);
    columns.push(float32VectorColumn(vectors, valuesPerRow));
  }
  if (completionMask) {
    columns.push(uint8ListColumn(rows.map((row) => row.completionMask as Uint8Array)));
  }
  return columns;
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
  const tokens = table.getChild('input_ids') as Vector<List<Int32>>;
  const labels = table.getChild('label') as Vector<Int32> | null;
  const vectors = table.getChild('values') as Vector<FixedSizeList<Float32>> | null;
  const mask = table.getChild('completion_mask') as Vector<List<Uint8>> | null;
  const offsets = offsetsOf(tokens);
  const count = offsets[table.numRows] as number;
  const valuesPerRow = vectors?.type.listSize ?? 0;
  return {
    ids: Array.from({ length: table.numRows }, (_, row) => id(row) as string),
    inputIds: copyItems(tokens, new Int32Array(count)),
    offsets,
    labels: labels === null ? null : labels.toArray(),
    values: vectors && copyItems(vectors, new Float32Array(table.numRows * valuesPerRow)),
    valuesPerRow,
    completionMask: mask && copyItems(mask, new Uint8Array(count)),
  };
}

/** Where each list begins among the items of all, and the last one ends. */
function offsetsOf(lists: Vector<List<Int32>>): Int32Array {
  const offsets = new Int32Array(lists.length + 1);
  let row = 0;
  for (const { valueOffsets, length } of lists.data) {
    for (let i = 0; i < length; i++, row++) {
      const items = (valueOffsets[i + 1] as number) - (valueOffsets[i] as number);
      offsets[row + 1] = (offsets[row] as number) + items;
    }
  }
  return offsets;
}

/** The items of all lists, one after the other. */
function copyItems<T extends Int32Array | Float32Array | Uint8Array>(
  lists: Vector<List | FixedSizeList>,
  into: T,
): T {
  let at = 0;
  for (const { children } of lists.data) {
    const [items] = children as [Data];
    // Arrow pads its buffers.
    into.set((items.values as T).subarray(0, items.length), at);
    at += items.length;
  }
  return into;
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
