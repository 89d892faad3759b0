import { Failure } from '../../plan/failures.ts';
import type { OptimizerOptions } from './optimizer-options.ts';
import { MOMENT_REGIONS, tensorNeeds, type MomentRegion } from './tensor-needs.ts';

/** What a weight tensor needs of the training state. */
export interface StateTensorSpec {
  /** Hugging Face name. */
  readonly name: string;
  readonly shape: readonly number[];
  /** Whether weight decay applies. */
  readonly isDecayed: boolean;
  /** Whether only a few of its rows have gradients in a step. */
  readonly isSparse?: boolean;
}

/**
 * What the state holds, each a contiguous region of float32 in a shard. `passGradients` are those
 * of one pass, added to `gradients` when a step takes several; these two and the parameters hold
 * every tensor at the same offset, moments only what the optimizer keeps.
 */
export const STATE_REGIONS = [
  'parameters',
  'gradients',
  'passGradients',
  ...MOMENT_REGIONS,
] as const;

export type StateRegion = (typeof STATE_REGIONS)[number];

/** What a checkpoint keeps. */
export const SAVED_REGIONS = ['parameters', ...MOMENT_REGIONS] as const;

/** A tensor's part of a region, in elements from the region's start. */
export interface RegionPart {
  readonly offset: number;
  readonly length: number;
}

/** One tensor's place. */
export interface StateTensor extends StateTensorSpec {
  readonly length: number;
  readonly shard: number;
  /** Elements from the start of `parameters`, `gradients` and `passGradients`. */
  readonly offset: number;
  readonly moments: { readonly [region in MomentRegion]?: RegionPart };
  /** Byte offset in the shard's memory of what the optimizer keeps besides; a multiple of 8. */
  readonly scratch: number;
  /** Whether that is which of its rows are live. @see liveRows */
  readonly hasLiveRows: boolean;
}

/** Consecutive tensors that share one WebAssembly memory of at most 4 GiB. */
export interface StateShard {
  readonly memory: WebAssembly.Memory;
  /** Length of `parameters` and of both gradients. Gradients between tensors stay 0. */
  readonly elements: number;
  /** Byte offset of each region in the memory. */
  readonly regions: { readonly [region in StateRegion]: number };
}

export interface TrainingState {
  /** The optimizer that the moments are of. */
  readonly optimizer: OptimizerOptions['kind'];
  readonly tensors: readonly StateTensor[];
  readonly shards: readonly StateShard[];
  /** One tensor's part of a region, in place; empty when the optimizer keeps none. */
  view(region: StateRegion, tensor: StateTensor): Float32Array;
}

const ELEMENT_BYTES = 4;
const PAGE_BYTES = 65536;
const MEMORY_BYTES = 2 ** 32;

/** Every tensor starts at a multiple of 64 bytes. */
export const ELEMENT_ALIGNMENT = 16;

/** Elements of one partial sum of the gradient norm. Fixed: the sum's order is part of its bits. */
export const NORM_CHUNK = 65536;

/**
 * Allocates the state of the trainable tensors, all zeros. Memory is only used once it is written.
 * @param memoryBytes most bytes of a shard's memory
 * @throws InvalidInput when one tensor does not fit a shard; OutOfMemory
 */
export function allocateTrainingState(
  specs: readonly StateTensorSpec[],
  optimizer: OptimizerOptions,
  memoryBytes: number = MEMORY_BYTES,
): TrainingState {
  const plans: ShardPlan[] = [];
  for (const spec of specs) {
    const last = plans.at(-1);
    const appended = last && withTensor(last, spec, optimizer);
    if (appended !== undefined && planBytes(appended) <= memoryBytes) {
      plans[plans.length - 1] = appended;
      continue;
    }
    const alone = withTensor(EMPTY_PLAN, spec, optimizer);
    if (planBytes(alone) > memoryBytes) throw tooLarge(spec, planBytes(alone), memoryBytes);
    plans.push(alone);
  }
  const shards = plans.map(allocateShard);
  const tensors = plans.flatMap((plan, shard) =>
    plan.tensors.map((tensor) => {
      return { ...tensor, shard, scratch: scratchStart(plan) + tensor.scratch };
    }),
  );
  return {
    optimizer: optimizer.kind,
    ...{ tensors, shards },
    view: (region, tensor) => viewOf(shards, region, tensor),
  };
}

