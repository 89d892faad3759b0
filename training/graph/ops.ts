import { factors, product, sameShape } from './dimension.ts';
import type { Attribute, Attributes, Graph, Value } from './graph.ts';
import type { OpName } from './operators.ts';
import { DATA_TYPE_NUMBERS, type DataType, type Dimension, type Shape } from './tensor-type.ts';

/** A tensor, or a number that becomes a constant of the other operand's element type. */
export type Operand = Value | number;

const int = (value: number): Attribute => ({ kind: 'int', value });
const ints = (value: readonly number[]): Attribute => ({ kind: 'ints', value });
const float = (value: number): Attribute => ({ kind: 'float', value });
const string = (value: string): Attribute => ({ kind: 'string', value });

function single(op: OpName, inputs: readonly Value[], attributes: Attributes = {}): Value {
  const [first] = inputs;
  if (first === undefined) throw new Error(`internal: ${op} without inputs`);
  return only(first.graph.apply(op, inputs, attributes));
}

function only(outputs: readonly Value[]): Value {
  const [output] = outputs;
  if (output === undefined) throw new Error('internal: a node without outputs');
  return output;
}

/** A constant scalar. */
export function scalar(graph: Graph, dtype: DataType, value: number): Value {
  switch (dtype) {
    case 'float32':
      return graph.constant(dtype, [], Float32Array.of(value));
    case 'int32':
      return graph.constant(dtype, [], Int32Array.of(value));
    case 'uint32':
      return graph.constant(dtype, [], Uint32Array.of(value));
    case 'int64':
      return graph.constant(dtype, [], BigInt64Array.of(BigInt(value)));
    case 'bool':
      return graph.constant(dtype, [], Uint8Array.of(Number(value !== 0)));
    case 'float16':
    case 'bfloat16':
      throw new Error(`internal: there are no ${dtype} constants`);
  }
}

function binary(op: OpName, a: Operand, b: Operand, attributes?: Attributes): Value {
  if (typeof a !== 'number') {
    return single(op, [a, typeof b === 'number' ? scalar(a.graph, a.dtype, b) : b], attributes);
  }
  if (typeof b === 'number') throw new Error(`internal: ${op} of two numbers`);
  return single(op, [scalar(b.graph, b.dtype, a), b], attributes);
}

export const add = (a: Operand, b: Operand): Value => binary('Add', a, b);
export const sub = (a: Operand, b: Operand): Value => binary('Sub', a, b);
export const mul = (a: Operand, b: Operand): Value => binary('Mul', a, b);
export const div = (a: Operand, b: Operand): Value => binary('Div', a, b);
export const pow = (a: Operand, b: Operand): Value => binary('Pow', a, b);
export const max = (a: Operand, b: Operand): Value => binary('Max', a, b);
export const min = (a: Operand, b: Operand): Value => binary('Min', a, b);
export const equal = (a: Operand, b: Operand): Value => binary('Equal', a, b);
export const less = (a: Operand, b: Operand): Value => binary('Less', a, b);
export const lessOrEqual = (a: Operand, b: Operand): Value => binary('LessOrEqual', a, b);
export const and = (a: Value, b: Value): Value => binary('And', a, b);
export const or = (a: Value, b: Value): Value => binary('Or', a, b);
export const not = (x: Value): Value => single('Not', [x]);
export const bitwiseXor = (a: Operand, b: Operand): Value => binary('BitwiseXor', a, b);
export const shiftRight = (a: Value, bits: number): Value =>
  binary('BitShift', a, bits, { direction: string('RIGHT') });

/** The same elements, in memory of their own. */
export const identity = (x: Value): Value => single('Identity', [x]);
export const neg = (x: Value): Value => single('Neg', [x]);
export const exp = (x: Value): Value => single('Exp', [x]);
export const sin = (x: Value): Value => single('Sin', [x]);
export const cos = (x: Value): Value => single('Cos', [x]);
export const sqrt = (x: Value): Value => single('Sqrt', [x]);
export const reciprocal = (x: Value): Value => single('Reciprocal', [x]);
export const sigmoid = (x: Value): Value => single('Sigmoid', [x]);
export const tanh = (x: Value): Value => single('Tanh', [x]);
export const relu = (x: Value): Value => single('Relu', [x]);
export const erf = (x: Value): Value => single('Erf', [x]);

