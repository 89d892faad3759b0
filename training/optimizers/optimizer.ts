import { openAdafactor } from './adafactor.ts';
import { updateAdamW } from './adamw.ts';
import { runParts } from './kernel-batch.ts';
import { openKernelPool, type KernelCall, type KernelPool } from './kernel-pool.ts';
import type { OptimizerOptions, OptimizerStep } from './optimizer-options.ts';
import { updateSgd } from './sgd.ts';
import {
  ELEMENT_ALIGNMENT,
  NORM_CHUNK,
  type StateTensor,
  type TrainingState,
} from './training-state.ts';

/** Works on a training state off the event loop; its bits do not depend on the thread count. */
export interface Optimizer {
  /** gradients += passGradients */
  accumulate(): Promise<void>;
  /** L2 norm of all gradients together, before any scaling; not finite if one of them is not. */
  gradientNorm(): Promise<number>;
  /** Updates parameters and moments from the gradients. */
  update(step: OptimizerStep): Promise<void>;
  close(): Promise<void>;
}

/** Starts an optimizer with `threads` threads, on a state that was allocated for it. */
export async function openOptimizer(
  state: TrainingState,
  options: OptimizerOptions,
  threads: number,
): Promise<Optimizer> {
  if (state.optimizer !== options.kind) {
    throw new Error(`internal: ${options.kind} on the state of ${state.optimizer}`);
  }
  const memories = state.shards.map((shard) => shard.memory);
  const pool = await openKernelPool(memories, threads);
  return {
    accumulate: () => accumulate(pool, state),
    gradientNorm: () => gradientNorm(pool, state),
    update: updateOf(pool, state, options),
    close: () => pool.close(),
  };
}

function updateOf(
  pool: KernelPool,
  state: TrainingState,
  options: OptimizerOptions,
): Optimizer['update'] {
  switch (options.kind) {
    case 'adamw':
      return (at) => updateAdamW(pool, state, options, at);
    case 'sgd':
      return (at) => updateSgd(pool, state, options, at);
    case 'adafactor':
      return openAdafactor(pool, state, options);
  }
}

function accumulate(pool: KernelPool, state: TrainingState): Promise<void> {
  return runParts(pool, state, ELEMENT_ALIGNMENT, ({ shard, index, start, end }) => {
    const { gradients, passGradients } = shard.regions;
    const args = [gradients + 4 * start, passGradients + 4 * start, end - start];
    return [{ shard: index, kernel: 'accumulate', args }];
  });
}

/** What `square_sum_rows` takes for the part of a table that begins at an element of the shard. */
function rowArgs(table: StateTensor, element: number): readonly number[] {
  const [, columns = 1] = table.shape;
  const first = element - table.offset;
  const row = Math.floor(first / columns);
  return [table.scratch + row, columns, (row + 1) * columns - first];
}

/** √ Σ g², summed in float64 over chunks of NORM_CHUNK elements, then over chunks in order. */
async function gradientNorm(pool: KernelPool, state: TrainingState): Promise<number> {
  const tables = state.tensors.filter(({ hasLiveRows }) => hasLiveRows);
  await runParts(pool, state, NORM_CHUNK, ({ shard, index, start, end }) => {
    const calls: KernelCall[] = [];
    for (let element = start; element < end; element += NORM_CHUNK) {
      const count = Math.min(NORM_CHUNK, end - element);
      const sum = (element / NORM_CHUNK) * Float64Array.BYTES_PER_ELEMENT;
      const args = [shard.regions.gradients + 4 * element, count, sum];
      const table = tables.find(
        (tensor) =>
          tensor.shard === index &&
          tensor.offset <= element &&
          element + count <= tensor.offset + tensor.length,
      );
      calls.push(
        table === undefined
          ? { shard: index, kernel: 'square_sum', args }
          : {
              shard: index,
              kernel: 'square_sum_rows',
              args: [...args, ...rowArgs(table, element)],
            },
      );
    }
    return calls;
  });
  let total = 0;
  for (const shard of state.shards) {
    const chunks = Math.ceil(shard.elements / NORM_CHUNK);
    for (const sum of new Float64Array(shard.memory.buffer, 0, chunks)) total += sum;
  }
  return Math.sqrt(total);
}
