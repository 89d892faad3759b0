import type { Value } from '../../../training/graph/graph.ts';
import * as ops from '../../../training/graph/ops.ts';
import type { OpName } from '../../../training/graph/operators.ts';
import type { Shape } from '../../../training/graph/tensor-type.ts';
import { int32 } from './evaluation.ts';

/** Something whose gradients are tested. */
export interface GradientCase {
  readonly name: string;
  /** Shapes of the inputs to differentiate by. */
  readonly inputs: readonly Shape[];
  readonly of: (...inputs: Value[]) => Value;
  /** Where the inputs lie; [-1.5, 1.5] when left out. */
  readonly range?: readonly [number, number];
  /** What rounding a constant of the rule to float32 changes. */
  readonly rounding?: number;
}

type Attributes = Parameters<Value['graph']['apply']>[2];

/** One operator, as it is. */
export function apply(op: OpName, inputs: readonly Value[], attributes: Attributes = {}): Value {
  const [output] = required(inputs[0]).graph.apply(op, inputs, attributes);
  return required(output);
}

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

/** All shapes of at most `rank` axes of 1, 2 or 3. */
function shapesOf(rank: number): readonly (readonly number[])[] {
  if (rank === 0) return [[]];
  const shorter = shapesOf(rank - 1);
  const longest = shorter.filter(({ length }) => length === rank - 1);
  return [...shorter, ...longest.flatMap((shape) => [1, 2, 3].map((length) => [...shape, length]))];
}

/** Every pair of shapes of at most `rank` axes that broadcast to each other. */
export function broadcastPairs(
  rank: number,
): readonly (readonly [readonly number[], readonly number[]])[] {
  const shapes = shapesOf(rank);
  return shapes.flatMap((a) => shapes.filter((b) => isBroadcast(a, b)).map((b) => [a, b] as const));
}

function isBroadcast(a: readonly number[], b: readonly number[]): boolean {
  const [short, long] = a.length < b.length ? [a, b] : [b, a];
  const aligned = long.slice(long.length - short.length);
  return short.every(
    (length, axis) => [length, aligned[axis]].includes(1) || length === aligned[axis],
  );
}

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

const perms = [
  [0, 1, 2],
  [0, 2, 1],
  [1, 0, 2],
  [1, 2, 0],
  [2, 0, 1],
  [2, 1, 0],
];

/** Starts, ends, axes, steps. */
const slices = [
  [[1], [3], [0], [1]],
  [[0], [2], [1], [1]],
  [[-2], [2 ** 40], [2], [1]],
  [
    [0, 1],
    [-1, 5],
    [1, 2],
    [1, 2],
  ],
  [
    [3, 0],
    [-9, 1],
    [2, 0],
    [-1, 1],
  ],
  [[4], [0], [-1], [-2]],
].map(([starts = [], ends = [], axes = [], steps = []]): GradientCase => ({
  name: `Slice ${starts.join()}:${ends.join()}:${steps.join()} of axes ${axes.join()}`,
  inputs: [[3, 3, 5]],
  of: (x) => {
    const vector = (values: readonly number[]): Value => ops.intVector(x.graph, values);
    return ops.slice(x, [vector(starts), vector(ends), vector(axes), vector(steps)]);
  },
}));

const moves: readonly GradientCase[] = [
  ...perms.map((perm): GradientCase => ({
    name: `Transpose ${perm.join()}`,
    inputs: [[2, 3, 4]],
    of: (x) => ops.transpose(x, perm),
  })),
  ...[[3, 4], [12], [2, 3, 2, 1], [1, 12]].map((shape): GradientCase => ({
    name: `Reshape to [${shape.join()}]`,
    inputs: [[2, 6]],
    of: (x) => ops.reshape(x, shape),
  })),
  ...broadcastPairs(2).flatMap(([a, b]): readonly GradientCase[] =>
    a.length > b.length
      ? []
      : [
          {
            name: `Expand [${a.join()}] to [${b.join()}]`,
            inputs: [a],
            of: (x) => apply('Expand', [x, ops.intVector(x.graph, b)]),
          },
        ],
  ),
  ...[0, 1, -1].map((axis): GradientCase => ({
    name: `Split along ${axis} with a part unused`,
    inputs: [[6, 6]],
    of: (x) => {
      const [a, , c] = ops.split(x, [2, 1, 3], axis);
      return ops.mul(ops.reduceSum(required(a), [0, 1]), required(c));
    },
  })),
  ...[0, 1, 2, -2].map((axis): GradientCase => ({
    name: `Concat along ${axis}`,
    inputs: [1, 3, 2].map((length) => [2, 2, 2].with(axis, length)),
    of: (...parts) => ops.concat(parts, axis),
  })),
  ...slices,
  {
    name: 'Gather of rows, some of them twice',
    inputs: [[4, 3]],
    of: (x) => ops.gather(x, int32(x.graph, [2, 3], [1, 0, 1, 3, 1, 0]), 0),
  },
  {
    name: 'Gather of one',
    inputs: [[2, 4, 3]],
    of: (x) => ops.gather(x, int32(x.graph, [], [2]), 1),
  },
  {
    name: 'Gather from the end',
    inputs: [[2, 4, 3]],
    of: (x) => ops.gather(x, int32(x.graph, [3], [-1, -1, 0]), -1),
  },
  ...[0, 1, -1].map((axis): GradientCase => ({
    name: `GatherElements along ${axis}, some of them twice`,
    inputs: [[4, 4]],
    of: (x) => ops.gatherElements(x, int32(x.graph, [3, 2], [0, 0, 3, 1, 3, -1]), axis),
  })),
  {
    name: 'ScatterElements with duplicates',
    inputs: [
      [3, 4],
      [3, 2],
    ],
    of: (x, u) => ops.scatterAdd(x, int32(x.graph, [3, 2], [0, 0, 3, 1, 2, 2]), required(u), 1),
  },
  {
    name: 'Where with broadcast branches',
    inputs: [[3], [2, 1]],
    of: (a, b) => {
      const pattern = ops.equal(int32(a.graph, [2, 3], [1, 0, 1, 0, 0, 1]), 1);
      return ops.where(pattern, a, required(b));
    },
  },
];

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
  ...moves,
  ...layerNorms,
  ...namedLengths,
];

export function required<T>(value: T | undefined): T {
  if (value === undefined) throw new Error('the test lacks a value');
  return value;
}
