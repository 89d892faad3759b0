/**
 * How Adafactor's sums are shared out: in blocks that follow from a tensor's shape alone, so that
 * neither their order nor their bits depend on the thread count.
 */

/** A tensor [..., R, C] as matrices of R rows and C columns. */
export interface MatrixShape {
  readonly matrices: number;
  readonly rows: number;
  readonly columns: number;
  /** Rows of a block; the last block may be shorter. */
  readonly blockRows: number;
  readonly blocks: number;
}

/** Elements of a block, at least, where the tensor has as many. */
export const BLOCK_ELEMENTS = 65536;
/** Keeps the blocks' sums of columns small beside the matrix. */
const BLOCK_ROWS = 64;

/** The matrices of a shape of at least two axes. */
export function matrixShape(shape: readonly number[]): MatrixShape {
  const rows = shape.at(-2) ?? 1;
  const columns = shape.at(-1) ?? 1;
  const blockRows = Math.max(BLOCK_ROWS, Math.ceil(BLOCK_ELEMENTS / columns));
  return {
    matrices: shape.slice(0, -2).reduce((product, axis) => product * axis, 1),
    ...{ rows, columns, blockRows },
    blocks: Math.ceil(rows / blockRows),
  };
}

/** Byte offsets inside the scratch of one matrix, and its length: a multiple of 8. */
export interface MatrixScratch {
  /** [blocks, C] float64: sums of columns. */
  readonly partials: number;
  /** [blocks] float64: sums of squares of the update. */
  readonly squares: number;
  /** [C] float32: 1 / √ column moment. */
  readonly factors: number;
  readonly bytes: number;
}

export function matrixScratch({ blocks, columns }: MatrixShape): MatrixScratch {
  const squares = 8 * blocks * columns;
  const factors = squares + 8 * blocks;
  return { partials: 0, squares, factors, bytes: factors + 8 * Math.ceil(columns / 2) };
}

/** Bytes for one update of a tensor; a vector has a sum a block. */
export function scratchBytes(shape: readonly number[]): number {
  if (shape.length < 2) return 8 * Math.ceil((shape[0] ?? 1) / BLOCK_ELEMENTS);
  const matrix = matrixShape(shape);
  return matrix.matrices * matrixScratch(matrix).bytes;
}