function viewOf(
  shards: readonly StateShard[],
  region: StateRegion,
  tensor: StateTensor,
): Float32Array {
  const shard = shards[tensor.shard];
  if (shard === undefined) throw new Error(`internal: no shard ${tensor.shard}`);
  const part = regionPart(region, tensor);
  if (part === undefined) return new Float32Array();
  const start = shard.regions[region] + part.offset * ELEMENT_BYTES;
  return new Float32Array(shard.memory.buffer, start, part.length);
}

/** Where a tensor lies in a region; undefined when the optimizer keeps no such moments. */
export function regionPart(region: StateRegion, tensor: StateTensor): RegionPart | undefined {
  switch (region) {
    case 'parameters':
    case 'gradients':
    case 'passGradients':
      return tensor;
    default:
      return tensor.moments[region];
  }
}

/** A shard before its memory: lengths of its regions in elements, and of its scratch. */
interface ShardPlan {
  /** `scratch` counts from the start of the shard's scratch. */
  readonly tensors: readonly Omit<StateTensor, 'shard'>[];
  readonly elements: number;
  readonly moments: { readonly [region in MomentRegion]: number };
  readonly scratchBytes: number;
}

const EMPTY_PLAN: ShardPlan = {
  tensors: [],
  elements: 0,
  moments: { firstMoments: 0, secondMoments: 0, rowMoments: 0, columnMoments: 0 },
  scratchBytes: 0,
};

function withTensor(
  plan: ShardPlan,
  spec: StateTensorSpec,
  optimizer: OptimizerOptions,
): ShardPlan {
  const needs = tensorNeeds(optimizer, spec);
  const length = product(spec.shape);
  const lengths = { ...plan.moments };
  const moments: { [region in MomentRegion]?: RegionPart } = {};
  for (const region of MOMENT_REGIONS) {
    const shape = needs.moments[region];
    if (shape === undefined) continue;
    moments[region] = { offset: lengths[region], length: product(shape) };
    lengths[region] += alignUp(product(shape));
  }
  const tensor = {
    ...{ ...spec, length, offset: plan.elements, moments },
    ...{ scratch: plan.scratchBytes, hasLiveRows: needs.hasLiveRows },
  };
  return {
    tensors: [...plan.tensors, tensor],
    elements: plan.elements + alignUp(length),
    moments: lengths,
    scratchBytes: plan.scratchBytes + needs.scratchBytes,
  };
}

/** The memory begins with the partial sums of the gradient norm; then come regions, then scratch. */
function regionStarts({ elements, moments }: ShardPlan): StateShard['regions'] & { end: number } {
  const sums = Math.ceil(elements / NORM_CHUNK) * Float64Array.BYTES_PER_ELEMENT;
  let end = ELEMENT_BYTES * alignUp(sums / ELEMENT_BYTES);
  const places = STATE_REGIONS.map((region) => {
    const start = end;
    end += ELEMENT_BYTES * (region in moments ? moments[region as MomentRegion] : elements);
    return [region, start];
  });
  return { ...(Object.fromEntries(places) as StateShard['regions']), end };
}

function scratchStart(plan: ShardPlan): number {
  return regionStarts(plan).end;
}

function planBytes(plan: ShardPlan): number {
  return Math.ceil((scratchStart(plan) + plan.scratchBytes) / PAGE_BYTES) * PAGE_BYTES;
}

function allocateShard(plan: ShardPlan): StateShard {
  const { end: _, ...regions } = regionStarts(plan);
  return { memory: allocateMemory(planBytes(plan) / PAGE_BYTES), elements: plan.elements, regions };
}

function allocateMemory(pages: number): WebAssembly.Memory {
  try {
    return new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true });
  } catch (error) {
    const needed = ((pages * PAGE_BYTES) / 2 ** 30).toFixed(1);
    throw new Failure(
      'OutOfMemory',
      `training needs ${needed} GiB for parameters, gradients and moments, and the system refused them; ` +
        'use a worker with more memory or a smaller model',
      { cause: error },
    );
  }
}

function tooLarge(spec: StateTensorSpec, bytes: number, memoryBytes: number): Failure {
  return new Failure(
    'InvalidInput',
    `tensor ${spec.name} of shape [${spec.shape.join(', ')}] needs ${bytes} bytes with its gradients ` +
      `and moments; expected at most ${memoryBytes}, what one WebAssembly memory holds: train a smaller model`,
  );
}

function product(shape: readonly number[]): number {
  return shape.reduce((total, axis) => total * axis, 1);
}

function alignUp(elements: number): number {
  return Math.ceil(elements / ELEMENT_ALIGNMENT) * ELEMENT_ALIGNMENT;
}
