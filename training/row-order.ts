import type { TrainingArguments } from './arguments.ts';
import { dataOrder } from './random/data-order.ts';
import { groupByLength } from './random/length-groups.ts';
import { replayOrder, type MixedRows } from './replay.ts';

/** The order in which epochs visit the rows; it follows from the arguments and the epoch alone. */
export class RowOrder {
  readonly #mixed: MixedRows;
  readonly #args: TrainingArguments;
  #epoch = -1;
  #order: Uint32Array = new Uint32Array();

  constructor(mixed: MixedRows, args: TrainingArguments) {
    this.#mixed = mixed;
    this.#args = args;
  }

  /**
   * Row numbers of an epoch, computed once for the epoch at hand. Places of the epoch are ordered
   * first, those of primary rows before those of rows for replay, which then take their places.
   *
   * @param epoch from 0
   * @throws InvalidInput for more rows than can be shuffled
   */
  of(epoch: number): Uint32Array {
    if (epoch === this.#epoch) return this.#order;
    const { rows, primaryRows, replayedRows } = this.#mixed;
    const seed = this.#args.data_seed ?? this.#args.seed;
    const replayed = replayOrder(rows.ids.length - primaryRows, replayedRows, seed, epoch);
    const rowAt = (place: number): number =>
      place < primaryRows ? place : primaryRows + (replayed[place - primaryRows] ?? 0);
    this.#order = this.#places(seed, epoch, rowAt).map(rowAt);
    this.#epoch = epoch;
    return this.#order;
  }

  #places(seed: number, epoch: number, rowAt: (place: number) => number): Uint32Array {
    const { rows, primaryRows, replayedRows } = this.#mixed;
    const { train_sampling_strategy: strategy } = this.#args;
    if (strategy === 'sequential') return spread(primaryRows, replayedRows);
    const order = dataOrder({ rows: primaryRows + replayedRows, seed, epoch });
    if (strategy === 'random') return order;
    const { per_device_train_batch_size, gradient_accumulation_steps } = this.#args;
    const lengths = Uint32Array.from({ length: order.length }, (_, place) => {
      const row = rowAt(place);
      return (rows.offsets[row + 1] ?? 0) - (rows.offsets[row] ?? 0);
    });
    groupByLength(order, lengths, per_device_train_batch_size * gradient_accumulation_steps);
    return order;
  }
}

/** Places in their own order, the last `others` of them at even distances between the first. */
function spread(first: number, others: number): Uint32Array {
  const total = first + others;
  let spreadOut = 0;
  return Uint32Array.from({ length: total }, (_, i) => {
    if (Math.floor(((i + 1) * others) / total) === spreadOut) return i - spreadOut;
    spreadOut += 1;
    return first + spreadOut - 1;
  });
}
