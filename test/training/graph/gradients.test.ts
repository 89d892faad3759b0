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

interface Case {
  readonly name: string;
  /** Shapes of the inputs to differentiate by. */
  readonly inputs: readonly Shape[];
  readonly of: (...inputs: Value[]) => Value;
  /** Where the inputs lie; [-1.5, 1.5] when left out. */
  readonly range?: readonly [number, number];
}

const pairs: readonly (readonly [Shape, Shape])[] = [
  [
    [2, 3],
    [2, 3],
  ],
  [[2, 3], [3]],
  [[3], [2, 3]],
  [
    [2, 3],
    [2, 1],
  ],
  [
    [2, 1],
    [1, 3],
  ],
  [[2, 3], []],
  [
    [4, 2, 3],
    [2, 1],
  ],
];
const binaries = { add: ops.add, sub: ops.sub, mul: ops.mul, div: ops.div };
const broadcasts = Object.entries(binaries).flatMap(([name, of]) =>
  pairs.map(([a, b]): Case => ({
    name: `${name} [${a}] [${b}]`,
    inputs: [a, b],
    of,
    range: [0.5, 2],
  })),
);

const unaries: readonly Case[] = [
  { name: 'neg', inputs: [[5]], of: ops.neg },
  { name: 'exp', inputs: [[5]], of: ops.exp },
  { name: 'sqrt', inputs: [[5]], of: ops.sqrt, range: [0.5, 2] },
  { name: 'reciprocal', inputs: [[5]], of: ops.reciprocal, range: [0.5, 2] },
  { name: 'sigmoid', inputs: [[5]], of: ops.sigmoid },
  { name: 'tanh', inputs: [[5]], of: ops.tanh },
  { name: 'relu above 0', inputs: [[5]], of: ops.relu, range: [0.5, 2] },
  { name: 'relu below 0', inputs: [[5]], of: (x) => ops.add(x, ops.relu(x)), range: [-2, -0.5] },
  { name: 'erf', inputs: [[5]], of: ops.erf },
  { name: 'identity', inputs: [[5]], of: (x) => only(x.graph.apply('Identity', [x])) },
  { name: 'softmax', inputs: [[2, 3, 4]], of: ops.softmax },
  { name: 'log softmax', inputs: [[2, 3, 4]], of: ops.logSoftmax },
  { name: 'the same value twice', inputs: [[5]], of: (x) => ops.mul(ops.mul(x, x), ops.exp(x)) },
];

const matMuls = (
  [
    [
      [2, 3],
      [3, 4],
    ],
    [
      [5, 2, 3],
      [3, 4],
    ],
    [
      [5, 2, 3],
      [5, 3, 4],
    ],
    [
      [1, 2, 3],
      [5, 3, 4],
    ],
    [
      [2, 1, 2, 3],
      [5, 3, 4],
    ],
    [
      [2, 3],
      [5, 3, 4],
    ],
  ] as const
).map(([a, b]): Case => ({ name: `matMul [${a}] [${b}]`, inputs: [a, b], of: ops.matMul }));

const gemms = [false, true].flatMap((transA) =>
  [false, true].flatMap((transB) =>
    ([[2, 4], [4], [2, 1], []] as const).map((c): Case => ({
      name: `gemm transA=${transA} transB=${transB} C [${c.join()}]`,
      inputs: [transA ? [3, 2] : [2, 3], transB ? [4, 3] : [3, 4], c],
      of: (a, b, bias) => ops.gemm(a, b, { c: required(bias), transA, transB }),
    })),
  ),
);

const scaledGemm: Case = {
  name: 'gemm with alpha and beta',
  inputs: [[2, 3], [3, 4], [4]],
  of: (...inputs) =>
    only(
      required(inputs[0]).graph.apply('Gemm', inputs, {
        alpha: { kind: 'float', value: 0.5 },
        beta: { kind: 'float', value: -2 },
        transA: { kind: 'int', value: 0 },
        transB: { kind: 'int', value: 0 },
      }),
    ),
};

