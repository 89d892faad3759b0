import type { TokenizedRows } from '../data/tokenized-dataset.ts';
import { Failure } from '../plan/failures.ts';
import { dataOrder } from './random/data-order.ts';

/** Rows of another dataset that are mixed into each epoch, against forgetting. */
export interface Replay {
  readonly rows: TokenizedRows;
  /** Share of an epoch's rows that are of the other dataset; above 0 and below 1. */
  readonly fraction: number;
}

/** The rows of a training, which may be of two datasets: primary rows first, then those for replay. */
export interface MixedRows {
  readonly rows: TokenizedRows;
  /** All of them are visited once in each epoch. */
  readonly primaryRows: number;
  /** Rows for replay that an epoch visits, beside the primary ones. */
  readonly replayedRows: number;
}

/** Keeps the shuffles of the two datasets apart. */
const REPLAY_SEED = 1_000_003;

/**
 * Puts the rows of a training and those for replay one after the other.
 * An epoch visits round(n · fraction / (1 − fraction)) of the latter beside all n of the former.
 *
 * @throws InvalidInput when the rows for replay are none, or have other kinds of targets
 */
export function mixRows(primary: TokenizedRows, replay: Replay | undefined): MixedRows {
  const primaryRows = primary.ids.length;
  if (replay === undefined) return { rows: primary, primaryRows, replayedRows: 0 };
  const { rows: other, fraction } = replay;
  if (other.ids.length === 0) {
    throw new Failure('InvalidInput', 'replay.dataset has no rows; expected at least 1');
  }
  const replayedRows = Math.round((primaryRows * fraction) / (1 - fraction));
  if (replayedRows === 0) {
    throw new Failure(
      'InvalidInput',
      `replay.fraction is ${fraction}, less than half a row in an epoch of ${primaryRows}; give a larger one`,
    );
  }
  return { rows: concatenated(primary, other), primaryRows, replayedRows };
}

function concatenated(a: TokenizedRows, b: TokenizedRows): TokenizedRows {
  if (a.valuesPerRow !== b.valuesPerRow) throw otherTargets('values');
  return {
    // The ids of rows are those of their datasets, which may be one: dropout and messages tell apart.
    ids: [...a.ids, ...b.ids.map((id) => `replay/${id}`)],
    inputIds: joined(Int32Array, a.inputIds, b.inputIds),
    offsets: joined(
      Int32Array,
      a.offsets,
      b.offsets.subarray(1).map((end) => a.inputIds.length + end),
    ),
    labels: both(Int32Array, a.labels, b.labels, 'labels'),
    values: both(Float32Array, a.values, b.values, 'values'),
    valuesPerRow: a.valuesPerRow,
    completionMask: both(Uint8Array, a.completionMask, b.completionMask, 'completions'),
  };
}

type Numbers = Int32Array | Float32Array | Uint8Array;

function both<T extends Numbers>(
  of: new (length: number) => T,
  a: T | null,
  b: T | null,
  what: string,
): T | null {
  if (a === null && b === null) return null;
  if (a === null || b === null) throw otherTargets(what);
  return joined(of, a, b);
}

function joined<T extends Numbers>(of: new (length: number) => T, a: T, b: T): T {
  const all = new of(a.length + b.length);
  all.set(a);
  all.set(b, a.length);
  return all;
}

function otherTargets(what: string): Failure {
  return new Failure(
    'InvalidInput',
    `one of train_dataset and replay.dataset has ${what} and the other has not; make both by ` +
      'download-dataset and tokenize steps with the same columns',
  );
}

/**
 * The rows for replay of one epoch, as numbers from 0 within their dataset. Shuffles of the dataset
 * follow each other and epochs take from them in turn, so that no row comes twice before all others
 * came once.
 *
 * @param rows of the dataset
 * @param count rows that an epoch takes
 */
export function replayOrder(rows: number, count: number, seed: number, epoch: number): Uint32Array {
  const taken = new Uint32Array(count);
  let shuffle = -1;
  let order: Uint32Array = taken;
  for (let i = 0; i < count; i++) {
    const position = epoch * count + i;
    if (Math.floor(position / rows) !== shuffle) {
      shuffle = Math.floor(position / rows);
      order = dataOrder({ rows, seed: seed + REPLAY_SEED, epoch: shuffle });
    }
    taken[i] = order[position % rows] ?? 0;
  }
  return taken;
}
