import { Failure } from '../plan/failures.ts';
import type { ArtifactDigest, Store } from '../store/store.ts';
import { readSplit, writeDataset } from './dataset.ts';
import type { DatasetRow, DatasetSplit, WriteOptions } from './dataset.ts';
import { permutation } from './shuffle.ts';
import { counted } from './wording.ts';

const GROUP_ROWS = 1024;

export interface SubsetSelection {
  /** Which split to take from; without it, the only one. */
  readonly split?: string;
  /** Without it, the rows keep their order. */
  readonly shuffleSeed?: number;
  /** Rows to leave out first. Default 0. */
  readonly skip?: number;
  /** Rows to take. Default: all that are left. */
  readonly take?: number;
}

export interface SubsetResult {
  readonly dataset: ArtifactDigest;
  readonly rows: number;
}

/**
 * A dataset of one split with some of the rows: Hugging Face's
 * `shuffle(seed).select(range(skip, skip + take))`, row for row.
 *
 * @throws InvalidInput when there are not that many rows or no such split; DiskFull, NotFound,
 * CorruptArtifact
 */
export async function subsetDataset(
  store: Store,
  dataset: ArtifactDigest,
  selection: SubsetSelection,
  options: WriteOptions,
): Promise<SubsetResult> {
  const split = await readSplit(store, dataset, selection.split);
  const indices = selectIndices(split.name, split.length, selection);
  const rows = selectedRows(split, indices);
  const written = await writeDataset(store, { [split.name]: rows }, split.shape, options);
  return { dataset: written, rows: indices.length };
}

function selectIndices(split: string, rows: number, selection: SubsetSelection): Uint32Array {
  const skip = checkCount('skip', selection.skip ?? 0, 0);
  const take = checkCount('take', selection.take ?? Math.max(1, rows - skip), 1);
  if (skip + take > rows) {
    const wanted = counted(take, 'row') + (skip === 0 ? '' : ` after the first ${skip}`);
    const available = Math.max(0, rows - skip);
    const remedy =
      available === 0 ? `lower skip below ${rows}` : `lower take to ${available} or less`;
    throw new Failure(
      'InvalidInput',
      `the split "${split}" has ${counted(rows, 'row')}, but the subset takes ${wanted}: ${remedy}`,
    );
  }
  const order =
    selection.shuffleSeed === undefined
      ? Uint32Array.from({ length: rows }, (_, index) => index)
      : permutation(rows, selection.shuffleSeed);
  return order.subarray(skip, skip + take);
}

function checkCount(name: string, value: number, minimum: number): number {
  if (Number.isSafeInteger(value) && value >= minimum) return value;
  throw new Failure(
    'InvalidInput',
    `${name}: ${value} is not a number of rows: expected an integer of ${minimum} or more`,
  );
}

function* selectedRows(split: DatasetSplit, indices: Uint32Array): Iterable<readonly DatasetRow[]> {
  for (let at = 0; at < indices.length; at += GROUP_ROWS) {
    yield [...split.select(indices.subarray(at, at + GROUP_ROWS))];
  }
}
