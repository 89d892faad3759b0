import { broadcast, product, quotient } from './dimension.ts';
import type { Attributes, Value } from './graph.ts';
import { DATA_TYPE_NUMBERS, type DataType, type Dimension, type Shape } from './tensor-type.ts';

/** What a node's operator is applied to. */
export interface Application {
  readonly inputs: readonly Value[];
  readonly attributes: Attributes;
}

interface TensorType {
  readonly dtype: DataType;
  readonly shape: Shape;
}

type Inference = (application: Application) => readonly TensorType[];

/**
 * The ONNX operators (opset 21) that graphs are made of, each with the types of its outputs.
 * Source of every rule: https://onnx.ai/onnx/operators/
 */
const INFERENCE = {
  Add: elementwise,
  Sub: elementwise,
  Mul: elementwise,
  Div: elementwise,
  Neg: elementwise,
  Exp: elementwise,
  Log: elementwise,
  Sqrt: elementwise,
  Reciprocal: elementwise,
  Sigmoid: elementwise,
  Tanh: elementwise,
  Relu: elementwise,
  Erf: elementwise,
  Identity: elementwise,
  Softmax: elementwise,
  LogSoftmax: elementwise,
  And: elementwise,
  BitShift: elementwise,
  BitwiseXor: elementwise,
  Equal: comparison,
  LessOrEqual: comparison,
  Where: ({ inputs: [condition, ...branches] }) => {
    const [branch] = elementwise({ inputs: branches });
    return [{ ...branch, shape: broadcastShapes([operand(condition), branch]) }];
  },
  Cast: ({ inputs: [x], attributes }) => [
    { dtype: dataType(int(attributes, 'to')), shape: operand(x).shape },
  ],
  LayerNormalization: ({ inputs: [x], attributes }) => {
    const { dtype, shape } = operand(x);
    const axis = axisOf(shape, int(attributes, 'axis'));
    const statistics = { dtype, shape: shape.map((length, i) => (i < axis ? length : 1)) };
    return [{ dtype, shape }, statistics, statistics];
  },
  MatMul: matMul,
  Gemm: gemm,
  ReduceSum: reduction,
  ReduceMean: reduction,
  Transpose: ({ inputs: [x], attributes }) => {
    const { dtype, shape } = operand(x);
    return [{ dtype, shape: ints(attributes, 'perm').map((axis) => at(shape, axis)) }];
  },
  Reshape: reshape,
  Expand: ({ inputs: [x, shape] }) => [{ dtype: operand(x).dtype, shape: shapeHeldBy(shape) }],
  Split: split,
  Concat: concat,
  Gather: ({ inputs: [data, indices], attributes }) => {
    const { dtype, shape } = operand(data);
    const axis = axisOf(shape, int(attributes, 'axis'));
    return [{ dtype, shape: shape.toSpliced(axis, 1, ...operand(indices).shape) }];
  },
  GatherElements: ({ inputs: [data, indices] }) => [
    { dtype: operand(data).dtype, shape: operand(indices).shape },
  ],
  ScatterElements: ({ inputs: [data] }) => [operand(data)],
  Shape: ({ inputs: [x], attributes }) => {
    const length = int(attributes, 'end') - int(attributes, 'start');
    return [{ dtype: 'int64', shape: [Math.min(length, operand(x).shape.length)] }];
  },
  ConstantOfShape: ({ inputs: [shape] }) => [{ dtype: 'float32', shape: shapeHeldBy(shape) }],
} as const satisfies Record<string, Inference>;

export type OpName = keyof typeof INFERENCE;

/** Types of an operator's outputs. Throws `internal: ...` when its inputs do not fit it. */
export function inferOutputs(op: OpName, application: Application): readonly TensorType[] {
  try {
    return INFERENCE[op](application);
  } catch (error) {
    const types = application.inputs.map(({ dtype, shape }) => `${dtype} [${shape.join(',')}]`);
    const reason = error instanceof Mismatch ? error.message : String(error);
    throw new Error(`internal: ${op}(${types.join(', ')}): ${reason}`, { cause: error });
  }
}

/** Inputs that an operator does not take. */
class Mismatch extends Error {}

/** An int attribute. */
export function int(attributes: Attributes, name: string): number {
  const attribute = attributes[name];
  if (attribute?.kind !== 'int') throw new Mismatch(`needs an int attribute ${name}`);
  return attribute.value;
}

/** A list-of-int attribute. */
export function ints(attributes: Attributes, name: string): readonly number[] {
  const attribute = attributes[name];
  if (attribute?.kind !== 'ints') throw new Mismatch(`needs an ints attribute ${name}`);
  return attribute.value;
}

/** A float attribute. */
export function float(attributes: Attributes, name: string): number {
  const attribute = attributes[name];
  if (attribute?.kind !== 'float') throw new Mismatch(`needs a float attribute ${name}`);
  return attribute.value;
}

/** An axis of a shape as a number from 0. */
export function axisOf(shape: Shape, axis: number): number {
  const positive = axis < 0 ? axis + shape.length : axis;
  if (positive < 0 || positive >= shape.length) throw new Mismatch(`has no axis ${axis}`);
  return positive;
}

/** The axes that an int64 constant holds, as numbers from 0, ascending. */
export function constantAxes(axes: Value, shape: Shape): readonly number[] {
  return constantInts(axes)
    .map((axis) => axisOf(shape, axis))
    .toSorted((a, b) => a - b);
}

