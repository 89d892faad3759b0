import { difference, product, quotient, sum } from '../graph/dimension.ts';
import type { Graph, Value } from '../graph/graph.ts';
import { axisOf, lengthsHeldBy } from '../graph/inference/operands.ts';
import { Mismatch } from '../graph/mismatch.ts';
import { cast, reshape, shapeVector } from '../graph/ops.ts';
import type { DataType, Dimension } from '../graph/tensor-type.ts';
import { dataTypeOf } from './tensor-data.ts';
import type { FileNode } from './file-node.ts';

// Exporters compute the shapes that Reshape, Expand and Slice take from lengths of the inputs, by
// chains of Shape, Gather, Unsqueeze and Concat. Here such integers are computed on import, with
// lengths of any size by their names.

/** Integers that are known before the graph runs, row-major. */
interface Lengths {
  readonly dtype: DataType;
  readonly shape: readonly number[];
  readonly values: readonly Dimension[];
}

/** Values beyond this many are data, never a shape. */
const MOST_VALUES = 256;

/**
 * A node's output, when it is integers that can be told before the graph runs; undefined when it is
 * not, and the node is to be computed in the graph.
 */
export function foldedLengths(node: FileNode): Value | undefined {
  const fold = FOLDS[node.op];
  if (fold === undefined) return undefined;
  const lengths = fold(
    node,
    node.inputs.map((value) => value && lengthsOf(value)),
  );
  if (lengths === undefined || lengths.values.length > MOST_VALUES) return undefined;
  const isExact = lengths.values.every((value) => typeof value === 'string' || isSafe(value));
  return isExact ? valueOf(node.graph, lengths) : undefined;
}

function isSafe(value: number): boolean {
  return Number.isSafeInteger(value) || Math.abs(value) === 2 ** 63;
}

/** The integers of a value, or the truth values as 0 and 1. */
function lengthsOf(value: Value): Lengths | undefined {
  const { dtype, graph } = value;
  const shape = value.shape.filter((length) => typeof length === 'number');
  if (shape.length < value.shape.length) return undefined;
  const truths = dtype === 'bool' ? graph.constants.get(value) : undefined;
  const isSmall = truths !== undefined && truths.length <= MOST_VALUES;
  const values = isSmall ? Array.from(truths, Number) : lengthsHeldBy(value);
  return values && { dtype, shape, values };
}

function valueOf(graph: Graph, { dtype, shape, values }: Lengths): Value {
  const numbers = values.filter((value) => typeof value === 'number');
  if (numbers.length === values.length) {
    if (dtype === 'bool') return graph.constant(dtype, shape, Uint8Array.from(numbers));
    if (dtype === 'int32') return graph.constant(dtype, shape, Int32Array.from(numbers));
    const bounded = numbers.map((number) =>
      Math.min(Math.max(number, Number.MIN_SAFE_INTEGER), Number.MAX_SAFE_INTEGER),
    );
    return graph.constant('int64', shape, BigInt64Array.from(bounded, BigInt));
  }
  const vector = reshape(shapeVector(graph, values), shape);
  const typed = cast(vector, dtype);
  graph.shapeVectors.set(vector, values);
  graph.shapeVectors.set(typed, values);
  return typed;
}

type Fold = (node: FileNode, inputs: readonly (Lengths | undefined)[]) => Lengths | undefined;

const FOLDS: Readonly<Record<string, Fold>> = {
  Shape: (node) => {
    const { shape } = node.input(0);
    const values = shape.slice(node.int('start', 0), node.int('end', shape.length));
    return { dtype: 'int64', shape: [values.length], values };
  },
  Size: (node) => ({ dtype: 'int64', shape: [], values: [product(node.input(0).shape)] }),
  Identity: (_, [x]) => x,
  Cast: (node, [x]) => {
    const dtype = dataTypeOf(node.int('to', 0));
    const isInteger = dtype === 'int64' || dtype === 'int32';
    return x && x.dtype !== 'bool' && isInteger ? { ...x, dtype } : undefined;
  },
  Unsqueeze: (node, [x]) => x && reshaped(x, unsqueezed(node, x.shape)),
  Squeeze: (node, [x]) => x && reshaped(x, squeezed(node, x.shape)),
  Reshape: (_, [x, target]) => {
    const shape = target?.values.filter((length) => typeof length === 'number');
    if (x === undefined || shape === undefined || shape.includes(0)) return undefined;
    const known = shape
      .filter((length) => length >= 0)
      .reduce((count, length) => count * length, 1);
    const filled = shape.map((length) => (length < 0 ? x.values.length / known : length));
    const count = filled.reduce((elements, length) => elements * length, 1);
    return count === x.values.length ? reshaped(x, filled) : undefined;
  },
  Concat: (_, parts) => {
    const known = parts
      .filter((part) => part?.shape.length === 1)
      .filter((part) => part !== undefined);
    const [first] = known;
    if (first === undefined || known.length < parts.length) return undefined;
    const values = known.flatMap((part) => part.values);
    return { dtype: first.dtype, shape: [values.length], values };
  },
  Gather: (_, [data, indices]) => {
    if (data?.shape.length !== 1 || indices === undefined) return undefined;
    const values = indices.values.map((index) => data.values[positive(index, data.values.length)]);
    const found = values.filter((value) => value !== undefined);
    if (found.length < values.length) throw new Mismatch('has an index beyond its data');
    return { dtype: data.dtype, shape: indices.shape, values: found };
  },
  Slice: (node, [data, starts, ends, , steps]) => {
    const [start, end] = [starts?.values[0], ends?.values[0]];
    const isPlain = data?.shape.length === 1 && (steps?.values[0] ?? 1) === 1;
    if (!isPlain || typeof start !== 'number' || typeof end !== 'number') return undefined;
    if (node.inputs[4] !== undefined && steps === undefined) return undefined;
    const values = data.values.slice(start, end);
    return { dtype: data.dtype, shape: [values.length], values };
  },
  ConstantOfShape: (node, [shape]) => {
    const value = node.tensor('value');
    const content = value && lengthsOf(value);
    const lengths = shape?.values.filter((length) => typeof length === 'number');
    if (
      content === undefined ||
      lengths === undefined ||
      lengths.length < (shape?.values.length ?? 0)
    ) {
      return undefined;
    }
    const count = lengths.reduce((elements, length) => elements * length, 1);
    const element = content.values[0];
    if (count > MOST_VALUES || element === undefined) return undefined;
    return {
      dtype: content.dtype,
      shape: lengths,
      values: Array.from({ length: count }, () => element),
    };
  },
  Add: elementwise(sum),
  Sub: elementwise(difference),
  Mul: elementwise(multiplied),
  Div: elementwise((a, b) => (b === 0 ? undefined : divided(a, b))),
  Equal: elementwise((a, b) => {
    if (a === b) return 1;
    // A named length is at least 1.
    const isNumber = [a, b].map((value) => typeof value === 'number');
    const areTold = isNumber.every(Boolean) || [a, b].some((value) => Number(value) < 1);
    return areTold ? 0 : undefined;
  }, 'bool'),
  Where: (_, [condition, yes, no]) => {
    if (condition === undefined || yes === undefined || no === undefined) return undefined;
    const [first, second] = [broadcastTo(yes, condition), broadcastTo(no, condition)];
    if (first === undefined || second === undefined) return undefined;
    const values = condition.values.map((test, i) => (test === 1 ? first[i] : second[i]) ?? 0);
    return { dtype: yes.dtype, shape: condition.shape, values };
  },
};

