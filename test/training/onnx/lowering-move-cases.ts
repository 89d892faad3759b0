import { bools, floats, int64s } from './onnx-builder.ts';
import { ints, logical, MODERN, node, scalar, unary, type LoweringCase } from './lowering-case.ts';

/** Operators that move elements or make tensors. */
export const MOVES: readonly LoweringCase[] = [
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
export const SHAPE_CHAINS: readonly LoweringCase[] = [
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
