import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { differentiate } from '../../../training/graph/gradients/differentiate.ts';
import { RULES } from '../../../training/graph/gradients/rules.ts';
import { Graph, type Value } from '../../../training/graph/graph.ts';
import * as ops from '../../../training/graph/ops.ts';
import type { Shape } from '../../../training/graph/tensor-type.ts';
import {
  evaluator,
  int32,
  onnxGraph,
  randomNumbers,
  relativeDeviation,
  type NamedNumbers,
  type Numbers,
} from './evaluation.ts';
import { evaluate64, finiteDifferences } from './float64.ts';
import { apply, broadcastPairs, required, type GradientCase } from './gradient-case.ts';
import { BINARIES, CASES } from './gradient-cases.ts';

/** Lengths that the named axes have when a case runs. */
const LENGTHS: { readonly [name: string]: number } = { N: 3, M: 4 };

/** Of the equations, in float64; and of ONNX Runtime's float32. */
const TOLERANCE = { equations: 1e-9, float32: 2e-6 };

interface Built {
  readonly graph: Graph;
  /** Σ y·weight, the weights fixed random numbers. */
  readonly loss: Value;
  /** By input. */
  readonly gradients: ReadonlyMap<string, Value>;
  readonly inputs: NamedNumbers;
}

test.each(CASES)('gradients of $name are its finite differences', async (example) => {
  const built = build(example);
  const exact = checkEquations(built, example.rounding);
  const { graph, gradients, inputs } = built;
  for (const [name, gradient] of gradients) graph.output(`grad.${name}`, gradient);
  const compiled = evaluator(onnxGraph(graph));
  const outputs = await compiled.run(inputs);
  compiled.release();
  for (const [name, expected] of exact) {
    const found = required(outputs[`grad.${name}`]);
    const deviation = deviationOf(Array.from(found, Number), expected);
    expect([name, deviation < TOLERANCE.float32]).toEqual([name, true]);
  }
});

test.each(Object.entries(BINARIES))(
  'gradients of %s are finite differences for every pair of shapes that broadcast',
  (name, of) => {
    const pairs = broadcastPairs(3);
    expect(pairs).toHaveLength(940);
    for (const inputs of pairs) {
      const range = [0.5, 2] as const;
      checkEquations(build({ name, inputs, of: (a, b) => of(a, required(b)), range }));
    }
  },
);

test('every operator that has a derivative is among the cases', () => {
  const tested = new Set<string>(
    CASES.flatMap((example) => build(example).graph.nodes).map(({ op }) => op),
  );
  const differentiable = Object.entries(RULES).filter(([, rule]) => rule.kind === 'derivative');
  expect(differentiable.map(([op]) => op).filter((op) => !tested.has(op))).toEqual([]);
});

/** What torch computes of these, and of kinks by its conventions: make-gradient-reference.py. */
const TORCH: { readonly [name: string]: (...inputs: Value[]) => Value } = {
  relu: ops.relu,
  abs: (x) => apply('Abs', [x]),
  maximum: (a, b) => ops.max(a, required(b)),
  minimum: (a, b) => ops.min(a, required(b)),
  clamp: (x) =>
    apply('Clip', [x, ...[-1, 1].map((bound) => ops.scalar(x.graph, 'float32', bound))]),
  amax: (x) =>
    apply('ReduceMax', [x, ops.intVector(x.graph, [1])], { keepdims: { kind: 'int', value: 0 } }),
  amin: (x) =>
    apply('ReduceMin', [x, ops.intVector(x.graph, [0, 1])], {
      keepdims: { kind: 'int', value: 1 },
    }),
  pow: (x) => ops.pow(x, 1.7),
  erf: ops.erf,
  sin_cos: (x) => ops.mul(ops.sin(x), ops.cos(x)),
  cumsum: (x) =>
    ops.cumSum(x, ops.scalar(x.graph, 'int64', 1), { exclusive: false, reverse: false }),
  softmax: (x) => apply('Softmax', [x], { axis: { kind: 'int', value: 0 } }),
  log_softmax: ops.logSoftmax,
  layer_norm: (x, weight, bias) =>
    ops.layerNormalization(x, required(weight), required(bias), 1e-5),
  layer_norm_row: (x, weight, bias) =>
    ops.layerNormalization(x, required(weight), required(bias), 1e-5),
  matmul: (a, b) => ops.matMul(a, required(b)),
  addmm: (c, a, b) =>
    apply('Gemm', [required(a), required(b), c], {
      alpha: { kind: 'float', value: 0.5 },
      beta: { kind: 'float', value: 2 },
      transA: { kind: 'int', value: 0 },
      transB: { kind: 'int', value: 0 },
    }),
  mean: (x) => ops.reduceMean(x, [0, 2]),
  embedding: (x) => ops.gather(x, int32(x.graph, [2, 3], [1, 0, 1, 3, 1, 0]), 0),
  gather: (x) => ops.gatherElements(x, int32(x.graph, [2, 3], [0, 0, 3, 1, 3, 3]), 1),
  where: (a, b) => ops.where(ops.less(a, required(b)), a, ops.mul(required(b), 3)),
  slice: (x) => {
    const [starts, ends, axes, steps] = [
      [1, 0],
      [3, 4],
      [0, 1],
      [1, 2],
    ].map((v) => ops.intVector(x.graph, v));
    return ops.slice(x, [required(starts), required(ends), required(axes), required(steps)]);
  },
};

