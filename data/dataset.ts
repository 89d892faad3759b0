import { join } from 'node:path';
import { Field, Int32, Schema, Utf8 } from 'apache-arrow';
import type { RecordBatch, Table, Vector } from 'apache-arrow';
import { Failure } from '../plan/failures.ts';
import { artifactFile, putArtifact, readManifest } from '../store/artifacts.ts';
import type { ArtifactDigest, Store } from '../store/store.ts';
import { int32Column, utf8Column } from './arrow-columns.ts';
import { inBatches, readArrowFile, recordBatch, writeArrowFile } from './arrow-file.ts';
import { cellReader } from './arrow-text.ts';
import { chooseSplit, checkSplitName } from './split.ts';

/** What a label is: one class of several, any number of classes, or one or more numbers. */
export type LabelKind = 'class' | 'classes' | 'number';

/** One example. `label` is an index into the dataset's labels, or null when it has none. */
export interface DatasetRow {
  readonly id: string;
  readonly text: string;
  readonly label: number | null;
}

/** Rows on their way, in groups of any size. */
export type RowGroups = AsyncIterable<readonly DatasetRow[]> | Iterable<readonly DatasetRow[]>;

export interface DatasetInfo {
  /** Number of rows, by the split's name. */
  readonly splits: { readonly [split: string]: number };
  /** Names of the classes, in the order of their indices; null for a dataset without labels. */
  readonly labels: readonly string[] | null;
}

export interface WriteOptions {
  /** An existing folder for files on their way into the store. */
  readonly directory: string;
  readonly signal?: AbortSignal;
}

/**
 * Writes a dataset artifact: one Arrow IPC file a split, with the columns `id` and `text` (Utf8)
 * and `label` (Int32, absent without labels). Equal rows give an equal digest.
 *
 * @throws InvalidInput for a split without rows or with an unfit name, DiskFull
 */
export async function writeDataset(
  store: Store,
  splits: { readonly [split: string]: RowGroups },
  labels: readonly string[] | null,
  options: WriteOptions,
): Promise<ArtifactDigest> {
  const files: Record<string, { file: string }> = {};
  const rows: Record<string, number> = {};
  for (const [split, groups] of Object.entries(splits)) {
    const path = join(options.directory, `${checkSplitName(split)}.arrow`);
    rows[split] = await writeSplit(path, groups, labels !== null, options.signal);
    if (rows[split] === 0) throw new Failure('InvalidInput', `the split "${split}" has no rows`);
    files[`${split}.arrow`] = { file: path };
  }
  return putArtifact(store, { type: 'dataset', metadata: { splits: rows, labels }, files });
}

/**
 * What a dataset holds.
 * @throws NotFound, CorruptArtifact, InvalidInput when the artifact is no dataset
 */
export async function readDatasetInfo(store: Store, digest: ArtifactDigest): Promise<DatasetInfo> {
  const { metadata } = await readManifest(store, digest, 'dataset');
  return metadata as unknown as DatasetInfo;
}

/** The rows of one split, held in Arrow's columns and decoded as they are read. */
export class DatasetSplit {
  readonly name: string;
  readonly labels: readonly string[] | null;
  readonly length: number;
  readonly #table: Table;

  constructor(name: string, labels: readonly string[] | null, table: Table) {
    this.name = name;
    this.labels = labels;
    this.length = table.numRows;
    this.#table = table;
  }

  /** All rows, in order. */
  rows(): Iterable<DatasetRow> {
    return this.select(Uint32Array.from({ length: this.length }, (_, index) => index));
  }

  /** The rows at the given indices, in that order. */
  *select(indices: Iterable<number>): Iterable<DatasetRow> {
    const id = cellReader(this.#table.getChild('id') as Vector<Utf8>);
    const text = cellReader(this.#table.getChild('text') as Vector<Utf8>);
    const labels = this.#table.getChild('label') as Vector<Int32> | null;
    for (const index of indices) {
      yield {
        id: id(index) as string,
        text: text(index) as string,
        label: labels?.get(index) ?? null,
      };
    }
  }
}

/**
 * Reads a split of a dataset artifact; without a name, the only one.
 * @throws InvalidInput when there is no such split or several to choose from, NotFound,
 * CorruptArtifact
 */
export async function readSplit(
  store: Store,
  digest: ArtifactDigest,
  split?: string,
): Promise<DatasetSplit> {
  const manifest = await readManifest(store, digest, 'dataset');
  const info = manifest.metadata as unknown as DatasetInfo;
  const name = chooseSplit(Object.keys(info.splits), split);
  const path = await artifactFile(store, manifest, `${name}.arrow`);
  return new DatasetSplit(name, info.labels, await readArrowFile(path));
}

async function writeSplit(
  path: string,
  groups: RowGroups,
  labelled: boolean,
  signal: AbortSignal | undefined,
): Promise<number> {
  const schema = new Schema([
    new Field('id', new Utf8(), false),
    new Field('text', new Utf8(), false),
    ...(labelled ? [new Field('label', new Int32(), false)] : []),
  ]);
  let count = 0;
  async function* batches(): AsyncGenerator<RecordBatch> {
    for await (const rows of inBatches(groups, (row) => row.text.length)) {
      count += rows.length;
      yield recordBatch(schema, [
        utf8Column(rows.map((row) => row.id)),
        utf8Column(rows.map((row) => row.text)),
        ...(labelled ? [int32Column(labelIndices(rows))] : []),
      ]);
    }
  }
  await writeArrowFile(path, batches(), signal);
  return count;
}

function labelIndices(rows: readonly DatasetRow[]): Int32Array {
  return Int32Array.from(rows, ({ id, label }) => {
    if (label === null) throw new Error(`internal: row ${id} of a labelled dataset has no label`);
    return label;
  });
}