const reductions = [[0], [1], [-1], [0, 2]].flatMap((axes) =>
  [false, true].flatMap((keepDims): readonly Case[] => [
    {
      name: `reduceSum ${axes} keepDims=${keepDims}`,
      inputs: [[2, 3, 4]],
      of: (x) => ops.reduceSum(x, axes, { keepDims }),
    },
    {
      name: `reduceMean ${axes} keepDims=${keepDims}`,
      inputs: [[2, 3, 4]],
      of: (x) => ops.reduceMean(x, axes, { keepDims }),
    },
  ]),
);

const moves: readonly Case[] = [
  { name: 'transpose', inputs: [[2, 3, 4]], of: (x) => ops.transpose(x, [1, 2, 0]) },
  { name: 'reshape', inputs: [[2, 6]], of: (x) => ops.reshape(x, [3, 4]) },
  { name: 'expand', inputs: [[3, 1]], of: (x) => ops.expand(x, [2, 3, 4]) },
  {
    name: 'split with a part unused',
    inputs: [[2, 6]],
    of: (x) => {
      const [a, , c] = ops.split(x, [1, 2, 3], 1);
      return ops.mul(required(a), required(c));
    },
  },
  {
    name: 'concat',
    inputs: [
      [2, 1],
      [2, 3],
    ],
    of: (a, b) => ops.concat([a, required(b)], 1),
  },
  {
    name: 'gather rows, some of them twice',
    inputs: [[4, 3]],
    of: (x) => ops.gather(x, int32(x.graph, [2, 3], [1, 0, 1, 3, 1, 0]), 0),
  },
  {
    name: 'gather along axis 1',
    inputs: [[2, 4, 3]],
    of: (x) => ops.gather(x, int32(x.graph, [3], [3, 3, 0]), 1),
  },
  {
    name: 'gatherElements',
    inputs: [[3, 4]],
    of: (x) => ops.gatherElements(x, int32(x.graph, [3, 2], [0, 0, 3, 1, 2, 2]), 1),
  },
  {
    name: 'scatterAdd with duplicates',
    inputs: [
      [3, 4],
      [3, 2],
    ],
    of: (x, u) => ops.scatterAdd(x, int32(x.graph, [3, 2], [0, 0, 3, 1, 2, 2]), required(u), 1),
  },
  {
    name: 'where with broadcast branches',
    inputs: [[3], [2, 1]],
    of: (a, b) => {
      const pattern = ops.equal(int32(a.graph, [2, 3], [1, 0, 1, 0, 0, 1]), 1);
      return ops.where(pattern, a, required(b));
    },
  },
];

const layerNorms = (
  [
    [3, 5],
    [2, 3, 5],
  ] as const
).map((shape): Case => ({
  name: `layerNormalization [${shape}]`,
  inputs: [shape, [5], [5]],
  of: (x, weight, bias) => ops.layerNormalization(x, required(weight), required(bias), 1e-2),
}));

const namedLengths: readonly Case[] = [
  { name: 'a row added to N rows', inputs: [['N', 3], [3]], of: ops.add },
  {
    name: 'N rows by a matrix',
    inputs: [
      ['N', 3],
      [3, 2],
    ],
    of: ops.matMul,
  },
  { name: 'mean over N', inputs: [['N', 3]], of: (x) => ops.reduceMean(x, [0]) },
  { name: 'mean over all', inputs: [['N', 3]], of: (x) => ops.reduceMean(x, [0, 1]) },
  {
    name: 'N×M merged, multiplied and split again',
    inputs: [
      ['N', 'M', 2],
      [2, 2],
    ],
    of: (x, w) => ops.reshape(ops.matMul(ops.flattenRows(x), required(w)), ['M', 'N', 2]),
  },
];

const CASES: readonly Case[] = [
  ...broadcasts,
  ...unaries,
  ...matMuls,
  ...gemms,
  scaledGemm,
  ...reductions,
  ...moves,
  ...layerNorms,
  ...namedLengths,
];

