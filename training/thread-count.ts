/**
 * How many threads ONNX Runtime may use without changing a bit.
 *
 * Its matrix product (MLAS, sgemm.cpp) sums K products in blocks of 128, and in longer ones where a
 * thread's share of the N columns is narrow. So the order of a sum depends on the thread count where
 * a share becomes narrow. All else that the graphs use is the same on any number of threads.
 */

/** A product by a weight matrix of K rows and N columns. */
export interface WeightProduct {
  readonly K: number;
  readonly N: number;
}

/** Columns are shared out among threads in blocks of this many. */
const COLUMN_BLOCK = 16;
const MOST_THREADS = 16;

/**
 * Threads for a graph: as many as are available, as long as that gives the bits of one thread.
 * Where even two would not, it is two on every machine.
 *
 * @param products the graph's products by weights, forward and backward
 * @param matrices least number of matrices in its batched products; each must be one thread's
 */
export function exactThreads(
  available: number,
  products: readonly WeightProduct[],
  matrices: number,
): number {
  const isExact = (threads: number): boolean =>
    threads < 2 * matrices && products.every((product) => isUnchanged(product, threads));
  if (!isExact(2)) return 2;
  let threads = 1;
  while (threads < Math.min(available, MOST_THREADS) && isExact(threads + 1)) threads++;
  return threads;
}

/** Whether all threads' shares of the columns sum in the blocks that one thread would. */
function isUnchanged({ K, N }: WeightProduct, threads: number): boolean {
  const blocks = Math.ceil(N / COLUMN_BLOCK);
  const sharers = Math.min(threads, blocks);
  const narrowest = Math.floor(blocks / sharers) * COLUMN_BLOCK;
  return summedAtOnce(K, narrowest) === summedAtOnce(K, N);
}

/** Products that are summed in one block, out of K, for N columns. Source: MlasSgemmOperation. */
function summedAtOnce(K: number, N: number): number {
  let strideN = 128;
  let strideK = 128;
  if (N < K) {
    while (strideN > 16 && strideN / 2 >= N) {
      strideK *= 2;
      strideN /= 2;
    }
  }
  return Math.min(K, strideK);
}
