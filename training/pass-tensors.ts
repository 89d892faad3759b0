import type { Pass } from './packing.ts';
import {
  allocateTensorData,
  type ElementType,
  type NamedTensors,
  type Runtime,
  type Tensor,
  type TensorData,
} from './runtime/runtime.ts';

/** What the loss compares of an example: `n` targets, one for a classifier. */
export interface Targets {
  /** [n]: positions in the example of the tokens whose states they are predicted from. */
  readonly positions: Int32Array;
  /** Factors in the loss: [n], or one number for all. */
  readonly weights: Float32Array | number;
  /** [n] classes or token ids, for a loss that compares classes. */
  readonly labels?: Int32Array;
  /** [n,C] row after row, for any other. */
  readonly values?: Float32Array;
}

/** One example as the graph sees it. */
export interface Example {
  /** At least one. */
  readonly inputIds: Int32Array;
  readonly targets: Targets;
  /** One a token; only for a graph with dropout. */
  readonly dropoutKeys?: Uint32Array;
}

export interface PassTensorsInput {
  readonly pass: Pass;
  /** What the pass's placements count. */
  readonly examples: readonly Example[];
  readonly padTokenId: number | null;
  /** Width of `label_values`; undefined where targets are `labels`. */
  readonly valuesWidth: number | undefined;
  /** Factor of every target's weight, and so of the loss and its gradients; 1 when left out. */
  readonly scale?: number;
}

export interface BoundPass {
  readonly inputs: NamedTensors;
  /** `input_ids` of it, of padding too. */
  readonly tokenIds: Int32Array;
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
  bind(input: PassTensorsInput): BoundPass {
    const rows = this.#rows(input);
    const inputs: NamedTensors = { ...rows, ...this.#targets(input) };
    return {
      inputs,
      tokenIds: rows.input_ids.data,
      release: () => Object.values(inputs).forEach((tensor) => tensor.release()),
    };
  }

  #rows({ pass, examples, padTokenId }: PassTensorsInput) {
    const { rows: R, tokens: T, placements } = pass;
    const grid = [R, T];
    const inputIds = this.#tensor('input_ids', 'int32', grid);
    const positionIds = this.#tensor('position_ids', 'int32', grid);
    const segmentIds = this.#tensor('segment_ids', 'int32', grid);
    const hasDropout = examples.some((example) => example.dropoutKeys !== undefined);
    const dropoutKeys = hasDropout ? this.#tensor('dropout_keys', 'uint32', grid) : undefined;
    inputIds.data.fill(padTokenId ?? 0);
    positionIds.data.fill(0);
    segmentIds.data.fill(-1);
    dropoutKeys?.data.fill(0);
    for (const [segment, { example, row, start }] of placements.entries()) {
      const { inputIds: ids, dropoutKeys: keys } = exampleAt(examples, example);
      const first = row * T + start;
      inputIds.data.set(ids, first);
      for (let i = 0; i < ids.length; i++) positionIds.data[first + i] = i;
      segmentIds.data.fill(segment, first, first + ids.length);
      if (keys !== undefined) dropoutKeys?.data.set(keys, first);
    }
    return {
      input_ids: inputIds,
      position_ids: positionIds,
      segment_ids: segmentIds,
      ...(dropoutKeys !== undefined && { dropout_keys: dropoutKeys }),
    };
  }

  #targets({ pass, examples, valuesWidth, scale = 1 }: PassTensorsInput): NamedTensors {
    const { tokens: T, placements } = pass;
    const E = targetsOf(pass, examples);
    const pooledIndex = this.#tensor('pooled_index', 'int32', [E]);
    const weights = this.#tensor('example_weights', 'float32', [E]);
    const labels = valuesWidth === undefined ? this.#tensor('labels', 'int32', [E]) : undefined;
    const values =
      valuesWidth === undefined
        ? undefined
        : this.#tensor('label_values', 'float32', [E, valuesWidth]);
    let first = 0;
    for (const { example, row, start } of placements) {
      const { targets } = exampleAt(examples, example);
      const count = targets.positions.length;
      for (const [i, position] of targets.positions.entries()) {
        pooledIndex.data[first + i] = row * T + start + position;
      }
      if (typeof targets.weights === 'number') {
        weights.data.fill(targets.weights, first, first + count);
      } else weights.data.set(targets.weights, first);
      if (targets.labels !== undefined) labels?.data.set(targets.labels, first);
      if (targets.values !== undefined)
        values?.data.set(targets.values, first * (valuesWidth ?? 0));
      first += count;
    }
    if (scale !== 1)
      for (const [i, weight] of weights.data.entries()) weights.data[i] = weight * scale;
    return {
      pooled_index: pooledIndex,
      example_weights: weights,
      ...(labels !== undefined && { labels }),
      ...(values !== undefined && { label_values: values }),
    };
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

/** Number of targets of a pass: E. */
export function targetsOf(pass: Pass, examples: readonly Example[]): number {
  return pass.placements.reduce(
    (sum, { example }) => sum + exampleAt(examples, example).targets.positions.length,
    0,
  );
}

function exampleAt(examples: readonly Example[], index: number): Example {
  const example = examples[index];
  if (example === undefined) throw new Error(`internal: a pass places example ${index}`);
  return example;
}
