import { pooledPosition } from './models/pooling.ts';
import type { Pass } from './packing.ts';
import {
  allocateTensorData,
  type ElementType,
  type NamedTensors,
  type Runtime,
  type Tensor,
  type TensorData,
} from './runtime/runtime.ts';

/** One example as the graph sees it. */
export interface Example {
  /** At least one. */
  readonly inputIds: Int32Array;
  /** 0 where there is none. */
  readonly label: number;
  /** Factor of its cross entropy in the loss. */
  readonly weight: number;
  /** One a token; only for a graph with dropout. */
  readonly dropoutKeys?: Uint32Array;
}

export interface PassTensorsInput {
  readonly pass: Pass;
  /** What the pass's placements count. */
  readonly examples: readonly Example[];
  readonly padTokenId: number | null;
}

export interface BoundPass {
  readonly inputs: NamedTensors;
  release(): void;
}

/** Writes passes into buffers that are used again and again; one pass is bound at a time. */
export class PassTensors {
  readonly #runtime: Runtime;
  readonly #buffers = new Map<string, TensorData>();

  constructor(runtime: Runtime) {
    this.#runtime = runtime;
  }

  /** The graph's inputs for a pass, but for the parameters (see ModelGraph). */
  bind({ pass, examples, padTokenId }: PassTensorsInput): BoundPass {
    const { rows: R, tokens: T, placements } = pass;
    const grid = [R, T];
    const each = [placements.length];
    const inputIds = this.#tensor('input_ids', 'int32', grid);
    const positionIds = this.#tensor('position_ids', 'int32', grid);
    const segmentIds = this.#tensor('segment_ids', 'int32', grid);
    const pooledIndex = this.#tensor('pooled_index', 'int32', each);
    const labels = this.#tensor('labels', 'int32', each);
    const weights = this.#tensor('example_weights', 'float32', each);
    const hasDropout = examples.some((example) => example.dropoutKeys !== undefined);
    const dropoutKeys = hasDropout ? this.#tensor('dropout_keys', 'uint32', grid) : undefined;
    inputIds.data.fill(padTokenId ?? 0);
    positionIds.data.fill(0);
    segmentIds.data.fill(-1);
    dropoutKeys?.data.fill(0);
    for (const [segment, { example, row, start }] of placements.entries()) {
      const { inputIds: ids, label, weight, dropoutKeys: keys } = exampleAt(examples, example);
      const first = row * T + start;
      inputIds.data.set(ids, first);
      for (let i = 0; i < ids.length; i++) positionIds.data[first + i] = i;
      segmentIds.data.fill(segment, first, first + ids.length);
      pooledIndex.data[segment] = first + pooledPosition(ids, padTokenId);
      labels.data[segment] = label;
      weights.data[segment] = weight;
      if (keys !== undefined) dropoutKeys?.data.set(keys, first);
    }
    const inputs: NamedTensors = {
      input_ids: inputIds,
      position_ids: positionIds,
      segment_ids: segmentIds,
      pooled_index: pooledIndex,
      labels,
      example_weights: weights,
      ...(dropoutKeys !== undefined && { dropout_keys: dropoutKeys }),
    };
    return { inputs, release: () => Object.values(inputs).forEach((tensor) => tensor.release()) };
  }

  #tensor<E extends ElementType>(
    name: string,
    elementType: E,
    shape: readonly number[],
  ): Tensor<E> {
    const elements = shape.reduce((product, length) => product * length, 1);
    let buffer = this.#buffers.get(name) as TensorData<E> | undefined;
    if (buffer === undefined || buffer.length < elements) {
      buffer = allocateTensorData(elementType, elements);
      this.#buffers.set(name, buffer);
    }
    const data = buffer.subarray(0, elements) as TensorData<E>;
    return this.#runtime.createTensor({ elementType, shape, data });
  }
}

function exampleAt(examples: readonly Example[], index: number): Example {
  const example = examples[index];
  if (example === undefined) throw new Error(`internal: a pass places example ${index}`);
  return example;
}
