import { int } from '../attributes.ts';
import { broadcast } from '../dimension.ts';
import { Mismatch } from '../mismatch.ts';
import type { DataType, Shape } from '../tensor-type.ts';
import { at, axisOf, constantAxes, operand, type Inference } from './operands.ts';

const FLOATS = ['float32', 'float16', 'bfloat16'] as const satisfies readonly DataType[];

export const matMul: Inference = ({ inputs: [a, b] }) => {
  const left = operand(a, FLOATS);
  const right = operand(b, [left.dtype]);
  if (left.shape.length < 2 || right.shape.length < 2) throw new Mismatch('needs matrices');
  if (left.shape.at(-1) !== right.shape.at(-2)) throw new Mismatch('inner lengths differ');
  const batch = broadcast(left.shape.slice(0, -2), right.shape.slice(0, -2));
  if (batch === undefined) throw new Mismatch('batch shapes do not broadcast');
  const rows = at(left.shape, left.shape.length - 2);
  const columns = at(right.shape, right.shape.length - 1);
  return [{ dtype: left.dtype, shape: [...batch, rows, columns] }];
};

export const gemm: Inference = ({ inputs: [a, b, c, ...more], attributes }) => {
  if (more.length > 0) throw new Mismatch('takes 3 inputs');
  const orient = (shape: Shape, attribute: string): Shape =>
    int(attributes, attribute) === 1 ? shape.toReversed() : shape;
  const { dtype } = operand(a, FLOATS);
  const left = orient(operand(a).shape, 'transA');
  const right = orient(operand(b, [dtype]).shape, 'transB');
  if (left.length !== 2 || right.length !== 2) throw new Mismatch('needs two matrices');
  if (left[1] !== right[0]) throw new Mismatch('inner lengths differ');
  const shape = [at(left, 0), at(right, 1)];
  const isFitting = (lengths: Shape): boolean =>
    lengths.length <= 2 &&
    lengths.toReversed().every((length, i) => length === 1 || length === shape[1 - i]);
  if (c !== undefined && !isFitting(c.shape)) {
    throw new Mismatch('C does not broadcast to the product');
  }
  return [{ dtype, shape }];
};

export const reduction: Inference = ({ inputs: [x, axes], attributes }) => {
  const { dtype, shape } = operand(x, ['float32', 'int32', 'int64']);
  if (axes === undefined) throw new Mismatch('lacks its axes');
  const reduced = constantAxes(axes, shape);
  if (int(attributes, 'keepdims') === 1) {
    return [{ dtype, shape: shape.map((length, axis) => (reduced.includes(axis) ? 1 : length)) }];
  }
  return [{ dtype, shape: shape.filter((_, axis) => !reduced.includes(axis)) }];
};

/** ArgMax: where along an axis the largest element is. */
export const position: Inference = ({ inputs: [x], attributes }) => {
  const { shape } = operand(x, ['float32', 'int32', 'int64']);
  const axis = axisOf(shape, int(attributes, 'axis'));
  const kept = int(attributes, 'keepdims') === 1 ? shape.with(axis, 1) : shape.toSpliced(axis, 1);
  return [{ dtype: 'int64', shape: kept }];
};

/** An operator along an axis that keeps the shape. */
export const alongAxis: Inference = ({ inputs: [x], attributes }) => {
  const { dtype, shape } = operand(x, ['float32']);
  axisOf(shape, int(attributes, 'axis'));
  return [{ dtype, shape }];
};

export const layerNormalization: Inference = ({ inputs: [x, ...affine], attributes }) => {
  const { dtype, shape } = operand(x, ['float32']);
  const axis = axisOf(shape, int(attributes, 'axis'));
  const normalized = shape.slice(axis);
  for (const { shape: own } of affine) {
    if (own.length !== normalized.length || own.some((length, i) => length !== normalized[i])) {
      throw new Mismatch('has weights of another shape than what is normalized');
    }
  }
  const statistics = { dtype, shape: shape.map((length, i) => (i < axis ? length : 1)) };
  return [{ dtype, shape }, statistics, statistics];
};
