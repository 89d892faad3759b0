import type { Value } from '../../../training/graph/graph.ts';
import * as ops from '../../../training/graph/ops.ts';
import type { Shape } from '../../../training/graph/tensor-type.ts';
import { apply, broadcastPairs, required, type GradientCase } from './gradient-case.ts';
import { MOVES } from './gradient-move-cases.ts';

type Attributes = Parameters<Value['graph']['apply']>[2];

const axisAttribute = (axis: number): NonNullable<Attributes> => ({
  axis: { kind: 'int', value: axis },
});

/** Operators of two operands, on positive numbers that lie apart. */
export const BINARIES: { readonly [name: string]: (a: Value, b: Value) => Value } = {
  add: ops.add,
  sub: ops.sub,
  mul: ops.mul,
  div: ops.div,
  max: ops.max,
  min: ops.min,
  'where a < b': (a, b) => ops.where(ops.less(a, b), a, b),
  // The exponent has no gradient of its own.
  'pow by a constant': (a, b) => ops.mul(ops.pow(a, 1.7), b),
};

const someBroadcasts = Object.entries(BINARIES).flatMap(([name, of]) =>
  [
    [
      [2, 3],
      [2, 3],
    ],
    [[2, 3], [3]],
    [[3], [2, 3]],
    [
      [2, 1],
      [1, 3],
    ],
    [[2, 3], []],
    [
      [3, 2, 3],
      [2, 1],
    ],
  ].map(([a = [], b = []]): GradientCase => ({
    name: `${name} [${a.join()}] [${b.join()}]`,
    inputs: [a, b],
    of: (x, y) => of(x, required(y)),
    range: [0.5, 2],
  })),
);

const unaries: readonly GradientCase[] = [
  ...(['Neg', 'Abs', 'Exp', 'Sin', 'Cos', 'Sigmoid', 'Tanh', 'Identity'] as const).map(
    (op): GradientCase => ({ name: op, inputs: [[7]], of: (x) => apply(op, [x]) }),
  ),
  // 2/√π
  { name: 'Erf', inputs: [[7]], of: ops.erf, rounding: 6e-8 },
  { name: 'Sqrt', inputs: [[5]], of: ops.sqrt, range: [0.5, 2] },
  { name: 'Reciprocal', inputs: [[5]], of: ops.reciprocal, range: [0.5, 2] },
  ...[-1.5, 0.3, 2, 4].map((exponent): GradientCase => ({
    ...{ name: `Pow ${exponent}`, inputs: [[5]], range: [0.5, 2] },
    of: (x) => ops.pow(x, exponent),
  })),
  { name: 'Relu above 0', inputs: [[5]], of: ops.relu, range: [0.5, 2] },
  { name: 'Relu below 0', inputs: [[5]], of: (x) => ops.add(x, ops.relu(x)), range: [-2, -0.5] },
  {
    name: 'Clip',
    inputs: [[9]],
    of: (x) =>
      apply('Clip', [x, ...[-0.6, 0.7].map((bound) => ops.scalar(x.graph, 'float32', bound))]),
  },
  { name: 'the same value twice', inputs: [[5]], of: (x) => ops.mul(ops.mul(x, x), ops.exp(x)) },
  ...[0, 1, 2, -1].flatMap((axis): readonly GradientCase[] => [
    {
      name: `Softmax axis ${axis}`,
      inputs: [[2, 3, 4]],
      of: (x) => apply('Softmax', [x], axisAttribute(axis)),
    },
    {
      name: `LogSoftmax axis ${axis}`,
      inputs: [[2, 3, 4]],
      of: (x) => apply('LogSoftmax', [x], axisAttribute(axis)),
    },
  ]),
  { name: 'Softmax of one element', inputs: [[3, 1]], of: ops.softmax },
  ...[0, 1, -1].flatMap((axis) =>
    [false, true].flatMap((exclusive) =>
      [false, true].map((reverse): GradientCase => ({
        name: `CumSum axis ${axis} exclusive ${exclusive} reverse ${reverse}`,
        inputs: [[2, 4]],
        of: (x) => ops.cumSum(x, ops.scalar(x.graph, 'int64', axis), { exclusive, reverse }),
      })),
    ),
  ),
];

/** Matrices, with every pair of batches of at most two axes. */
const matMuls = broadcastPairs(2).map(([a, b]): GradientCase => ({
  name: `MatMul [${[...a, 2, 3].join()}] [${[...b, 3, 4].join()}]`,
  inputs: [
    [...a, 2, 3],
    [...b, 3, 4],
  ],
  of: (x, y) => ops.matMul(x, required(y)),
}));

const gemms = [0, 1].flatMap((transA) =>
  [0, 1].flatMap((transB) =>
    ([[2, 4], [4], [1, 4], [2, 1], [1], [], undefined] as const).map((c): GradientCase => ({
      name: `Gemm transA ${transA} transB ${transB} C [${c?.join() ?? 'none'}]`,
      inputs: [transA ? [3, 2] : [2, 3], transB ? [4, 3] : [3, 4], ...(c === undefined ? [] : [c])],
      of: (...inputs) =>
        apply('Gemm', inputs, {
          alpha: { kind: 'float', value: 0.5 },
          beta: { kind: 'float', value: -2 },
          transA: { kind: 'int', value: transA },
          transB: { kind: 'int', value: transB },
        }),
    })),
  ),
);

/** Every set of axes, by their numbers from 0 or from the end. */
const reductions = [[0], [1], [2], [0, 1], [0, 2], [1, 2], [0, 1, 2], [-1], [-3, -2]].flatMap(
  (axes) =>
    (['ReduceSum', 'ReduceMean', 'ReduceMax', 'ReduceMin'] as const).flatMap((op) =>
      [0, 1].map((keepdims): GradientCase => ({
        name: `${op} [${axes.join()}] keepdims ${keepdims}`,
        inputs: [[2, 3, 4]],
        of: (x) =>
          apply(op, [x, ops.intVector(x.graph, axes)], {
            keepdims: { kind: 'int', value: keepdims },
          }),
      })),
    ),
);

const layerNorms = [[3, 5], [2, 3, 5], [5], [1, 5], [4, 1]].map((shape): GradientCase => ({
  name: `LayerNormalization [${shape.join()}]`,
  inputs: [shape, [shape.at(-1) ?? 1], [shape.at(-1) ?? 1]],
  of: (x, weight, bias) => ops.layerNormalization(x, required(weight), required(bias), 1e-2),
}));

const namedLengths: readonly GradientCase[] = [
  { name: 'a row added to N rows', inputs: [['N', 3], [3]], of: (x, y) => ops.add(x, required(y)) },
  {
    name: 'N rows by a matrix',
    inputs: [
      ['N', 3],
      [3, 2],
    ],
    of: (x, y) => ops.matMul(x, required(y)),
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
  {
    name: 'N of a table of 5',
    inputs: [
      ['N', 2],
      [5, 2],
    ],
    of: (x, table) => {
      const vector = (values: Shape): Value => ops.shapeVector(x.graph, values);
      const bounds = [vector([0]), vector(['N']), vector([0]), vector([1])] as const;
      return ops.mul(x, ops.slice(required(table), [...bounds]));
    },
  },
  { name: 'Concat along N', inputs: [['N', 2]], of: (x) => ops.concat([x, ops.exp(x)], 1) },
];

export const CASES: readonly GradientCase[] = [
  ...someBroadcasts,
  ...unaries,
  ...matMuls,
  ...gemms,
  ...reductions,
  ...MOVES,
  ...layerNorms,
  ...namedLengths,
];