/** Lengths that the named axes have when a case runs. */
const LENGTHS: { readonly [name: string]: number } = { N: 3, M: 4 };

/** Step of the differences: their error is about h⁴ plus float32's 6e-8 / h. */
const STEP = 0.03;
const TOLERANCE = 1e-4;

test.each(CASES)('gradient of $name equals its finite differences', async (example) => {
  const { graph, y, names } = builtCase(example);
  graph.output('y', y);
  const weights = numbersOf(y.shape, 99, [0.5, 1.5]);
  const weight = graph.input('weight', 'float32', y.shape);
  const axes = y.shape.map((_, axis) => axis);
  const product = ops.mul(y, weight);
  const loss = axes.length === 0 ? product : ops.reduceSum(product, axes);
  const gradients = differentiate(graph, loss, names);
  for (const [name, gradient] of gradients) graph.output(`grad.${name}`, gradient);

  const inputs: { [name: string]: Numbers } = { weight: weights };
  example.inputs.forEach((shape, i) => {
    inputs[`x${i}`] = numbersOf(shape, i + 1, example.range);
  });
  const compiled = evaluator(onnxGraph(graph));
  const analytic = await compiled.run(inputs);
  const lossOf = async (changed: NamedNumbers): Promise<number> => {
    const { y: values } = await compiled.run(changed);
    return Array.from(required(values), Number).reduce(
      (sum, value, i) => sum + value * Number(weights.data[i]),
      0,
    );
  };
  for (const name of names) {
    const numeric = await finiteDifferences(lossOf, inputs, name);
    expect(relativeDeviation(required(analytic[`grad.${name}`]), numeric)).toBeLessThan(TOLERANCE);
  }
  compiled.release();
});

test('every operator that has a derivative is among the cases', () => {
  const tested = new Set(
    CASES.flatMap((example) => builtCase(example).graph.nodes).map(({ op }) => op),
  );
  const differentiable = Object.entries(RULES).filter(([, rule]) => rule.kind === 'derivative');
  const missing = differentiable.map(([op]) => op).filter((op) => !tested.has(op as never));
  expect(missing).toEqual([]);
});

function builtCase(example: Case): { graph: Graph; y: Value; names: readonly string[] } {
  const graph = new Graph();
  const names = example.inputs.map((_, i) => `x${i}`);
  const inputs = example.inputs.map((shape, i) => graph.input(`x${i}`, 'float32', shape));
  return { graph, y: example.of(...inputs), names };
}

function numbersOf(shape: Shape, seed: number, range?: readonly [number, number]): Numbers {
  const known = shape.map((length) =>
    typeof length === 'number' ? length : required(LENGTHS[length]),
  );
  return randomNumbers(known, seed, range);
}

/** Central differences of fourth order: (8(f(h) − f(−h)) − (f(2h) − f(−2h))) / 12h. */
async function finiteDifferences(
  f: (inputs: NamedNumbers) => Promise<number>,
  inputs: NamedNumbers,
  name: string,
): Promise<readonly number[]> {
  const { shape, data } = required(inputs[name]);
  const at = (i: number, offset: number): Promise<number> => {
    const moved = Array.from(data);
    moved[i] = Math.fround(Number(moved[i]) + offset);
    return f({ ...inputs, [name]: { shape, data: moved } });
  };
  const slopes: number[] = [];
  for (let i = 0; i < data.length; i++) {
    const near = (await at(i, STEP)) - (await at(i, -STEP));
    const far = (await at(i, 2 * STEP)) - (await at(i, -2 * STEP));
    slopes.push((8 * near - far) / (12 * STEP));
  }
  return slopes;
}

function only(values: readonly Value[]): Value {
  return required(values[0]);
}

function required<T>(value: T | undefined): T {
  if (value === undefined) throw new Error('the test lacks a value');
  return value;
}
