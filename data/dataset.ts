import { join } from 'node:path';
import { Field, Float64, Int32, Schema, Utf8 } from 'apache-arrow';
import type { Data, RecordBatch, Table, Vector } from 'apache-arrow';
import { Failure } from '../plan/failures.ts';
import { artifactFile, putArtifact, readManifest } from '../store/artifacts.ts';
import type { ArtifactDigest, ArtifactManifest, Store } from '../store/store.ts';
import {
  float64ListColumn,
  int32Column,
  int32ListColumn,
  listOf,
  utf8Column,
} from './arrow-columns.ts';
import { inBatches, readArrowFile, recordBatch, writeArrowFile } from './arrow-file.ts';
import { cellReader } from './arrow-text.ts';
import type { Message } from './messages.ts';
import { chooseSplit, checkSplitName } from './split.ts';

/** What a label is: one class of several, any number of classes, or one or more numbers. */
export type LabelKind = 'class' | 'classes' | 'number';

/** What the rows hold: a text, a prompt and its completion, or the messages of a conversation. */
export type ContentKind = 'text' | 'completion' | 'messages';

/**
 * By the dataset's label kind: an index into its labels (class), any number of such indices
 * (classes), or as many numbers in every row (number). Null for a dataset without labels.
 */
export type RowLabel = number | readonly number[] | null;

export type RowContent =
  | { readonly text: string }
  | { readonly prompt: string; readonly completion: string }
  | { readonly messages: readonly Message[] };

/** One example. */
export type DatasetRow = RowContent & { readonly id: string; readonly label: RowLabel };

/** Rows on their way, in groups of any size. */
export type RowGroups = AsyncIterable<readonly DatasetRow[]> | Iterable<readonly DatasetRow[]>;

/** What a dataset's rows are. */
export interface DatasetShape {
  readonly content: ContentKind;
  /** Null for a dataset without labels. */
  readonly labelKind: LabelKind | null;
  /** Names of the classes, in the order of their indices; null without classes. */
  readonly labels: readonly string[] | null;
}

export interface DatasetInfo extends DatasetShape {
  /** Number of rows, by the split's name. */
  readonly splits: { readonly [split: string]: number };
}

/** What the manifest says; without `content` and `label_kind`: texts, and one class a row. */
interface DatasetMetadata {
  readonly splits: { readonly [split: string]: number };
  readonly labels: readonly string[] | null;
  readonly content?: ContentKind;
  readonly label_kind?: LabelKind;
}

export interface WriteOptions {
  /** An existing folder for files on their way into the store. */
  readonly directory: string;
  readonly signal?: AbortSignal;
}

/**
 * Writes a dataset artifact: one Arrow IPC file a split, with the columns `id` (Utf8), `text`, or
 * `prompt` and `completion`, or `messages` (Utf8, the last as JSON), and with labels `label`
 * (Int32; List<Int32> of classes; List<Float64> of numbers). Equal rows give an equal digest.
 *
 * @throws InvalidInput for a split without rows or with an unfit name, DiskFull
 */
export async function writeDataset(
  store: Store,
  splits: { readonly [split: string]: RowGroups },
  shape: DatasetShape,
  options: WriteOptions,
): Promise<ArtifactDigest> {
  const files: Record<string, { file: string }> = {};
  const rows: Record<string, number> = {};
  for (const [split, groups] of Object.entries(splits)) {
    const path = join(options.directory, `${checkSplitName(split)}.arrow`);
    rows[split] = await writeSplit(path, groups, shape, options.signal);
    if (rows[split] === 0) throw new Failure('InvalidInput', `the split "${split}" has no rows`);
    files[`${split}.arrow`] = { file: path };
  }
  const { content, labelKind, labels } = shape;
  const metadata: DatasetMetadata = {
    ...{ splits: rows, labels },
    ...(content !== 'text' && { content }),
    ...(labelKind !== null && labelKind !== 'class' && { label_kind: labelKind }),
  };
  return putArtifact(store, { type: 'dataset', metadata: { ...metadata }, files });
}

/**
 * What a dataset holds.
 * @throws NotFound, CorruptArtifact, InvalidInput when the artifact is no dataset
 */
export async function readDatasetInfo(store: Store, digest: ArtifactDigest): Promise<DatasetInfo> {
  return infoOf(await readManifest(store, digest, 'dataset'));
}