/** `condition ? a : b`, elementwise. */
export function where(condition: Value, a: Operand, b: Operand): Value {
  const typed = typeof a === 'number' ? b : a;
  if (typeof typed === 'number') {
    const [x, y] = [a, b].map((branch) => scalar(condition.graph, 'float32', Number(branch)));
    if (x === undefined || y === undefined) throw new Error('internal: Where lacks a branch');
    return single('Where', [condition, x, y]);
  }
  const branches = [a, b].map((branch) =>
    typeof branch === 'number' ? scalar(typed.graph, typed.dtype, branch) : branch,
  );
  return single('Where', [condition, ...branches]);
}

export function cast(x: Value, dtype: DataType): Value {
  if (x.dtype === dtype) return x;
  return single('Cast', [x], { to: int(DATA_TYPE_NUMBERS[dtype]) });
}

/** The same numbers, toward which no gradient flows: Cast passes none on. */
export function stopGradient(x: Value): Value {
  return single('Cast', [x], { to: int(DATA_TYPE_NUMBERS[x.dtype]) });
}

/** Matrix product over the last two axes; the axes before them broadcast. */
export const matMul = (a: Value, b: Value): Value => single('MatMul', [a, b]);

export interface GemmOptions {
  readonly c?: Value;
  readonly transA?: boolean;
  readonly transB?: boolean;
}

/** A′·B′ + C for matrices; C broadcasts to the product. */
export function gemm(a: Value, b: Value, options: GemmOptions = {}): Value {
  const { c, transA = false, transB = false } = options;
  return single('Gemm', c === undefined ? [a, b] : [a, b, c], {
    alpha: float(1),
    beta: float(1),
    transA: int(Number(transA)),
    transB: int(Number(transB)),
  });
}

/** An int64 vector of these numbers. */
export function intVector(graph: Graph, values: readonly number[]): Value {
  return graph.constant('int64', [values.length], BigInt64Array.from(values, BigInt));
}

export interface ReduceOptions {
  readonly keepDims?: boolean;
}

export function reduceSum(x: Value, axes: readonly number[], options: ReduceOptions = {}): Value {
  const keepdims = int(Number(options.keepDims ?? false));
  return single('ReduceSum', [x, intVector(x.graph, axes)], { keepdims });
}

export function reduceMean(x: Value, axes: readonly number[], options: ReduceOptions = {}): Value {
  const keepdims = int(Number(options.keepDims ?? false));
  return single('ReduceMean', [x, intVector(x.graph, axes)], { keepdims });
}

export const softmax = (x: Value): Value => single('Softmax', [x], { axis: int(-1) });
export const logSoftmax = (x: Value): Value => single('LogSoftmax', [x], { axis: int(-1) });

/** Normalization over the last axis, then × weight + bias. */
export function layerNormalization(x: Value, weight: Value, bias: Value, epsilon: number): Value {
  const attributes = { axis: int(-1), epsilon: float(epsilon) };
  return single('LayerNormalization', [x, weight, bias], attributes);
}

export function transpose(x: Value, perm: readonly number[]): Value {
  return single('Transpose', [x], { perm: ints(perm) });
}

/** Swaps the last two axes. */
export function transposeMatrices(x: Value): Value {
  const perm = x.shape.map((_, axis) => axis);
  const last = perm.length - 1;
  return transpose(x, [...perm.slice(0, -2), last, last - 1]);
}

/** The shape as an int64 vector, whatever of it is only known when the graph runs. */
export function shapeVector(graph: Graph, shape: Shape): Value {
  if (shape.every((length) => typeof length === 'number')) {
    return graph.constant('int64', [shape.length], BigInt64Array.from(shape, BigInt));
  }
  const lengths = shape.map((length) => lengthVector(graph, length));
  const vector = lengths.length === 1 ? only(lengths) : concat(lengths, 0);
  graph.shapeVectors.set(vector, shape);
  return vector;
}

