import type { TokenizedRow } from './tokenized-dataset.ts';

/** Blocks that are handed on together. */
const GROUP_BLOCKS = 256;

/**
 * Cuts the tokens of all rows, one after the other in their order, into blocks of `size`: the
 * blocks of `group_texts` in transformers' run_clm.py, which has no token between the rows and cuts
 * each 1,000 rows on their own. The last, shorter block is kept where run_clm.py drops it: rows
 * here need not be of one length. One of a single token has nothing to predict, and is left out.
 *
 * @param rows the tokens of each row
 * @param eosId token after each row that does not end with it
 */
export async function* cutIntoBlocks(
  rows: AsyncIterable<readonly Int32Array[]>,
  { split, size, eosId }: { readonly split: string; readonly size: number; readonly eosId: number },
): AsyncGenerator<readonly TokenizedRow[]> {
  let rest: number[] = [];
  let count = 0;
  const block = (inputIds: Int32Array): TokenizedRow => ({
    id: `${split}-block-${count++}`,
    ...{ inputIds, label: null, values: null, completionMask: null },
  });
  for await (const group of rows) {
    for (const ids of group) {
      for (const id of ids) rest.push(id);
      if (ids.length > 0 && ids.at(-1) !== eosId) rest.push(eosId);
    }
    let at = 0;
    while (rest.length - at >= size) {
      const blocks: TokenizedRow[] = [];
      for (; rest.length - at >= size && blocks.length < GROUP_BLOCKS; at += size) {
        blocks.push(block(Int32Array.from(rest.slice(at, at + size))));
      }
      yield blocks;
    }
    rest = rest.slice(at);
  }
  if (rest.length >= 2) yield [block(Int32Array.from(rest))];
}