function constantInts(value: Value): readonly number[] {
  const data = value.graph.constants.get(value);
  if (data === undefined) throw new Mismatch(`needs ${value.name} to be a constant`);
  return Array.from(data, Number);
}

function shapeHeldBy(value: Value | undefined): Shape {
  if (value === undefined) throw new Mismatch('lacks its shape');
  return value.graph.shapeVectors.get(value) ?? constantInts(value);
}

function operand(value: TensorType | undefined): TensorType {
  if (value === undefined) throw new Mismatch('lacks an input');
  return { dtype: value.dtype, shape: value.shape };
}

function at(shape: Shape, axis: number): Dimension {
  const length = shape[axis];
  if (length === undefined) throw new Mismatch(`has no axis ${axis}`);
  return length;
}

function dataType(number: number): DataType {
  for (const [dtype, known] of Object.entries(DATA_TYPE_NUMBERS)) {
    if (known === number) return dtype as DataType;
  }
  throw new Mismatch(`has no element type ${number}`);
}

function broadcastShapes(operands: readonly TensorType[]): Shape {
  return operands.reduce<Shape>((shape, operand) => {
    const result = broadcast(shape, operand.shape);
    if (result === undefined) throw new Mismatch('shapes do not broadcast');
    return result;
  }, []);
}

function elementwise({ inputs }: { inputs: readonly TensorType[] }): readonly [TensorType] {
  const { dtype } = operand(inputs[0]);
  if (inputs.some((input) => input.dtype !== dtype)) throw new Mismatch('element types differ');
  return [{ dtype, shape: broadcastShapes(inputs) }];
}

function comparison({ inputs }: { inputs: readonly TensorType[] }): readonly TensorType[] {
  return [{ dtype: 'bool', shape: elementwise({ inputs })[0].shape }];
}

function matMul({ inputs: [a, b] }: Application): readonly TensorType[] {
  const left = operand(a);
  const right = operand(b);
  if (left.shape.length < 2 || right.shape.length < 2) throw new Mismatch('needs matrices');
  if (left.shape.at(-1) !== right.shape.at(-2)) throw new Mismatch('inner lengths differ');
  const batch = broadcast(left.shape.slice(0, -2), right.shape.slice(0, -2));
  if (batch === undefined) throw new Mismatch('batch shapes do not broadcast');
  return [
    {
      dtype: left.dtype,
      shape: [
        ...batch,
        at(left.shape, left.shape.length - 2),
        at(right.shape, right.shape.length - 1),
      ],
    },
  ];
}

function gemm({ inputs: [a, b, c], attributes }: Application): readonly TensorType[] {
  const orient = (shape: Shape, attribute: string): Shape =>
    int(attributes, attribute) === 1 ? shape.toReversed() : shape;
  const left = orient(operand(a).shape, 'transA');
  const right = orient(operand(b).shape, 'transB');
  if (left.length !== 2 || right.length !== 2) throw new Mismatch('needs two matrices');
  if (left[1] !== right[0]) throw new Mismatch('inner lengths differ');
  const shape = [at(left, 0), at(right, 1)];
  if (c !== undefined && broadcast(shape, c.shape)?.length !== 2) {
    throw new Mismatch('C does not broadcast to the product');
  }
  return [{ dtype: operand(a).dtype, shape }];
}

function reduction({ inputs: [x, axes], attributes }: Application): readonly TensorType[] {
  const { dtype, shape } = operand(x);
  if (axes === undefined) throw new Mismatch('lacks its axes');
  const reduced = constantAxes(axes, shape);
  if (int(attributes, 'keepdims') === 1) {
    return [{ dtype, shape: shape.map((length, axis) => (reduced.includes(axis) ? 1 : length)) }];
  }
  return [{ dtype, shape: shape.filter((_, axis) => !reduced.includes(axis)) }];
}

function reshape({ inputs: [x, target] }: Application): readonly TensorType[] {
  const { dtype, shape } = operand(x);
  const asked = shapeHeldBy(target);
  const copied = asked.map((length, axis) => (length === 0 ? at(shape, axis) : length));
  const known = product(copied.filter((length) => length !== -1));
  const rest = quotient(product(shape), known);
  const holes = copied.filter((length) => length === -1).length;
  if (rest === undefined || holes > 1 || (holes === 0 && rest !== 1)) {
    throw new Mismatch(`does not fill [${asked.join(',')}]`);
  }
  return [{ dtype, shape: copied.map((length) => (length === -1 ? rest : length)) }];
}

function split({ inputs: [x, sizes], attributes }: Application): readonly TensorType[] {
  const { dtype, shape } = operand(x);
  const axis = axisOf(shape, int(attributes, 'axis'));
  if (sizes === undefined) throw new Mismatch('lacks its sizes');
  const parts = constantInts(sizes);
  if (parts.reduce((sum, part) => sum + part, 0) !== at(shape, axis)) {
    throw new Mismatch(`axis ${axis} is not the sum of ${parts.join(' + ')}`);
  }
  return parts.map((part) => ({ dtype, shape: shape.with(axis, part) }));
}

function concat({ inputs, attributes }: Application): readonly TensorType[] {
  const { dtype, shape } = operand(inputs[0]);
  const axis = axisOf(shape, int(attributes, 'axis'));
  const lengths = inputs.map((input) => at(input.shape, axis));
  const sum = lengths.reduce<number>((total, length) => {
    if (typeof length !== 'number') throw new Mismatch(`axis ${axis} has no known length`);
    return total + length;
  }, 0);
  return [{ dtype, shape: shape.with(axis, sum) }];
}
