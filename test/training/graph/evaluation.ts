import type { Graph, Value } from '../../../training/graph/graph.ts';
import { toOnnx } from '../../../training/graph/onnx-file.ts';
import {
  allocateTensorData,
  loadRuntime,
  type ElementType,
  type Tensor,
  type TensorData,
} from '../../../training/runtime/runtime.ts';
import type { DataType, TensorSpec } from '../../../training/graph/tensor-type.ts';

/** Values of one tensor, row-major. */
export interface Numbers {
  readonly shape: readonly number[];
  readonly data: ArrayLike<number>;
}

export type NamedNumbers = { readonly [name: string]: Numbers };

export interface Evaluator {
  /** Runs on the given inputs. @returns the outputs' values, by name */
  run(inputs: NamedNumbers): Promise<{ readonly [name: string]: TensorData }>;
  release(): void;
}

/** What an evaluator needs to know of an ONNX file. */
export interface OnnxGraph {
  readonly onnx: Uint8Array;
  readonly inputs: readonly TensorSpec[];
  readonly outputs: readonly TensorSpec[];
}

export function onnxGraph(graph: Graph): OnnxGraph {
  const outputs = [...graph.outputs].map(([name, value]) => ({ ...value, name }));
  return { onnx: toOnnx(graph), inputs: graph.inputs, outputs };
}

/** Compiles a graph with ONNX Runtime; named lengths are taken from the inputs of each run. */
export function evaluator(graph: OnnxGraph, threads = 1): Evaluator {
  const runtime = loadRuntime();
  const session = runtime.createSession(graph.onnx, { threads });
  return {
    release: () => session.release(),
    run: async (inputs) => {
      const lengths = new Map<string, number>();
      const fed = graph.inputs.map((spec) => {
        const { shape, data } = given(inputs, spec.name);
        spec.shape.forEach((axis, i) => {
          if (typeof axis === 'string') lengths.set(axis, shape[i] ?? 0);
        });
        return [spec.name, tensor(spec.dtype, shape, data)] as const;
      });
      const made = graph.outputs.map(({ name, dtype, shape }) => {
        const known = shape.map((axis) => lengthOf(axis, lengths));
        return [name, tensor(dtype, known)] as const;
      });
      await session.run(Object.fromEntries(fed), Object.fromEntries(made));
      for (const [, input] of fed) input.release();
      for (const [, output] of made) output.release();
      return Object.fromEntries(made.map(([name, { data }]) => [name, data]));
    },
  };
}

/** Compiles a graph, runs it once and gives it back. */
export async function evaluate(
  graph: Graph,
  inputs: NamedNumbers = {},
): Promise<{ readonly [name: string]: TensorData }> {
  const compiled = evaluator(onnxGraph(graph));
  try {
    return await compiled.run(inputs);
  } finally {
    compiled.release();
  }
}

function given(inputs: NamedNumbers, name: string): Numbers {
  const numbers = inputs[name];
  if (numbers === undefined) throw new Error(`the test gives no ${name}`);
  return numbers;
}

function lengthOf(axis: number | string, lengths: ReadonlyMap<string, number>): number {
  if (typeof axis === 'number') return axis;
  return axis.split('*').reduce((length, factor) => {
    const named = lengths.get(factor) ?? Number(factor);
    return length * named;
  }, 1);
}

function tensor(dtype: DataType, shape: readonly number[], from?: ArrayLike<number>): Tensor {
  const elements = shape.reduce((product, length) => product * length, 1);
  const elementType = elementTypeOf(dtype);
  const data = allocateTensorData(elementType, elements);
  if (from !== undefined) {
    for (let i = 0; i < elements; i++) data[i] = asElement(dtype, Number(from[i]));
  }
  return loadRuntime().createTensor({ elementType, shape, data });
}

function elementTypeOf(dtype: DataType): ElementType {
  if (dtype === 'float16' || dtype === 'bfloat16') throw new Error(`no memory of ours is ${dtype}`);
  return dtype;
}

function asElement(dtype: DataType, value: number): never {
  return (dtype === 'int64' ? BigInt(value) : value) as never;
}

/** Uniform numbers between `low` and `high`, the same for the same seed. */
export function randomNumbers(
  shape: readonly number[],
  seed: number,
  [low, high]: readonly [number, number] = [-1.5, 1.5],
): Numbers {
  const elements = shape.reduce((product, length) => product * length, 1);
  let state = (seed * 0x9e3779b1 + 1) >>> 0;
  const data = Float32Array.from({ length: elements }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return low + ((high - low) * (state >>> 8)) / 2 ** 24;
  });
  return { shape, data };
}

/** Largest difference between two lists of numbers, over the largest of the expected ones. */
export function relativeDeviation(
  actual: ArrayLike<number | bigint>,
  expected: ArrayLike<number>,
): number {
  if (actual.length !== expected.length) {
    throw new Error(`${actual.length} numbers, expected ${expected.length}`);
  }
  let difference = 0;
  let largest = 0;
  for (let i = 0; i < expected.length; i++) {
    const gap = Math.abs(Number(actual[i]) - Number(expected[i]));
    difference = Number.isNaN(gap) ? Infinity : Math.max(difference, gap);
    largest = Math.max(largest, Math.abs(Number(expected[i])));
  }
  return difference / largest;
}

/** An int32 constant. */
export function int32(graph: Graph, shape: readonly number[], values: readonly number[]): Value {
  return graph.constant('int32', shape, Int32Array.from(values));
}