function infoOf(manifest: ArtifactManifest): DatasetInfo {
  const { splits, labels, ...more } = manifest.metadata as unknown as DatasetMetadata;
  const labelKind = more.label_kind ?? (labels === null ? null : 'class');
  return { splits, labels, labelKind, content: more.content ?? 'text' };
}

/** The rows of one split, held in Arrow's columns and decoded as they are read. */
export class DatasetSplit {
  readonly name: string;
  readonly shape: DatasetShape;
  readonly length: number;
  readonly #table: Table;

  constructor(name: string, shape: DatasetShape, table: Table) {
    this.name = name;
    this.shape = shape;
    this.length = table.numRows;
    this.#table = table;
  }

  /** All rows, in order. */
  rows(): Iterable<DatasetRow> {
    return this.select(Uint32Array.from({ length: this.length }, (_, index) => index));
  }

  /** The rows at the given indices, in that order. */
  *select(indices: Iterable<number>): Iterable<DatasetRow> {
    const id = this.#texts('id');
    const content = this.#contentReader();
    const column = this.#table.getChild('label');
    const label = column === null ? () => null : cellReader(column);
    for (const index of indices) {
      yield { id: id(index), ...content(index), label: label(index) as RowLabel };
    }
  }

  #texts(column: string): (row: number) => string {
    return cellReader(this.#table.getChild(column) as Vector<Utf8>) as (row: number) => string;
  }

  #contentReader(): (row: number) => RowContent {
    switch (this.shape.content) {
      case 'text': {
        const text = this.#texts('text');
        return (row) => ({ text: text(row) });
      }
      case 'completion': {
        const [prompt, completion] = [this.#texts('prompt'), this.#texts('completion')];
        return (row) => ({ prompt: prompt(row), completion: completion(row) });
      }
      case 'messages': {
        const messages = this.#texts('messages');
        return (row) => ({ messages: JSON.parse(messages(row)) as readonly Message[] });
      }
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
  const info = infoOf(manifest);
  const name = chooseSplit(Object.keys(info.splits), split);
  const path = await artifactFile(store, manifest, `${name}.arrow`);
  return new DatasetSplit(name, info, await readArrowFile(path));
}

async function writeSplit(
  path: string,
  groups: RowGroups,
  shape: DatasetShape,
  signal: AbortSignal | undefined,
): Promise<number> {
  const schema = schemaOf(shape);
  let count = 0;
  async function* batches(): AsyncGenerator<RecordBatch> {
    for await (const rows of inBatches(groups, sizeOf)) {
      count += rows.length;
      const texts = rows.map(textsOf);
      yield recordBatch(schema, [
        utf8Column(rows.map((row) => row.id)),
        ...CONTENT_COLUMNS[shape.content].map((_, column) =>
          utf8Column(texts.map((row) => row[column] as string)),
        ),
        ...labelColumn(rows, shape.labelKind),
      ]);
    }
  }
  await writeArrowFile(path, batches(), signal);
  return count;
}

const CONTENT_COLUMNS = {
  text: ['text'],
  completion: ['prompt', 'completion'],
  messages: ['messages'],
} as const;

const LABEL_TYPES = {
  class: () => new Int32(),
  classes: () => listOf(new Int32()),
  number: () => listOf(new Float64()),
};

function schemaOf({ content, labelKind }: DatasetShape): Schema {
  return new Schema([
    new Field('id', new Utf8(), false),
    ...CONTENT_COLUMNS[content].map((name) => new Field(name, new Utf8(), false)),
    ...(labelKind === null ? [] : [new Field('label', LABEL_TYPES[labelKind](), false)]),
  ]);
}

/** A row's texts, in the order of their columns. */
function textsOf(row: DatasetRow): readonly string[] {
  if ('text' in row) return [row.text];
  return 'messages' in row ? [JSON.stringify(row.messages)] : [row.prompt, row.completion];
}

function sizeOf(row: DatasetRow): number {
  return textsOf(row).reduce((sum, text) => sum + text.length, 0);
}

function labelColumn(rows: readonly DatasetRow[], kind: LabelKind | null): Data[] {
  const labels = rows.map(({ id, label }) => {
    if (kind === null || label !== null) return label;
    throw new Error(`internal: row ${id} of a labelled dataset has no label`);
  });
  switch (kind) {
    case null:
      return [];
    case 'class':
      return [int32Column(Int32Array.from(labels as readonly number[]))];
    case 'classes':
      return [int32ListColumn(labels as readonly (readonly number[])[])];
    case 'number':
      return [float64ListColumn(labels as readonly (readonly number[])[])];
  }
}
