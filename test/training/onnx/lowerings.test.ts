import { expect, test } from 'vitest';
import { Graph } from '../../../training/graph/graph.ts';
import { toOnnx } from '../../../training/graph/onnx-file.ts';
import { importGraph } from '../../../training/onnx/import-graph.ts';
import { LOWERINGS } from '../../../training/onnx/lowerings.ts';
import { readOnnxModel } from '../../../training/onnx/model-file.ts';
import {
  evaluator,
  randomNumbers,
  relativeDeviation,
  type NamedNumbers,
} from '../graph/evaluation.ts';
import {
  bools,
  floats,
  int64s,
  onnxFile,
  type FileNodeSpec,
  type FileSpec,
  type TensorInit,
} from './onnx-builder.ts';

/** One node, or a few, on x float32 [N,3,4] and i int64 [N]; N is 2 when it runs. */
interface Case {
  readonly name: string;
  readonly opsets: readonly number[];
  readonly nodes: readonly FileNodeSpec[];
  readonly initializers?: readonly TensorInit[];
  /** Whether no node is left: what it gives is told when the file is read. */
  readonly isFolded?: true;
}

type Attributes = NonNullable<FileNodeSpec['attributes']>;

const MODERN = [13, 17, 21];

/** A case of one node that reads x and initializers. */
function unary(
  op: string,
  attributes: Attributes = {},
  initializers: readonly TensorInit[] = [],
  opsets: readonly number[] = MODERN,
): Case {
  const inputs = ['x', ...initializers.map(({ name }) => name ?? '')];
  const described = JSON.stringify(attributes, (_, value: unknown) =>
    typeof value === 'bigint' ? Number(value) : value,
  );
  const given = initializers.map(
    ({ int64Data, floatData }) => `[${(int64Data?.length ? int64Data : floatData) ?? ''}]`,
  );
  return {
    name: `${op} ${described} ${given.join(' ')}`,
    opsets,
    nodes: [{ op, inputs, outputs: ['y'], attributes }],
    initializers,
  };
}

const ints = (name: string, ...data: readonly number[]): TensorInit =>
  int64s(name, [data.length], data);
const scalar = (name: string, value: number): TensorInit => floats(name, [], [value]);
const row = floats('b', [4], [0.5, -2, 1.5, 3]);

/** A node between the input and the output. */
const node = (
  op: string,
  inputs: readonly string[],
  output: string,
  attributes: Attributes = {},
): FileNodeSpec => ({
  ...{ op, inputs, outputs: [output], attributes },
  name: `${op} of ${output}`,
});

/** Truth values of x, then a node on them, then numbers again. */
const logical = (op: string, inputs: readonly string[] = ['t', 'f']): Case => ({
  name: op,
  opsets: MODERN,
  initializers: [scalar('zero', 0), row],
  nodes: [
    node('Greater', ['x', 'zero'], 't'),
    node('Less', ['x', 'b'], 'f'),
    node(op, inputs, 'z'),
    node('Cast', ['z'], 'y', { to: 1 }),
  ],
});

const compared = (op: string, opsets = MODERN): Case => ({
  name: op,
  opsets,
  initializers: [row],
  nodes: [node(op, ['x', 'b'], 'z'), node('Cast', ['z'], 'y', { to: 6 })],
});

const unaries = [
  'Abs',
  'Ceil',
  'Cos',
  'Erf',
  'Exp',
  'Floor',
  'Identity',
  'Neg',
  'Reciprocal',
  'Relu',
  'Round',
  'Sigmoid',
  'Sign',
  'Sin',
  'Tanh',
];

