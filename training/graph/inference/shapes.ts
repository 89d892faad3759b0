import { int, ints } from '../attributes.ts';
import { broadcast, difference, product, quotient, sameShape, sum } from '../dimension.ts';
import { Mismatch } from '../mismatch.ts';
import { DATA_TYPE_NUMBERS, type DataType, type Dimension } from '../tensor-type.ts';
import {
  at,
  axisOf,
  constantAxes,
  constantInts,
  lengthsHeldBy,
  operand,
  shapeHeldBy,
  wholeShapeHeldBy,
  type Inference,
  type TensorType,
} from './operands.ts';

const INDICES: readonly DataType[] = ['int32', 'int64'];

export const cast: Inference = ({ inputs: [x], attributes }) => {
  const number = int(attributes, 'to');
  for (const [dtype, known] of Object.entries(DATA_TYPE_NUMBERS)) {
    if (known === number) return [{ dtype: dtype as DataType, shape: operand(x).shape }];
  }
  throw new Mismatch(`has no element type ${number}`);
};

export const transpose: Inference = ({ inputs: [x], attributes }) => {
  const { dtype, shape } = operand(x);
  const perm = ints(attributes, 'perm');
  const isPermutation = perm.toSorted((a, b) => a - b).every((axis, i) => axis === i);
  if (!isPermutation || perm.length !== shape.length) {
    throw new Mismatch(`cannot order ${shape.length} axes as [${perm.join(',')}]`);
  }
  return [{ dtype, shape: perm.map((axis) => at(shape, axis)) }];
};

export const reshape: Inference = ({ inputs: [x, target] }) => {
  const { dtype, shape } = operand(x);
  const asked = shapeHeldBy(target);
  const copied = asked.map((length, axis) => (length === 0 ? at(shape, axis) : length));
  const isBelow = copied.some((length) => typeof length === 'number' && length < -1);
  const known = product(copied.filter((length) => length !== -1));
  const rest = quotient(product(shape), known);
  const holes = copied.filter((length) => typeof length === 'number' && length < 0).length;
  if (rest === undefined || isBelow || holes > 1 || (holes === 0 && rest !== 1)) {
    throw new Mismatch(`does not fill [${asked.join(',')}]`);
  }
  return [{ dtype, shape: copied.map((length) => (length === -1 ? rest : length)) }];
};

export const expand: Inference = ({ inputs: [x, target] }) => {
  const { dtype, shape } = operand(x);
  const asked = wholeShapeHeldBy(target);
  const result = broadcast(shape, asked);
  if (result === undefined) throw new Mismatch(`does not broadcast to [${asked.join(',')}]`);
  return [{ dtype, shape: result }];
};

export const split: Inference = ({ inputs: [x, sizes], attributes }) => {
  const { dtype, shape } = operand(x);
  const axis = axisOf(shape, int(attributes, 'axis'));
  if (sizes === undefined) throw new Mismatch('lacks its sizes');
  const parts = constantInts(sizes);
  const isSplit = parts.reduce((total, part) => total + part, 0) === at(shape, axis);
  if (!isSplit || parts.some((part) => part < 0)) {
    throw new Mismatch(`axis ${axis} is not the sum of ${parts.join(' + ')}`);
  }
  return parts.map((part) => ({ dtype, shape: shape.with(axis, part) }));
};

export const concat: Inference = ({ inputs, attributes }) => {
  const { dtype, shape } = operand(inputs[0]);
  const axis = axisOf(shape, int(attributes, 'axis'));
  const length = inputs.map((input) => at(input.shape, axis)).reduce(sumOrFail);
  const whole = shape.with(axis, length);
  for (const input of inputs) {
    const isPart = input.dtype === dtype && sameShape(input.shape.with(axis, length), whole);
    if (!isPart) throw new Mismatch('has parts that do not fit one another');
  }
  return [{ dtype, shape: whole }];
};

function sumOrFail(total: Dimension, length: Dimension): Dimension {
  const longer = sum(total, length);
  if (longer === undefined) throw new Mismatch(`has no name for the length ${total} + ${length}`);
  return longer;
}

/** Starts, ends, axes and steps are constants, but for ends that are named lengths. */
export const slice: Inference = ({ inputs: [x, starts, ends, axes, steps] }) => {
  const { dtype, shape } = operand(x);
  if (axes === undefined || steps === undefined) throw new Mismatch('lacks its axes or steps');
  const [from, to] = [shapeHeldBy(starts), shapeHeldBy(ends)];
  const strides = constantInts(steps);
  const sliced = constantInts(axes).map((axis) => axisOf(shape, axis));
  constantAxes(axes, shape);
  const lengths = [...shape];
  for (const [i, axis] of sliced.entries()) {
    lengths[axis] = sliceLength(at(shape, axis), from[i] ?? 0, to[i] ?? 0, strides[i] ?? 1);
  }
  return [{ dtype, shape: lengths }];
};