interface TorchCase {
  readonly name: string;
  readonly inputs: readonly Numbers[];
  /** d Σ y·weights / d input. */
  readonly weights: Numbers;
  readonly gradients: readonly (readonly number[])[];
}

const torchFile = new URL('../../fixtures/gradients.json', import.meta.url);
const TORCH_CASES = JSON.parse(await readFile(torchFile, 'utf8')) as readonly TorchCase[];

test.each(TORCH_CASES)('gradients of $name are those of torch', async (example) => {
  const graph = new Graph();
  const names = example.inputs.map((_, i) => `x${i}`);
  const values = example.inputs.map(({ shape }, i) => graph.input(`x${i}`, 'float32', shape));
  const loss = weightedSum(graph, required(TORCH[example.name])(...values));
  for (const [name, gradient] of differentiate(graph, loss, names)) {
    graph.output(`grad.${name}`, gradient);
  }
  const given = Object.fromEntries(example.inputs.map((numbers, i) => [`x${i}`, numbers]));
  const compiled = evaluator(onnxGraph(graph));
  const outputs = await compiled.run({ ...given, weight: example.weights });
  compiled.release();
  for (const [i, expected] of example.gradients.entries()) {
    const found = Array.from(required(outputs[`grad.x${i}`]), Number);
    expect(deviationOf(found, expected)).toBeLessThan(1e-6);
  }
});

test('torch’s numbers are of every function', () => {
  expect(TORCH_CASES.map(({ name }) => name).toSorted()).toEqual(Object.keys(TORCH).toSorted());
});

function build(example: GradientCase): Built {
  const graph = new Graph();
  const names = example.inputs.map((_, i) => `x${i}`);
  const values = example.inputs.map((shape, i) => graph.input(`x${i}`, 'float32', shape));
  const y = example.of(...values);
  const loss = weightedSum(graph, y);
  const inputs: { [name: string]: Numbers } = { weight: numbersOf(y.shape, 99, [0.5, 1.5]) };
  example.inputs.forEach((shape, i) => {
    inputs[`x${i}`] = apart(numbersOf(shape, i + 1, example.range), i, example.inputs.length === 1);
  });
  return { graph, loss, gradients: differentiate(graph, loss, names), inputs };
}

function weightedSum(graph: Graph, y: Value): Value {
  const product = ops.mul(y, graph.input('weight', 'float32', y.shape));
  const axes = y.shape.map((_, axis) => axis);
  return axes.length === 0 ? product : ops.reduceSum(product, axes);
}

/** Compares with differences, all in float64. @returns the gradients */
function checkEquations(
  { graph, loss, gradients, inputs }: Built,
  rounding = 0,
): ReadonlyMap<string, Float64Array> {
  const names = [...gradients.keys()];
  const results = evaluate64(graph, inputs, [...gradients.values()]);
  return new Map(
    names.map((name, i) => {
      const { shape, data } = required(inputs[name]);
      const differences = finiteDifferences((moved) => {
        const [result] = evaluate64(graph, { ...inputs, [name]: { shape, data: moved } }, [loss]);
        return required(result?.data[0]);
      }, data);
      const found = required(results[i]).data;
      const deviation = deviationOf(found, differences);
      const shapes = graph.inputs.map((input) => `[${input.shape.join()}]`).join(' ');
      expect([name, shapes, deviation < TOLERANCE.equations + rounding]).toEqual([
        name,
        shapes,
        true,
      ]);
      return [name, found];
    }),
  );
}

/** As `relativeDeviation`, but in numbers of at least 1e-3: some gradients are 0. */
function deviationOf(found: ArrayLike<number>, expected: ArrayLike<number>): number {
  const padded = (values: ArrayLike<number>): number[] => [...Array.from(values), 1e-3];
  return relativeDeviation(padded(found), padded(expected));
}

function numbersOf(shape: Shape, seed: number, range?: readonly [number, number]): Numbers {
  const known = shape.map((length) =>
    typeof length === 'number' ? length : required(LENGTHS[length]),
  );
  return randomNumbers(known, seed, range);
}

/**
 * Numbers that lie far enough apart that none is at a kink: those of one input all from each other,
 * those of several from the other inputs'.
 */
function apart({ shape, data }: Numbers, input: number, isAlone: boolean): Numbers {
  const values = Float32Array.from(data);
  if (!isAlone) {
    return { shape, data: values.map((value) => Math.round(value * 8) / 8 + 0.03 * input) };
  }
  const sorted = values.toSorted();
  const [low = 0, high = 0] = [sorted[0], sorted.at(-1)];
  const step = (high - low) / values.length;
  return { shape, data: values.map((value) => low + step * sorted.indexOf(value)) };
}