const CASES: readonly Case[] = [
  ...unaries.map((op) => unary(op)),
  ...['Add', 'Div', 'Max', 'Mean', 'Min', 'Mul', 'PRelu', 'Sub', 'Sum'].map((op) =>
    unary(op, {}, [row]),
  ),
  unary('Max', {}, [row, scalar('c', 0.25)]),
  { ...unary('Log'), nodes: [node('Abs', ['x'], 'z'), node('Log', ['z'], 'y')] },
  { ...unary('Sqrt'), nodes: [node('Abs', ['x'], 'z'), node('Sqrt', ['z'], 'y')] },
  ...[0.5, 1, 2, 3, -1, 1.7].map((exponent): Case => ({
    ...unary('Pow', {}, [scalar('p', exponent)]),
    nodes: [node('Abs', ['x'], 'z'), node('Pow', ['z', 'p'], 'y')],
  })),
  unary('Clip', {}, [scalar('low', -0.5), scalar('high', 0.5)]),
  unary('Clip', {}, [scalar('low', -0.5)]),
  {
    ...unary('Clip'),
    name: 'Clip above',
    initializers: [scalar('high', 0.5)],
    nodes: [node('Clip', ['x', '', 'high'], 'y')],
  },
  {
    ...unary('Mod'),
    name: 'Mod',
    initializers: [ints('m', 3)],
    nodes: [node('Mod', ['i', 'm'], 'y')],
  },
  unary('LeakyRelu', { alpha: 0.1 }),
  unary('Elu', { alpha: 1.5 }),
  unary('HardSigmoid', { alpha: 0.3, beta: 0.4 }),
  unary('HardSwish', {}, [], [14, 21]),
  unary('Gelu', {}, [], [20, 21]),
  unary('Gelu', { approximate: 'tanh' }, [], [20, 21]),
  ...['And', 'Or', 'Xor'].map((op) => logical(op)),
  logical('Not', ['t']),
  ...['Equal', 'Greater', 'Less'].map((op) => compared(op)),
  ...['GreaterOrEqual', 'LessOrEqual'].map((op) => compared(op)),
  {
    name: 'IsNaN',
    opsets: MODERN,
    nodes: [
      node('Sqrt', ['x'], 'n'),
      node('IsNaN', ['n'], 'z'),
      node('Cast', ['z'], 'y', { to: 7 }),
    ],
  },
  {
    name: 'IsInf',
    opsets: MODERN,
    initializers: [scalar('zero', 0)],
    nodes: [
      node('Div', ['x', 'zero'], 'n'),
      node('IsInf', ['n'], 'z'),
      node('Cast', ['z'], 'y', { to: 7 }),
    ],
  },
  {
    name: 'Where of numbers',
    opsets: MODERN,
    initializers: [row],
    nodes: [node('Less', ['x', 'b'], 't'), node('Where', ['t', 'x', 'b'], 'y')],
  },
  unary('Cast', { to: 7 }),
  { name: 'CastLike', opsets: [15, 21], nodes: [node('CastLike', ['x', 'i'], 'y')] },
  unary('MatMul', {}, [floats('w', [4, 2], [1, 2, 3, 4, 5, 6, 7, 8])]),
  unary('MatMul', {}, [floats('w', [4], [1, -2, 3, 4])]),
  {
    ...unary('MatMul', {}, [floats('w', [3], [1, -2, 3])]),
    nodes: [node('MatMul', ['w', 'x'], 'y')],
  },
  ...[0, 1].map((transB): Case => ({
    name: `Gemm transB ${transB}`,
    opsets: MODERN,
    initializers: [
      floats(
        'w',
        transB ? [2, 12] : [12, 2],
        Array.from({ length: 24 }, (_, i) => i / 7),
      ),
      ints('shape', -1, 12),
      row,
      floats('c', [2], [1, 2]),
    ],
    nodes: [
      node('Reshape', ['x', 'shape'], 'z'),
      node('Gemm', ['z', 'w', 'c'], 'y', { transB, alpha: 0.5, beta: { float: 2 } }),
    ],
  })),
  ...['ReduceSum', 'ReduceMean', 'ReduceMax', 'ReduceMin', 'ReduceL2', 'ReduceSumSquare'].flatMap(
    (op) => {
      const last = op === 'ReduceSum' ? [11, 12] : [11, 13, 17];
      const first = op === 'ReduceSum' ? [13, 21] : [18, 21];
      return [
        unary(op, { axes: [-1] }, [], last),
        unary(op, { axes: [0, 2], keepdims: 0 }, [], last),
        unary(op, {}, [], last),
        unary(op, { keepdims: 0 }, [ints('axes', 1, 2)], first),
        unary(op, { noop_with_empty_axes: 0 }, [], first),
      ];
    },
  ),
  unary('ReduceSum', { noop_with_empty_axes: 1 }, [], [13, 21]),
  unary('ArgMax', { axis: 1 }),
  unary('ArgMax', { axis: -1, keepdims: 0 }),
  unary('CumSum', {}, [int64s('axis', [], [1])]),
  unary('CumSum', { exclusive: 1, reverse: 1 }, [int64s('axis', [], [-1])]),
  ...['Softmax', 'LogSoftmax'].flatMap((op) => [
    unary(op),
    unary(op, { axis: 1 }),
    unary(op, {}, [], [11, 12]),
    unary(op, { axis: 2 }, [], [11, 12]),
    unary(op, { axis: 0 }, [], [11, 12]),
  ]),
  unary('LayerNormalization', {}, [row], [17, 21]),
  unary('LayerNormalization', { epsilon: 0.01 }, [row, floats('c', [4], [1, 2, 3, 4])], [17, 21]),
  unary(
    'LayerNormalization',
    { axis: 1 },
    [
      floats(
        's',
        [3, 4],
        Array.from({ length: 12 }, (_, i) => i / 5),
      ),
    ],
    [17, 21],
  ),
  unary('RMSNormalization', { epsilon: 0.01 }, [row], [23]),
  unary('Transpose'),
  unary('Transpose', { perm: [1, 0, 2] }),
  unary('Reshape', {}, [ints('shape', 0, -1)]),
  unary('Reshape', {}, [ints('shape', -1, 2, 3)]),
  unary('Flatten'),
  unary('Flatten', { axis: 0 }),
  unary('Flatten', { axis: -1 }),
  unary('Unsqueeze', { axes: [0, -1] }, [], [11, 12]),
  unary('Unsqueeze', {}, [ints('axes', 1, 3)]),
  {
    ...unary('Squeeze'),
    name: 'Squeeze of axes',
    opsets: [11, 12],
    nodes: [
      node('ReduceMean', ['x'], 'z', { axes: [1] }),
      node('Squeeze', ['z'], 'y', { axes: [1] }),
    ],
  },
  {
    ...unary('Squeeze'),
    name: 'Squeeze of all',
    opsets: [13, 17],
    nodes: [node('ReduceMean', ['x'], 'z', { axes: [1] }), node('Squeeze', ['z'], 'y')],
  },
  unary('Expand', {}, [ints('shape', 2, 1, 1, 4)]),
  unary('Tile', {}, [ints('times', 1, 2, 3)]),
  {
    ...unary('Split'),
    name: 'Split by attribute',
    opsets: [11, 12],
    nodes: [{ ...node('Split', ['x'], '', { axis: 2, split: [1, 3] }), outputs: ['u', 'y'] }],
  },
  {
    ...unary('Split'),
    name: 'Split in equal parts',
    opsets: [13, 17],
    nodes: [{ ...node('Split', ['x'], '', { axis: -1 }), outputs: ['y', 'u'] }],
  },
  {
    ...unary('Split'),
    name: 'Split in num_outputs',
    opsets: [18, 21],
    nodes: [{ ...node('Split', ['x'], '', { axis: 1, num_outputs: 2 }), outputs: ['u', 'y'] }],
  },
  {
    ...unary('Split'),
    name: 'Split by sizes',
    initializers: [ints('sizes', 1, 2)],
    nodes: [{ ...node('Split', ['x', 'sizes'], '', { axis: 1 }), outputs: ['u', 'y'] }],
  },
  {
    ...unary('Concat'),
    name: 'Concat',
    initializers: [],
    nodes: [node('Concat', ['x', 'x'], 'y', { axis: -1 })],
  },
  {
    ...unary('Concat'),
    name: 'Concat along N',
    initializers: [],
    nodes: [node('Concat', ['x', 'x', 'x'], 'y', { axis: 0 })],
  },
  {
    ...unary('Concat'),
    name: 'Concat of one',
    initializers: [],
    nodes: [node('Concat', ['x'], 'y', { axis: 0 })],
  },
  unary('Slice', {}, [ints('from', 1, 0), ints('to', 3, -1), ints('axes', 1, 2)]),
  unary('Slice', {}, [
    ints('from', 0, 0, 3),
    ints('to', 2 ** 31 - 1, 2, -5),
    ints('axes', 0, 1, 2),
    ints('steps', 1, 1, -2),
  ]),
  unary('Slice', {}, [ints('from', -1), int64s('to', [1], [2n ** 63n - 1n])]),
  unary('Slice', {}, [ints('from', 0), int64s('to', [1], [2n ** 63n - 1n])]),
  unary('Gather', { axis: 2 }, [int64s('at', [], [-1])]),
  unary('Gather', { axis: 1 }, [int64s('at', [2, 2], [0, 2, 2, 1])]),
  unary('GatherElements', { axis: 1 }, [int64s('at', [2, 1, 4], [0, 2, 2, 1, 1, 1, 0, -1])]),
  unary('GatherND', {}, [int64s('at', [2, 2], [1, 0, 0, -1])]),
  unary('GatherND', {}, [int64s('at', [2, 1], [1, -2])]),
  unary('GatherND', {}, [int64s('at', [1, 2, 3], [1, 2, 3, -1, 0, -4])]),
  unary('ScatterElements', { axis: 1 }, [
    int64s('at', [1, 1, 2], [2, 0]),
    floats('u', [1, 1, 2], [7, 8]),
  ]),
  unary(
    'ScatterElements',
    { axis: 1, reduction: 'add' },
    [int64s('at', [1, 1, 2], [2, 0]), floats('u', [1, 1, 2], [7, 8])],
    [16, 21],
  ),
  unary('ScatterND', {}, [int64s('at', [1, 2], [1, 2]), floats('u', [1, 4], [7, 8, 9, 10])]),
  unary('Trilu', {}, [], [14, 21]),
  unary('Trilu', { upper: 0 }, [int64s('k', [], [1])], [14, 21]),
  {
    ...logical('Trilu', ['t']),
    name: 'Trilu of truth values',
    opsets: [14, 21],
    nodes: [
      node('Less', ['x', 'b'], 't'),
      node('Trilu', ['t'], 'z', { upper: 0 }),
      node('Cast', ['z'], 'y', { to: 1 }),
    ],
  },
  unary('Dropout'),
  {
    ...unary('Dropout'),
    name: 'Dropout in inference',
    initializers: [scalar('ratio', 0.5), bools('mode', [], [0])],
    nodes: [node('Dropout', ['x', 'ratio', 'mode'], 'y')],
  },
  {
    name: 'Constant',
    opsets: MODERN,
    nodes: [
      node('Constant', [], 'c', { value: { dataType: 1, dims: [4n], floatData: [1, 2, 3, 4] } }),
      node('Add', ['x', 'c'], 'y'),
    ],
  },
  {
    name: 'Constant of a float',
    opsets: MODERN,
    nodes: [node('Constant', [], 'c', { value_float: 0.75 }), node('Add', ['x', 'c'], 'y')],
  },
  {
    name: 'Constant of ints',
    opsets: MODERN,
    nodes: [node('Constant', [], 'c', { value_ints: [0, -1] }), node('Reshape', ['x', 'c'], 'y')],
  },
  {
    name: 'Constant of an int',
    opsets: MODERN,
    nodes: [
      node('Constant', [], 'c', { value_int: 2 }),
      node('Gather', ['x', 'c'], 'y', { axis: 1 }),
    ],
  },
  {
    name: 'ConstantOfShape',
    opsets: MODERN,
    nodes: [
      node('Shape', ['x'], 's'),
      node('ConstantOfShape', ['s'], 'y', { value: { dataType: 7, dims: [1n], int64Data: [5n] } }),
    ],
  },
  {
    name: 'ConstantOfShape of zeros',
    opsets: MODERN,
    nodes: [node('Shape', ['x'], 's'), node('ConstantOfShape', ['s'], 'y')],
  },
  {
    name: 'Range',
    opsets: MODERN,
    initializers: [int64s('zero', [], [0]), int64s('one', [], [1])],
    nodes: [
      node('Shape', ['x'], 's'),
      node('Gather', ['s', 'zero'], 'n'),
      node('Range', ['zero', 'n', 'one'], 'y'),
    ],
  },
  { name: 'Size', opsets: MODERN, nodes: [node('Size', ['x'], 'y')] },
];

