import { updateElements } from './kernel-batch.ts';
import type { KernelPool } from './kernel-pool.ts';
import { liveRows } from './live-rows.ts';
import type { AdamWOptions, OptimizerStep } from './optimizer-options.ts';
import type { TrainingState } from './training-state.ts';

/** The scalars of one step, as the kernel takes them (see kernels.wat). */
export interface AdamWScalars {
  readonly scale: number;
  /** 1 - learning rate × weight decay, for the tensors that are decayed */
  readonly keep: number;
  readonly rate1: number;
  readonly beta2: number;
  readonly rate2: number;
  readonly root: number;
  readonly epsilon: number;
  readonly step: number;
}

/** Computed in float64, each rounded to float32 where it is used, as torch does. */
export function adamWScalars(options: AdamWOptions, at: OptimizerStep): AdamWScalars {
  const { beta1, beta2, epsilon, weightDecay } = options;
  return {
    scale: at.gradientScale,
    keep: 1 - at.learningRate * weightDecay,
    rate1: 1 - beta1,
    beta2,
    rate2: 1 - beta2,
    root: Math.sqrt(1 - beta2 ** at.step),
    epsilon,
    step: -at.learningRate / (1 - beta1 ** at.step),
  };
}

/** One step of AdamW on a state with both moments. */
export function updateAdamW(
  pool: KernelPool,
  state: TrainingState,
  options: AdamWOptions,
  at: OptimizerStep,
): Promise<void> {
  const { scale, keep, rate1, beta2, rate2, root, epsilon, step } = adamWScalars(options, at);
  return updateElements(pool, state, ({ shard, index, start, end, isDecayed, tensor }) => {
    const regions = ['parameters', 'firstMoments', 'secondMoments', 'gradients'] as const;
    const pointers = regions.map((region) => shard.regions[region] + 4 * start);
    const scalars = [scale, isDecayed ? keep : 1, rate1, beta2, rate2, root, epsilon, step];
    const live = tensor && liveRows(state, tensor);
    if (tensor === undefined || live === undefined) {
      const args = [...pointers, end - start, ...scalars];
      return { call: { shard: index, kernel: 'adamw', args }, cost: end - start };
    }
    const columns = tensor.length / live.length;
    const [firstRow, rows] = [(start - tensor.offset) / columns, (end - start) / columns];
    const args = [...pointers, tensor.scratch + firstRow, rows, columns, ...scalars];
    const updated = live.subarray(firstRow, firstRow + rows).reduce((sum, is) => sum + is, 0);
    return { call: { shard: index, kernel: 'adamw_rows', args }, cost: updated * columns + rows };
  });
}
