/** Batches whose rows are sorted by length together, at most. */
const MOST_BATCHES = 50;

/**
 * Brings an order of rows into one whose slices of `batch` rows are of like lengths: pieces of up to
 * 50 batches are sorted by falling length, and the longest row of all comes first.
 * Source: transformers 5.23, trainer_pt_utils.get_length_grouped_indices.
 *
 * @param order row numbers, shuffled; changed in place
 * @param lengths tokens of each row
 * @param batch rows of one optimizer step
 */
export function groupByLength(order: Uint32Array, lengths: Uint32Array, batch: number): void {
  const lengthOf = (row: number | undefined): number => lengths[row ?? 0] ?? 0;
  const pieceRows =
    batch * Math.max(1, Math.min(Math.floor(order.length / (batch * 4)), MOST_BATCHES));
  let longest = 0;
  for (let start = 0; start < order.length; start += pieceRows) {
    order.subarray(start, start + pieceRows).sort((a, b) => lengthOf(b) - lengthOf(a));
    if (lengthOf(order[start]) > lengthOf(order[longest])) longest = start;
  }
  const first = order[0] ?? 0;
  order[0] = order[longest] ?? 0;
  order[longest] = first;
}