/** Chains by which exporters compute shapes; all end in lengths that are known by name. */
const SHAPE_CHAINS: readonly Case[] = [
  {
    name: 'Shape, Gather, Unsqueeze, Concat, Reshape',
    opsets: MODERN,
    initializers: [int64s('zero', [], [0]), ints('axis', 0), ints('rest', -1, 2)],
    nodes: [
      node('Shape', ['x'], 's'),
      node('Gather', ['s', 'zero'], 'n'),
      node('Unsqueeze', ['n', 'axis'], 'u'),
      node('Concat', ['u', 'rest'], 'c', { axis: 0 }),
      node('Reshape', ['x', 'c'], 'y'),
    ],
  },
  {
    name: 'Equal to -1, Where, Expand',
    opsets: MODERN,
    initializers: [ints('minus', -1), ints('ones', 1, 1, 1)],
    nodes: [
      node('Shape', ['x'], 's'),
      node('Shape', ['s'], 'r'),
      node('ConstantOfShape', ['r'], 'o', { value: { dataType: 7, dims: [1n], int64Data: [1n] } }),
      node('Mul', ['o', 'minus'], 'm'),
      node('Equal', ['s', 'm'], 't'),
      node('Where', ['t', 'o', 's'], 'w'),
      node('ReduceMean', ['x'], 'z'),
      node('Expand', ['z', 'w'], 'y'),
    ],
  },
  {
    name: 'Slice of Shape, Squeeze, Sub, Slice of a table',
    opsets: MODERN,
    initializers: [
      ...[ints('zero', 0), ints('one', 1), int64s('none', [], [0])],
      floats('table', [5, 1, 1], [1, 2, 3, 4, 5]),
    ],
    nodes: [
      node('Shape', ['x'], 's'),
      node('Slice', ['s', 'zero', 'one'], 'n'),
      node('Squeeze', ['n'], 'k'),
      node('Sub', ['k', 'k'], 'd'),
      node('Unsqueeze', ['d', 'zero'], 'from'),
      node('Unsqueeze', ['k', 'zero'], 'to'),
      node('Slice', ['table', 'from', 'to'], 'part'),
      node('Add', ['x', 'part'], 'y'),
    ],
  },
  {
    name: 'Div of a product',
    opsets: MODERN,
    initializers: [ints('four', 4), ints('zero', 0), ints('one', 1), ints('minus', -1)],
    nodes: [
      node('Shape', ['x'], 's'),
      node('Slice', ['s', 'zero', 'one'], 'n'),
      node('Mul', ['n', 'four'], 'p'),
      node('Add', ['p', 'p'], 'q'),
      node('Div', ['q', 'four'], 'h'),
      node('Concat', ['h', 'minus'], 'c', { axis: 0 }),
      node('Reshape', ['x', 'c'], 'y'),
    ],
  },
];

