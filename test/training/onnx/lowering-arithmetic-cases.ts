import { floats, int64s } from './onnx-builder.ts';
import {
  compared,
  ints,
  logical,
  MODERN,
  node,
  row,
  scalar,
  unary,
  type LoweringCase,
} from './lowering-case.ts';

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

/** Arithmetic, comparisons, products and reductions. */
export const ARITHMETIC: readonly LoweringCase[] = [
  ...unaries.map((op) => unary(op)),
  ...['Add', 'Div', 'Max', 'Mean', 'Min', 'Mul', 'PRelu', 'Sub', 'Sum'].map((op) =>
    unary(op, {}, [row]),
  ),
  unary('Max', {}, [row, scalar('c', 0.25)]),
  { ...unary('Log'), nodes: [node('Abs', ['x'], 'z'), node('Log', ['z'], 'y')] },
  { ...unary('Sqrt'), nodes: [node('Abs', ['x'], 'z'), node('Sqrt', ['z'], 'y')] },
  ...[0.5, 1, 2, 3, -1, 1.7].map((exponent): LoweringCase => ({
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
  ...[0, 1].map((transB): LoweringCase => ({
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
];