/** One dimension as an int64 vector of one element, read off an input that has it. */
function lengthVector(graph: Graph, dimension: Dimension): Value {
  if (typeof dimension === 'number') {
    return graph.constant('int64', [1], BigInt64Array.of(BigInt(dimension)));
  }
  for (const input of graph.inputs) {
    const axis = input.shape.indexOf(dimension);
    if (axis >= 0) return single('Shape', [input], { start: int(axis), end: int(axis + 1) });
  }
  const parts = factors(dimension);
  if (parts.length === 1) throw new Error(`internal: no input has an axis named ${dimension}`);
  return parts.map((part) => lengthVector(graph, part)).reduce(mul);
}

/** A length as an int64 scalar. */
export function lengthScalar(graph: Graph, length: Dimension): Value {
  if (typeof length === 'number') return scalar(graph, 'int64', length);
  const value = reshape(lengthVector(graph, length), []);
  graph.shapeVectors.set(value, [length]);
  return value;
}

/** 0, 1, 2, ... as many as a length says: int64 [length]. */
export function iota(graph: Graph, length: Dimension): Value {
  const limit = lengthScalar(graph, length);
  return single('Range', [scalar(graph, 'int64', 0), limit, scalar(graph, 'int64', 1)]);
}

/** A length, or a product of lengths, as a float32 [1]. */
export function elementCount(graph: Graph, dimension: Dimension): Value {
  return cast(lengthVector(graph, dimension), 'float32');
}

/** The same elements under another shape. */
export function reshape(x: Value, shape: Shape): Value {
  if (sameShape(x.shape, shape)) return x;
  return single('Reshape', [x, reshapeTarget(x, shape)]);
}

/** A constant with 0 (copy this axis) and one -1 (the rest) where that says it all. */
function reshapeTarget(x: Value, shape: Shape): Value {
  const copied = shape.map((length, axis) =>
    typeof length === 'string' && length === x.shape[axis] ? 0 : length,
  );
  const unknown = copied.filter((length) => typeof length === 'string');
  if (unknown.length > 1) return shapeVector(x.graph, shape);
  const target = copied.map((length) => (typeof length === 'string' ? -1 : length));
  return intVector(x.graph, target);
}

/** Flattens all axes but the last: [..., C] → [N, C]. */
export function flattenRows(x: Value): Value {
  return reshape(x, [product(x.shape.slice(0, -1)), x.shape.at(-1) ?? 1]);
}

export function expand(x: Value, shape: Shape): Value {
  if (sameShape(x.shape, shape)) return x;
  return single('Expand', [x, shapeVector(x.graph, shape)]);
}

/** float32 zeros. */
export function zeros(graph: Graph, shape: Shape): Value {
  return single('ConstantOfShape', [shapeVector(graph, shape)]);
}

/** Consecutive parts of the given lengths along an axis. */
export function split(x: Value, lengths: readonly number[], axis: number): readonly Value[] {
  return x.graph.apply('Split', [x, intVector(x.graph, lengths)], { axis: int(axis) });
}

export function concat(parts: readonly Value[], axis: number): Value {
  return single('Concat', parts, { axis: int(axis) });
}

/** x[start:end:step, ...]: starts, ends, axes and steps as int64 vectors. */
export function slice(x: Value, bounds: readonly [Value, Value, Value, Value]): Value {
  return single('Slice', [x, ...bounds]);
}

/** Running sums along an axis. */
export function cumSum(
  x: Value,
  axis: Value,
  options: { readonly exclusive: boolean; readonly reverse: boolean },
): Value {
  const attributes = {
    exclusive: int(Number(options.exclusive)),
    reverse: int(Number(options.reverse)),
  };
  return single('CumSum', [x, axis], attributes);
}

export function gather(data: Value, indices: Value, axis: number): Value {
  return single('Gather', [data, indices], { axis: int(axis) });
}

export function gatherElements(data: Value, indices: Value, axis: number): Value {
  return single('GatherElements', [data, indices], { axis: int(axis) });
}

/** Adds each update to the element of `data` that its index names; duplicates all count. */
export function scatterAdd(data: Value, indices: Value, updates: Value, axis: number): Value {
  const attributes = { axis: int(axis), reduction: string('add') };
  return single('ScatterElements', [data, indices, updates], attributes);
}
