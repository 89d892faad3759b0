import {
  factoredTensor,
  type FactoredTensor,
  type Matrix,
  type MatrixBlock,
  type VectorBlock,
} from './adafactor-tensors.ts';
import { runTasks, type KernelTask } from './kernel-batch.ts';
import type { KernelCall, KernelPool } from './kernel-pool.ts';
import type { AdafactorOptions, OptimizerStep } from './optimizer-options.ts';
import type { StateTensor, TrainingState } from './training-state.ts';

/** Source: transformers 5.23, the defaults of Adafactor that Trainer leaves as they are. */
const DECAY_RATE = -0.8;
const EPSILON = 1e-30;
const CLIP_THRESHOLD = 1;

/** The scalars of one step, as the kernels take them (see adafactor.wat). */
interface Scalars {
  readonly scale: number;
  readonly beta2: number;
  readonly rate: number;
  readonly learningRate: number;
  readonly decay: number;
}

/**
 * Adafactor as Trainer creates it: no relative step, no scaling by the parameters, no first moment.
 * Its second moment of a matrix is the product of row and column means.
 *
 *   β = 1 - t^-0.8
 *   rows    = β rows    + (1 - β) mean over columns (g² + 1e-30)
 *   columns = β columns + (1 - β) mean over rows    (g² + 1e-30)
 *   u = g / √(rows / mean(rows)) / √columns        (of a vector: g / √v, v as AdamW's)
 *   p = p - lr × decay × p - lr × u / max(1, rms(u))
 *
 * Source: transformers 5.23, Adafactor.step.
 */
export function openAdafactor(
  pool: KernelPool,
  state: TrainingState,
  options: AdafactorOptions,
): (step: OptimizerStep) => Promise<void> {
  const tensors = state.tensors.map((tensor) => factoredTensor(state, tensor));
  return async (at) => {
    const beta2 = 1 - at.step ** DECAY_RATE;
    const scalars = {
      ...{ scale: at.gradientScale, beta2, rate: 1 - beta2, learningRate: at.learningRate },
      decay: -options.weightDecay * at.learningRate,
    };
    await runTasks(
      pool,
      tensors.flatMap((tensor) => statistics(tensor, scalars)),
    );
    await runTasks(
      pool,
      tensors.flatMap((tensor) => columnFactors(tensor, scalars)),
    );
    const means = tensors.map(({ tensor, matrices }) =>
      matrices.map((matrix) => rowMean(state, tensor, matrix)),
    );
    await runTasks(
      pool,
      tensors.flatMap((tensor, i) => squares(tensor, scalars, means[i] ?? [])),
    );
    await runTasks(
      pool,
      tensors.flatMap((tensor, i) => {
        const divisor = Math.max(1, rootMeanSquare(state, tensor) / CLIP_THRESHOLD);
        return applications(tensor, scalars, means[i] ?? [], divisor);
      }),
    );
  };
}

/** One task a block: of matrices `ofBlock`, of vectors `ofPart`. */
function blockTasks(
  { tensor, matrices, vector }: FactoredTensor,
  ofBlock: (matrix: Matrix, block: MatrixBlock, index: number) => Omit<KernelCall, 'shard'>,
  ofPart: (part: VectorBlock) => readonly Omit<KernelCall, 'shard'>[],
): readonly KernelTask[] {
  return [
    ...matrices.flatMap((matrix, index) =>
      matrix.blocks.map((block) => ({
        call: { shard: tensor.shard, ...ofBlock(matrix, block, index) },
        cost: block.rows * matrix.columns,
      })),
    ),
    ...vector.flatMap((part) =>
      ofPart(part).map((call) => ({ call: { shard: tensor.shard, ...call }, cost: part.count })),
    ),
  ];
}

/** Row moments, and sums of columns a block; of vectors the second moments, and Σ u². */
function statistics(tensor: FactoredTensor, at: Scalars): readonly KernelTask[] {
  const scalars = [at.scale, EPSILON, at.beta2, at.rate];
  return blockTasks(
    tensor,
    ({ gradients, rowMoments, columns }, { firstRow, rows, partials }) => ({
      kernel: 'adafactor_rows',
      args: [
        gradients + 4 * firstRow * columns,
        rowMoments + 4 * firstRow,
        ...[partials, rows, columns, ...scalars],
      ],
    }),
    ({ gradients, secondMoments, count, square }) => [
      {
        kernel: 'adafactor_vector',
        args: [gradients, secondMoments, count, ...scalars, square],
      },
    ],
  );
}

/** Column moments from the blocks' sums, and the factors of an update that follow from them. */
function columnFactors({ tensor, matrices }: FactoredTensor, at: Scalars): readonly KernelTask[] {
  const { shard } = tensor;
  return matrices.map(({ rows, columns, blocks, columnMoments, factors }) => {
    const partials = blocks[0]?.partials ?? 0;
    const sizes = [blocks.length, columns, rows];
    const args = [partials, columnMoments, factors, ...sizes, at.beta2, at.rate];
    return { call: { shard, kernel: 'adafactor_columns', args }, cost: blocks.length * columns };
  });
}

/** Σ u² a block, before the clipping of the update. */
function squares(
  tensor: FactoredTensor,
  { scale }: Scalars,
  means: readonly number[],
): readonly KernelTask[] {
  return blockTasks(
    tensor,
    ({ gradients, rowMoments, factors, columns }, { firstRow, rows, square }, index) => ({
      kernel: 'adafactor_squares',
      args: [
        gradients + 4 * firstRow * columns,
        rowMoments + 4 * firstRow,
        ...[factors, rows, columns, scale, means[index] ?? 0, square],
      ],
    }),
    () => [],
  );
}

function applications(
  tensor: FactoredTensor,
  { scale, learningRate, decay }: Scalars,
  means: readonly number[],
  divisor: number,
): readonly KernelTask[] {
  const scalars = [divisor, learningRate, tensor.tensor.isDecayed ? decay : 0];
  return blockTasks(
    tensor,
    ({ parameters, gradients, rowMoments, factors, columns }, { firstRow, rows }, index) => {
      const skipped = 4 * firstRow * columns;
      const pointers = [parameters + skipped, gradients + skipped, rowMoments + 4 * firstRow];
      const sizes = [factors, rows, columns];
      return {
        kernel: 'adafactor_apply',
        args: [...pointers, ...sizes, scale, means[index] ?? 0, ...scalars],
      };
    },
    ({ parameters, gradients, secondMoments, count }) => [
      {
        kernel: 'adafactor_apply_vector',
        args: [parameters, gradients, secondMoments, count, scale, ...scalars],
      },
    ],
  );
}

function rowMean(state: TrainingState, tensor: StateTensor, { rows, rowMoments }: Matrix): number {
  const buffer = state.shards[tensor.shard]?.memory.buffer ?? new ArrayBuffer();
  let total = 0;
  for (const moment of new Float32Array(buffer, rowMoments, rows)) total += moment;
  return total / rows;
}

/** √ mean(u²) of a whole tensor, its blocks summed in order. */
function rootMeanSquare(
  state: TrainingState,
  { tensor, matrices, vector }: FactoredTensor,
): number {
  const buffer = state.shards[tensor.shard]?.memory.buffer ?? new ArrayBuffer();
  const blocks = [...matrices.flatMap((matrix) => matrix.blocks), ...vector];
  const view = new Float64Array(buffer);
  const total = blocks.reduce((sum, { square }) => sum + (view[square / 8] ?? 0), 0);
  return Math.sqrt(total / tensor.length);
}
