import { BLOCK_ELEMENTS, matrixScratch, matrixShape } from './adafactor-blocks.ts';
import {
  regionPart,
  type StateRegion,
  type StateTensor,
  type TrainingState,
} from './training-state.ts';

/** A matrix of a tensor [..., R, C]. Addresses are byte offsets in the shard's memory. */
export interface Matrix {
  readonly rows: number;
  readonly columns: number;
  readonly parameters: number;
  readonly gradients: number;
  readonly rowMoments: number;
  readonly columnMoments: number;
  readonly factors: number;
  readonly blocks: readonly MatrixBlock[];
}

export interface MatrixBlock {
  readonly firstRow: number;
  readonly rows: number;
  readonly partials: number;
  readonly square: number;
}

export interface VectorBlock {
  readonly parameters: number;
  readonly gradients: number;
  readonly secondMoments: number;
  /** Elements, a multiple of 4. */
  readonly count: number;
  readonly square: number;
}

/** A tensor's matrices, or its blocks as a vector, in the order of their elements. */
export interface FactoredTensor {
  readonly tensor: StateTensor;
  readonly matrices: readonly Matrix[];
  /** Blocks of a tensor of one axis or none. */
  readonly vector: readonly VectorBlock[];
}

/** Where Adafactor finds what it needs of a tensor. */
export function factoredTensor(state: TrainingState, tensor: StateTensor): FactoredTensor {
  if (tensor.shape.length < 2) {
    return { tensor, matrices: [], vector: vectorOf(state, tensor) };
  }
  const { matrices } = matrixShape(tensor.shape);
  return {
    tensor,
    matrices: Array.from({ length: matrices }, (_, index) => matrixOf(state, tensor, index)),
    vector: [],
  };
}

/** Byte offset of a tensor's element of a region. */
function address(
  state: TrainingState,
  tensor: StateTensor,
  region: StateRegion,
  element: number,
): number {
  const start = state.shards[tensor.shard]?.regions[region] ?? 0;
  return start + 4 * ((regionPart(region, tensor)?.offset ?? 0) + element);
}

function matrixOf(state: TrainingState, tensor: StateTensor, index: number): Matrix {
  const shape = matrixShape(tensor.shape);
  const { rows, columns, blockRows, blocks } = shape;
  const scratch = matrixScratch(shape);
  const start = tensor.scratch + index * scratch.bytes;
  const at = (region: StateRegion, element: number): number =>
    address(state, tensor, region, element);
  return {
    ...{ rows, columns },
    parameters: at('parameters', index * rows * columns),
    gradients: at('gradients', index * rows * columns),
    rowMoments: at('rowMoments', index * rows),
    columnMoments: at('columnMoments', index * columns),
    factors: start + scratch.factors,
    blocks: Array.from({ length: blocks }, (_, block) => ({
      firstRow: block * blockRows,
      rows: Math.min(blockRows, rows - block * blockRows),
      partials: start + scratch.partials + 8 * block * columns,
      square: start + scratch.squares + 8 * block,
    })),
  };
}

function vectorOf(state: TrainingState, tensor: StateTensor): readonly VectorBlock[] {
  return Array.from({ length: Math.ceil(tensor.length / BLOCK_ELEMENTS) }, (_, block) => {
    const first = block * BLOCK_ELEMENTS;
    return {
      parameters: address(state, tensor, 'parameters', first),
      gradients: address(state, tensor, 'gradients', first),
      secondMoments: address(state, tensor, 'secondMoments', first),
      // Up to 3 elements of padding: their gradients are 0, and so are their updates.
      count: 4 * Math.ceil(Math.min(BLOCK_ELEMENTS, tensor.length - first) / 4),
      square: tensor.scratch + 8 * block,
    };
  });
}
