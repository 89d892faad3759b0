import { Failure } from '../../plan/failures.ts';

/** What a weight tensor needs of the training state. */
export interface StateTensorSpec {
  /** Hugging Face name. */
  readonly name: string;
  readonly shape: readonly number[];
  /** Whether weight decay applies. */
  readonly isDecayed: boolean;
}

/** One tensor's place. Offsets count elements from the start of each region of its shard. */
export interface StateTensor extends StateTensorSpec {
  readonly length: number;
  readonly shard: number;
  readonly offset: number;
}

/**
 * What the state holds of every tensor, each a contiguous region of float32 in a shard:
 * `passGradients` are those of one pass, added to `gradients` when a step takes several.
 */
export const STATE_REGIONS = [
  'parameters',
  'gradients',
  'firstMoments',
  'secondMoments',
  'passGradients',
] as const;

export type StateRegion = (typeof STATE_REGIONS)[number];

/** Consecutive tensors whose regions share one WebAssembly memory of at most 4 GiB. */
export interface StateShard {
  readonly memory: WebAssembly.Memory;
  /** Length of each region; a multiple of ELEMENT_ALIGNMENT. Elements between tensors stay 0. */
  readonly elements: number;
  /** Byte offset of each region in the memory. */
  readonly regions: { readonly [region in StateRegion]: number };
}

export interface TrainingState {
  readonly tensors: readonly StateTensor[];
  readonly shards: readonly StateShard[];
  /** One tensor's part of a region, in place. */
  view(region: StateRegion, tensor: StateTensor): Float32Array;
}

const ELEMENT_BYTES = 4;
const PAGE_BYTES = 65536;
const MEMORY_BYTES = 2 ** 32;

/** Every tensor starts at a multiple of 64 bytes. */
export const ELEMENT_ALIGNMENT = 16;

/** Elements of one partial sum of the gradient norm. Fixed: the sum's order is part of its bits. */
export const NORM_CHUNK = 65536;

/** Most elements of a region: five of them and the partial sums fill one memory. */
const SHARD_ELEMENTS =
  Math.floor(
    (MEMORY_BYTES - PAGE_BYTES) /
      (STATE_REGIONS.length * ELEMENT_BYTES + Float64Array.BYTES_PER_ELEMENT / NORM_CHUNK) /
      ELEMENT_ALIGNMENT,
  ) * ELEMENT_ALIGNMENT;

/**
 * Allocates the state of the trainable tensors, all zeros. Memory is only used once it is written.
 * @param shardElements most elements of a shard's region
 * @throws InvalidInput when one tensor does not fit a shard; OutOfMemory
 */
export function allocateTrainingState(
  specs: readonly StateTensorSpec[],
  shardElements: number = SHARD_ELEMENTS,
): TrainingState {
  const tensors: StateTensor[] = [];
  const lengths: number[] = [];
  for (const spec of specs) {
    const length = spec.shape.reduce((product, axis) => product * axis, 1);
    const padded = alignUp(length);
    if (padded > shardElements) throw tooLarge(spec, length, shardElements);
    const used = lengths.at(-1);
    if (used === undefined || used + padded > shardElements) lengths.push(0);
    const shard = lengths.length - 1;
    const offset = lengths[shard] ?? 0;
    tensors.push({ ...spec, length, shard, offset });
    lengths[shard] = offset + padded;
  }
  const shards = lengths.map(allocateShard);
  const view = (region: StateRegion, tensor: StateTensor): Float32Array => {
    const shard = shards[tensor.shard];
    if (shard === undefined) throw new Error(`internal: no shard ${tensor.shard}`);
    const start = shard.regions[region] + tensor.offset * ELEMENT_BYTES;
    return new Float32Array(shard.memory.buffer, start, tensor.length);
  };
  return { tensors, shards, view };
}

function allocateShard(elements: number): StateShard {
  const sums = Math.ceil(elements / NORM_CHUNK) * Float64Array.BYTES_PER_ELEMENT;
  const start = alignUp(sums);
  const bytes = elements * ELEMENT_BYTES;
  const pages = Math.ceil((start + STATE_REGIONS.length * bytes) / PAGE_BYTES);
  const places = STATE_REGIONS.map((region, index) => [region, start + index * bytes]);
  return {
    memory: allocateMemory(pages),
    elements,
    regions: Object.fromEntries(places) as StateShard['regions'],
  };
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

function tooLarge(spec: StateTensorSpec, length: number, shardElements: number): Failure {
  return new Failure(
    'InvalidInput',
    `tensor ${spec.name} has ${length} elements; expected at most ${shardElements}, what one ` +
      'WebAssembly memory holds with its gradients and moments: train a smaller model',
  );
}

function alignUp(elements: number): number {
  return Math.ceil(elements / ELEMENT_ALIGNMENT) * ELEMENT_ALIGNMENT;
}
