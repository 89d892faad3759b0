import { openKernelPool, type KernelCall, type KernelPool } from './kernel-pool.ts';
import {
  ELEMENT_ALIGNMENT,
  NORM_CHUNK,
  type StateRegion,
  type StateShard,
  type TrainingState,
} from './training-state.ts';

/** AdamW's constants, under Hugging Face's names without `adam_`. */
export interface AdamWOptions {
  readonly beta1: number;
  readonly beta2: number;
  readonly epsilon: number;
  /** Of the tensors that are decayed; the others get none. */
  readonly weightDecay: number;
}

export interface AdamWStep {
  /** From 1. */
  readonly step: number;
  readonly learningRate: number;
  /** Factor on every gradient: the clipping coefficient. */
  readonly gradientScale: number;
}

/** Works on a training state off the event loop; its bits do not depend on the thread count. */
export interface Optimizer {
  /** gradients += passGradients */
  accumulate(): Promise<void>;
  /** L2 norm of all gradients together, before any scaling; not finite if one of them is not. */
  gradientNorm(): Promise<number>;
  /** Updates parameters and moments from the gradients. */
  update(step: AdamWStep): Promise<void>;
  close(): Promise<void>;
}

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
export function adamWScalars(options: AdamWOptions, at: AdamWStep): AdamWScalars {
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

/** Starts AdamW on a state with `threads` threads. */
export async function openAdamW(
  state: TrainingState,
  options: AdamWOptions,
  threads: number,
): Promise<Optimizer> {
  const memories = state.shards.map((shard) => shard.memory);
  const pool = await openKernelPool(memories, threads);
  return {
    accumulate: () =>
      runShared(pool, state, ELEMENT_ALIGNMENT, ({ shard, index, start, end }) => [
        {
          shard: index,
          kernel: 'accumulate',
          args: [at(shard, 'gradients', start), at(shard, 'passGradients', start), end - start],
        },
      ]),
    gradientNorm: () => gradientNorm(pool, state),
    update: (step) => update(pool, state, adamWScalars(options, step)),
    close: () => pool.close(),
  };
}

/** A thread's part of a shard: elements from `start` to before `end`. */
interface Part {
  readonly shard: StateShard;
  readonly index: number;
  readonly start: number;
  readonly end: number;
}

/** Shares every shard out in equal parts, at multiples of `unit` elements. */
async function runShared(
  pool: KernelPool,
  state: TrainingState,
  unit: number,
  callsOf: (part: Part) => readonly KernelCall[],
): Promise<void> {
  const batch = Array.from({ length: pool.threads }, (_, thread) =>
    state.shards.flatMap((shard, index) => {
      const bound = (part: number): number =>
        Math.min(Math.round((part * shard.elements) / pool.threads / unit) * unit, shard.elements);
      const end = thread === pool.threads - 1 ? shard.elements : bound(thread + 1);
      return callsOf({ shard, index, start: bound(thread), end });
    }),
  );
  await pool.run(batch);
}

function at(shard: StateShard, region: StateRegion, element: number): number {
  return shard.regions[region] + element * Float32Array.BYTES_PER_ELEMENT;
}

/** √ Σ g², summed in float64 over chunks of NORM_CHUNK elements, then over chunks in order. */
async function gradientNorm(pool: KernelPool, state: TrainingState): Promise<number> {
  await runShared(pool, state, NORM_CHUNK, ({ shard, index, start, end }) => {
    const calls: KernelCall[] = [];
    for (let element = start; element < end; element += NORM_CHUNK) {
      const count = Math.min(NORM_CHUNK, end - element);
      const sum = (element / NORM_CHUNK) * Float64Array.BYTES_PER_ELEMENT;
      const args = [at(shard, 'gradients', element), count, sum];
      calls.push({ shard: index, kernel: 'square_sum', args });
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

function update(pool: KernelPool, state: TrainingState, scalars: AdamWScalars): Promise<void> {
  const spans = state.shards.map((shard, index) =>
    decaySpans(state, index, shard.elements, scalars.keep),
  );
  const { scale, rate1, beta2, rate2, root, epsilon, step } = scalars;
  return runShared(pool, state, ELEMENT_ALIGNMENT, ({ shard, index, start, end }) =>
    (spans[index] ?? []).flatMap((span): readonly KernelCall[] => {
      const from = Math.max(start, span.start);
      const count = Math.min(end, span.end) - from;
      if (count <= 0) return [];
      const regions = ['parameters', 'firstMoments', 'secondMoments', 'gradients'] as const;
      const pointers = regions.map((region) => at(shard, region, from));
      const values = [scale, span.keep, rate1, beta2, rate2, root, epsilon, step];
      return [{ shard: index, kernel: 'adamw', args: [...pointers, count, ...values] }];
    }),
  );
}

interface DecaySpan {
  readonly start: number;
  readonly end: number;
  readonly keep: number;
}

/** A shard's elements as runs of tensors with the same decay, padding included. */
function decaySpans(
  state: TrainingState,
  shard: number,
  elements: number,
  keep: number,
): readonly DecaySpan[] {
  const spans: DecaySpan[] = [];
  const tensors = state.tensors.filter((tensor) => tensor.shard === shard);
  for (const [i, tensor] of tensors.entries()) {
    const span = {
      start: tensor.offset,
      end: tensors[i + 1]?.offset ?? elements,
      keep: tensor.isDecayed ? keep : 1,
    };
    const last = spans.at(-1);
    if (last !== undefined && last.keep === span.keep)
      spans[spans.length - 1] = { ...last, end: span.end };
    else spans.push(span);
  }
  return spans;
}