const RUNS = [...CASES, ...SHAPE_CHAINS].flatMap(({ opsets, ...example }) =>
  opsets.map((opset) => ({ ...example, opset })),
);

test.each(RUNS)('$name in opset $opset', async ({ nodes, initializers = [], opset }) => {
  const spec: FileSpec = {
    opset,
    inputs: { x: ['float32', 'N', 3, 4], i: ['int64', 'N'] },
    initializers,
    nodes,
  };
  const graph = new Graph();
  const inputs = new Map([
    ['x', graph.input('x', 'float32', ['N', 3, 4])],
    ['i', graph.input('i', 'int64', ['N'])],
  ]);
  const model = readOnnxModel(onnxFile(spec));
  const y = importGraph({ model, graph, inputs, parameters: new Set(), output: 'y' });
  graph.output('y', y);
  const given: NamedNumbers = {
    x: randomNumbers([2, 3, 4], 1),
    i: { shape: [2], data: [4, 5] },
  };
  // The file itself, with the type of y that we inferred: what is inferred is checked by that too.
  const outputs = [{ name: 'y', dtype: y.dtype, shape: y.shape }];
  const file = onnxFile({ ...spec, outputs: { y: [y.dtype, ...y.shape] } });
  const expected = await run({ onnx: file, inputs: graph.inputs, outputs }, given);
  const found = await run({ onnx: toOnnx(graph), inputs: graph.inputs, outputs }, given);
  const isPlain = expected.every(Number.isFinite) && expected.some((value) => value !== 0);
  if (!isPlain) expect(found).toEqual(expected);
  else expect(relativeDeviation(found, expected)).toBeLessThan(5e-7);
});