function reshaped(lengths: Lengths, shape: readonly number[]): Lengths {
  return { ...lengths, shape };
}

function positive(index: Dimension, length: number): number {
  const number = Number(index);
  return number < 0 ? number + length : number;
}

function multiplied(a: Dimension, b: Dimension): Dimension | undefined {
  if (typeof a === 'number' && typeof b === 'number') return a * b;
  return [a, b].some((value) => typeof value === 'number' && value < 0)
    ? undefined
    : product([a, b]);
}

/** Rounded toward 0, as ONNX divides integers. */
function divided(a: Dimension, b: Dimension): Dimension | undefined {
  return typeof a === 'number' && typeof b === 'number' ? Math.trunc(a / b) : quotient(a, b);
}

function elementwise(
  of: (a: Dimension, b: Dimension) => Dimension | undefined,
  result?: DataType,
): Fold {
  return (_, [a, b]) => {
    if (a === undefined || b === undefined) return undefined;
    const whole = a.shape.length > b.shape.length || a.values.length > b.values.length ? a : b;
    const [left, right] = [broadcastTo(a, whole), broadcastTo(b, whole)];
    const values = left?.map((value, i) => of(value, right?.[i] ?? 0));
    const known = values?.filter((value) => value !== undefined);
    if (known === undefined || right === undefined || known.length < (values?.length ?? 0)) {
      return undefined;
    }
    return { dtype: result ?? a.dtype, shape: whole.shape, values: known };
  };
}

/** A single value repeated, or as many as there are to be. */
function broadcastTo({ values }: Lengths, whole: Lengths): readonly Dimension[] | undefined {
  if (values.length === whole.values.length) return values;
  const [first] = values;
  return values.length === 1 && first !== undefined ? whole.values.map(() => first) : undefined;
}

/** Axes that an attribute names (until an opset), or an input after it. @throws Mismatch when only a run can tell */
export function namedAxes(node: FileNode, index: number): readonly number[] | undefined {
  const attribute = node.ints('axes');
  if (attribute !== undefined) return attribute;
  const value = node.inputs[index];
  if (value === undefined) return undefined;
  const axes = lengthsHeldBy(value)?.filter((axis) => typeof axis === 'number');
  if (axes === undefined) throw new Mismatch('has axes that only a run can tell');
  return axes;
}

/** A shape with axes of length 1 put in. */
export function unsqueezed<L extends Dimension>(node: FileNode, shape: readonly L[]): (L | 1)[] {
  const axes = namedAxes(node, 1) ?? [];
  const rank = shape.length + axes.length;
  const places = new Set(
    axes.map((axis) =>
      axisOf(
        Array.from({ length: rank }, () => 1),
        axis,
      ),
    ),
  );
  if (places.size < axes.length) throw new Mismatch('names an axis twice');
  const rest = [...shape];
  return Array.from({ length: rank }, (_, axis) => (places.has(axis) ? 1 : (rest.shift() as L)));
}

/** A shape without the axes that are named, or all that are 1. */
export function squeezed<L extends Dimension>(node: FileNode, shape: readonly L[]): L[] {
  const axes = namedAxes(node, 1)?.map((axis) => axisOf(shape, axis));
  const isGone = (axis: number): boolean => axes?.includes(axis) ?? shape[axis] === 1;
  const gone = shape.filter((_, axis) => isGone(axis));
  if (gone.some((length) => length !== 1))
    throw new Mismatch('squeezes an axis that is not 1 long');
  return shape.filter((_, axis) => !isGone(axis));
}