function sliceLength(length: Dimension, start: Dimension, end: Dimension, step: number): Dimension {
  if (typeof length === 'number' && typeof start === 'number' && typeof end === 'number') {
    return numericSliceLength(length, start, end, step);
  }
  const known = step === 1 ? namedSliceLength(length, start, end) : undefined;
  if (known !== undefined) return known;
  throw new Mismatch(
    `has no name for the length of ${start}:${isEnd(end) ? '' : end}:${step} of ${length}`,
  );
}

/** Where a length, or an end, is known by name, which is at least 1. */
function namedSliceLength(
  length: Dimension,
  start: Dimension,
  end: Dimension,
): Dimension | undefined {
  const isToEnd = end === length || isEnd(end);
  if (isToEnd) return start === -1 ? 1 : fromStart(length, start);
  // A sequence is at most as long as the table that it indexes.
  if (typeof length === 'number') return fromStart(end, start);
  return start === 0 && end === 1 ? 1 : undefined;
}

/** Exporters write the largest int32 or int64 for the end of an axis. */
function isEnd(end: Dimension): boolean {
  return typeof end === 'number' && end >= 2 ** 31 - 1;
}

function fromStart(end: Dimension, start: Dimension): Dimension | undefined {
  return typeof start === 'number' && start < 0 ? undefined : difference(end, start);
}

/** Source: https://onnx.ai/onnx/operators/onnx__Slice.html */
function numericSliceLength(length: number, start: number, end: number, step: number): number {
  const fromEnd = (index: number): number => (index < 0 ? index + length : index);
  const clamp = (index: number, low: number, high: number): number =>
    Math.min(Math.max(index, low), high);
  if (step === 0) throw new Mismatch('has a step of 0');
  if (step > 0) {
    const first = clamp(fromEnd(start), 0, length);
    return Math.max(0, Math.ceil((clamp(fromEnd(end), 0, length) - first) / step));
  }
  const first = clamp(fromEnd(start), 0, length - 1);
  return Math.max(0, Math.ceil((clamp(fromEnd(end), -1, length - 1) - first) / step));
}

export const gather: Inference = ({ inputs: [data, indices], attributes }) => {
  const { dtype, shape } = operand(data);
  const axis = axisOf(shape, int(attributes, 'axis'));
  return [{ dtype, shape: shape.toSpliced(axis, 1, ...operand(indices, INDICES).shape) }];
};

export const gatherElements: Inference = ({ inputs: [data, indices], attributes }) => {
  const { dtype, shape } = operand(data);
  axisOf(shape, int(attributes, 'axis'));
  const picked = operand(indices, INDICES).shape;
  if (picked.length !== shape.length) throw new Mismatch('has indices of another rank');
  return [{ dtype, shape: picked }];
};

export const scatterElements: Inference = ({ inputs: [data, indices, updates], attributes }) => {
  const target = operand(data);
  axisOf(target.shape, int(attributes, 'axis'));
  const places = operand(indices, INDICES).shape;
  const news = operand(updates, [target.dtype]).shape;
  if (places.length !== target.shape.length || !sameShape(places, news)) {
    throw new Mismatch('has indices or updates of another shape');
  }
  return [target];
};

export const scatterNd: Inference = ({ inputs: [data, indices, updates] }) => {
  const target = operand(data);
  operand(indices, ['int64']);
  operand(updates, [target.dtype]);
  return [target];
};

export const shape: Inference = ({ inputs: [x], attributes }) => {
  const rank = operand(x).shape.length;
  const length = int(attributes, 'end') - int(attributes, 'start');
  return [{ dtype: 'int64', shape: [Math.max(0, Math.min(length, rank))] }];
};

export const constantOfShape: Inference = ({ inputs: [target] }) => [
  { dtype: 'float32', shape: wholeShapeHeldBy(target) },
];

/** start, start + delta, ... below limit. */
export const range: Inference = ({ inputs: [start, limit, delta] }) => {
  const { dtype } = operand(start, ['float32', ...INDICES]);
  const [from, to, by] = [start, limit, delta].map(single);
  if (from === undefined || to === undefined || typeof by !== 'number' || by === 0) {
    throw new Mismatch('has a length that only a run can tell');
  }
  if (typeof from === 'number' && typeof to === 'number') {
    return [{ dtype, shape: [Math.max(0, Math.ceil((to - from) / by))] }];
  }
  const length = by === 1 ? difference(to, from) : undefined;
  if (length === undefined) throw new Mismatch(`has no name for the length ${to} - ${from}`);
  return [{ dtype, shape: [length] }];
};

function single(value: Parameters<typeof lengthsHeldBy>[0] | undefined): Dimension | undefined {
  if (value === undefined || value.shape.length > 0) throw new Mismatch('takes three numbers');
  const data = value.graph.constants.get(value);
  return data === undefined ? lengthsHeldBy(value)?.[0] : Number(data[0]);
}

/** CumSum along a constant axis. */
export const runningSum: Inference = ({ inputs: [x, axis] }) => {
  const { dtype, shape: own } = operand(x, ['float32', ...INDICES]);
  if (axis === undefined) throw new Mismatch('lacks its axis');
  axisOf(own, constantInts(axis)[0] ?? 0);
  return [{ dtype, shape: own } satisfies TensorType];
};