async function run(
  graph: Parameters<typeof evaluator>[0],
  inputs: NamedNumbers,
): Promise<readonly number[]> {
  const compiled = evaluator(graph);
  try {
    const { y = [] } = await compiled.run(inputs);
    return Array.from(y, Number);
  } finally {
    compiled.release();
  }
}

test('Where of truth values, which ONNX Runtime does not have on every device', async () => {
  const { initializers = [], nodes } = logical('Where', ['f', 'f', 't']);
  const spec: FileSpec = { inputs: { x: ['float32', 4] }, initializers, nodes };
  const graph = new Graph();
  const inputs = new Map([['x', graph.input('x', 'float32', [4])]]);
  const model = readOnnxModel(onnxFile(spec));
  const y = importGraph({ model, graph, inputs, parameters: new Set(), output: 'y' });
  graph.output('y', y);
  const outputs = [{ name: 'y', dtype: y.dtype, shape: y.shape }];
  const data = [0.25, -1, 2, 4];
  const found = await run(
    { onnx: toOnnx(graph), inputs: graph.inputs, outputs },
    { x: { shape: [4], data } },
  );
  // x < b ? x < b : x > 0
  expect(found).toEqual([1, 0, 1, 1]);
});

test('every operator that is read is among the cases', () => {
  const tested = new Set(
    [...CASES, ...SHAPE_CHAINS].flatMap(({ nodes }) => nodes.map(({ op }) => op)),
  );
  expect(Object.keys(LOWERINGS).filter((op) => !tested.has(op))).toEqual([]);
});
