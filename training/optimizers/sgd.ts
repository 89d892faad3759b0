import { updateElements } from './kernel-batch.ts';
import type { KernelPool } from './kernel-pool.ts';
import type { OptimizerStep, SgdOptions } from './optimizer-options.ts';
import type { TrainingState } from './training-state.ts';

/**
 * One step of gradient descent; with momentum the first moments are torch's momentum buffer.
 * Source: torch.optim.SGD, as Trainer creates it.
 */
export function updateSgd(
  pool: KernelPool,
  state: TrainingState,
  options: SgdOptions,
  at: OptimizerStep,
): Promise<void> {
  const { momentum, dampening, nesterov } = options;
  // The first step's buffer is the gradient as it is: torch does not dampen it.
  const fresh = at.step === 1 ? 1 : 1 - dampening;
  const direction = nesterov ? [1, momentum] : [0, 1];
  return updateElements(pool, state, ({ shard, index, start, end, isDecayed }) => {
    const { parameters, firstMoments, gradients } = shard.regions;
    const [p, buffer, g] = [parameters, firstMoments, gradients].map((base) => base + 4 * start);
    const scalars = [at.gradientScale, isDecayed ? options.weightDecay : 0];
    const count = end - start;
    if (momentum === 0) {
      const args = [p ?? 0, g ?? 0, count, ...scalars, -at.learningRate];
      return { call: { shard: index, kernel: 'sgd', args }, cost: count };
    }
    const args = [p ?? 0, buffer ?? 0, g ?? 0, count, ...scalars];
    args.push(momentum, fresh, ...direction, -at.learningRate);
    return { call: { shard: index, kernel: 'sgd_momentum', args }, cost: count };
  });
}
