import type { Attributes, Value } from '../graph.ts';
import { Mismatch } from '../mismatch.ts';
import type { DataType, Dimension, Shape } from '../tensor-type.ts';

/** What a node's operator is applied to. */
export interface Application {
  readonly inputs: readonly Value[];
  readonly attributes: Attributes;
}

export interface TensorType {
  readonly dtype: DataType;
  readonly shape: Shape;
}

/** Types of an operator's outputs. Throws Mismatch when its inputs do not fit it. */
export type Inference = (application: Application) => readonly TensorType[];

/** Integers of a constant beyond this many are data, never a shape. */
const MOST_LENGTHS = 256;

/** An operand that must be there, of one of the element types. */
export function operand(
  value: TensorType | undefined,
  dtypes?: readonly DataType[],
): TensorType & { readonly shape: Shape } {
  if (value === undefined) throw new Mismatch('lacks an input');
  if (dtypes !== undefined && !dtypes.includes(value.dtype)) {
    throw new Mismatch(`does not take ${value.dtype}`);
  }
  return { dtype: value.dtype, shape: value.shape };
}

export function at(shape: Shape, axis: number): Dimension {
  const length = shape[axis];
  if (length === undefined) throw new Mismatch(`has no axis ${axis}`);
  return length;
}

/** An axis of a shape as a number from 0. */
export function axisOf(shape: Shape, axis: number): number {
  const positive = axis < 0 ? axis + shape.length : axis;
  if (!(positive >= 0 && positive < shape.length)) throw new Mismatch(`has no axis ${axis}`);
  return positive;
}

/** The axes that an int64 constant holds, as numbers from 0, ascending. */
export function constantAxes(axes: Value, shape: Shape): readonly number[] {
  const found = constantInts(axes).map((axis) => axisOf(shape, axis));
  if (new Set(found).size < found.length) throw new Mismatch('names an axis twice');
  return found.toSorted((a, b) => a - b);
}

/** The integers of a constant. */
export function constantInts(value: Value): readonly number[] {
  const data = value.graph.constants.get(value);
  if (data === undefined) throw new Mismatch(`needs ${value.name} to be a constant`);
  if (data.length > MOST_LENGTHS) throw new Mismatch(`takes ${value.name} for data`);
  return Array.from(data, Number);
}

/** The integers of a value as far as they are known before the graph runs: lengths may be names. */
export function lengthsHeldBy(value: Value): readonly Dimension[] | undefined {
  const known = value.graph.shapeVectors.get(value);
  if (known !== undefined) return known;
  const data = value.graph.constants.get(value);
  const isInteger = value.dtype === 'int64' || value.dtype === 'int32';
  if (data === undefined || !isInteger || data.length > MOST_LENGTHS) return undefined;
  return Array.from(data, Number);
}

/** The shape that a value holds, all of whose lengths are there. */
export function wholeShapeHeldBy(value: Value | undefined): Shape {
  const shape = shapeHeldBy(value);
  const negative = shape.find((length) => typeof length === 'number' && length < 0);
  if (negative !== undefined) throw new Mismatch(`has a length of ${negative}`);
  return shape;
}

/** The lengths that a value holds, some of which may be to be found (-1). */
export function shapeHeldBy(value: Value | undefined): Shape {
  if (value === undefined) throw new Mismatch('lacks its shape');
  const lengths = lengthsHeldBy(value);
  if (lengths === undefined) throw new Mismatch('has a shape that only a run can tell');
  return lengths;
}
