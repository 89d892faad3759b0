import { product } from '../../graph/dimension.ts';
import type { Value } from '../../graph/graph.ts';
import {
  axisOf,
  lengthsHeldBy,
  shapeHeldBy,
  wholeShapeHeldBy,
} from '../../graph/inference/operands.ts';
import { Mismatch } from '../../graph/mismatch.ts';
import { inferOutputs } from '../../graph/operators.ts';
import * as ops from '../../graph/ops.ts';
import type { Dimension, Shape } from '../../graph/tensor-type.ts';
import { intAttribute, intsAttribute, type FileNode, type Lowering } from '../file-node.ts';
import { squeezed, unsqueezed } from '../lengths.ts';

/** 0 copies a length unless allowzero says otherwise; -1 is what is left. */
export const reshape: Lowering = (node) => {
  const x = node.input(0);
  const asked = shapeHeldBy(node.input(1));
  if (node.flag('allowzero', 0) === 1 && asked.includes(0))
    throw new Mismatch('makes an empty tensor');
  const [type] = inferOutputs('Reshape', { inputs: [x, node.input(1)], attributes: {} });
  if (type === undefined) throw new Error('internal: Reshape without an output');
  return [ops.reshape(x, type.shape)];
};

export const flatten: Lowering = (node) => {
  const x = node.input(0);
  const given = node.int('axis', 1);
  const axis = given < 0 ? given + x.shape.length : given;
  if (!(axis >= 0 && axis <= x.shape.length)) throw new Mismatch(`has no axis ${given}`);
  return [ops.reshape(x, [product(x.shape.slice(0, axis)), product(x.shape.slice(axis))])];
};

export const unsqueeze: Lowering = (node) => {
  const x = node.input(0);
  return [ops.reshape(x, unsqueezed(node, x.shape))];
};

export const squeeze: Lowering = (node) => {
  const x = node.input(0);
  return [ops.reshape(x, squeezed(node, x.shape))];
};

export const transpose: Lowering = (node) => {
  const x = node.input(0);
  const perm = node.ints('perm') ?? x.shape.map((_, axis) => axis).toReversed();
  return [node.apply('Transpose', [x], { perm: intsAttribute(perm) })];
};

export const expand: Lowering = (node) => [
  ops.expand(node.input(0), broadcastShape(node.input(0).shape, wholeShapeHeldBy(node.input(1)))),
];

/** The longer of each two lengths, where one of them is 1. */
function broadcastShape(a: Shape, b: Shape): Shape {
  const rank = Math.max(a.length, b.length);
  return Array.from({ length: rank }, (_, axis) => {
    const left = a[axis - rank + a.length] ?? 1;
    const right = b[axis - rank + b.length] ?? 1;
    return left === 1 ? right : left;
  });
}

/** Each axis a number of times over: [a, ...] → [1, a, ...] → [n, a, ...] → [n·a, ...]. */
export const tile: Lowering = (node) => {
  const x = node.input(0);
  const times = wholeShapeHeldBy(node.input(1));
  if (times.length !== x.shape.length) throw new Mismatch('has repeats of another rank');
  const apart = x.shape.flatMap((length) => [1, length]);
  const repeated = x.shape.flatMap((length, axis) => [times[axis] ?? 1, length]);
  const whole = x.shape.map((length, axis) => product([times[axis] ?? 1, length]));
  return [ops.reshape(ops.expand(ops.reshape(x, apart), repeated), whole)];
};

/** Sizes are an attribute, an input, or as equal as they can be; the last part is then the shortest. */
export const split: Lowering = (node) => {
  const x = node.input(0);
  const axis = axisOf(x.shape, node.int('axis', 0));
  const given = node.inputs[1];
  const sizes =
    node.ints('split') ??
    (given === undefined ? equalParts(node, x.shape[axis] ?? 1) : shapeHeldBy(given).map(Number));
  if (sizes.length !== node.outputCount) throw new Mismatch(`has ${sizes.length} sizes`);
  return ops.split(x, sizes, axis);
};

function equalParts(node: FileNode, length: Dimension): readonly number[] {
  const parts = node.int('num_outputs', node.outputCount);
  if (typeof length !== 'number') throw new Mismatch(`splits a length of any size (${length})`);
  if (parts !== node.outputCount) throw new Mismatch(`has num_outputs ${parts}`);
  const size = Math.ceil(length / parts);
  return Array.from({ length: parts }, (_, i) => Math.min(size, length - i * size));
}

export const concat: Lowering = (node) => {
  const axis = intAttribute(node.int('axis', 0));
  const parts = node.allInputs;
  return [parts.length === 1 ? node.input(0) : node.apply('Concat', parts, { axis })];
};

/** Of the inputs starts, ends, axes (all) and steps (1); a slice of everything is no slice. */
export const slice: Lowering = (node) => {
  const x = node.input(0);
  const [starts, ends] = [shapeHeldBy(node.input(1)), shapeHeldBy(node.input(2))];
  const axes = lengthsOr(node.inputs[3], () => starts.map((_, axis) => axis));
  const steps = lengthsOr(node.inputs[4], () => starts.map(() => 1));
  if ([ends, axes, steps].some(({ length }) => length !== starts.length)) {
    throw new Mismatch('has starts, ends, axes or steps of different numbers');
  }
  const along = axes.map((axis) => axisOf(x.shape, Number(axis)));
  const isPart = along.map(
    (axis, i) => !isWhole(x.shape[axis] ?? 1, starts[i] ?? 0, ends[i] ?? 0, steps[i] ?? 1),
  );
  const kept = <T>(values: readonly T[]): T[] => values.filter((_, i) => isPart[i]);
  if (kept(along).length === 0) return [x];
  const vectors = [kept(starts), kept(ends), kept(along), kept(steps)] as const;
  const [from, to, where, by] = vectors.map((values) =>
    ops.shapeVector(node.graph, values.map(bounded)),
  );
  if (!from || !to || !where || !by) throw new Error('internal: a slice without bounds');
  return [ops.slice(x, [from, to, where, by])];
};

function lengthsOr(value: Value | undefined, otherwise: () => readonly number[]): Shape {
  return value === undefined ? otherwise() : shapeHeldBy(value);
}

/** "To the end" is the largest int64, which is no exact number in JavaScript. */
function bounded(value: Dimension): Dimension {
  return typeof value === 'number'
    ? Math.min(Math.max(value, Number.MIN_SAFE_INTEGER), Number.MAX_SAFE_INTEGER)
    : value;
}

function isWhole(length: Dimension, start: Dimension, end: Dimension, step: Dimension): boolean {
  const isFromStart = start === 0 && step === 1;
  const isToEnd = end === length || (typeof end === 'number' && end >= 2 ** 31 - 1);
  const isBeyond = typeof end === 'number' && typeof length === 'number' && end >= length;
  return isFromStart && (isToEnd || isBeyond);
}

export const gather: Lowering = (node) => [
  ops.gather(node.input(0), node.input(1), node.int('axis', 0)),
];

export const gatherElements: Lowering = (node) => [
  ops.gatherElements(node.input(0), node.input(1), node.int('axis', 0)),
];

/**
 * y[...] = x[i₀, i₁, ...] with the indices along the last axis: the indexed axes as one, from which is
 * gathered at i₀·n₁·n₂··· + i₁·n₂··· + ⋯. Negative indices count from the end.
 */
export const gatherNd: Lowering = (node) => {
  const [x, indices] = [node.input(0), node.input(1)];
  const depth = indices.shape.at(-1);
  if (node.int('batch_dims', 0) !== 0) throw new Mismatch('has batch_dims, which are not known');
  if (typeof depth !== 'number' || depth < 1 || depth > x.shape.length) {
    throw new Mismatch(`indexes ${depth ?? 0} axes of [${x.shape.join(',')}]`);
  }
  const place = indices.shape.slice(0, -1);
  const last = indices.shape.length - 1;
  const parts =
    depth === 1
      ? [indices]
      : ops.split(
          indices,
          Array.from({ length: depth }, () => 1),
          last,
        );
  const offsets = parts.map((part, axis) => {
    const index = ops.reshape(part, place);
    const stride = product(x.shape.slice(axis + 1, depth));
    return ops.mul(fromStart(index, x.shape[axis] ?? 1), lengthOf(index, stride));
  });
  const data = ops.reshape(x, [product(x.shape.slice(0, depth)), ...x.shape.slice(depth)]);
  return [ops.gather(data, offsets.reduce(ops.add), 0)];
};

function fromStart(index: Value, length: Dimension): Value {
  return ops.where(ops.less(index, 0), ops.add(index, lengthOf(index, length)), index);
}

/** A length as a scalar of an index's type. */
function lengthOf(index: Value, length: Dimension): Value {
  return ops.cast(ops.lengthScalar(index.graph, length), index.dtype);
}

export const scatterElements: Lowering = (node) => [
  node.apply('ScatterElements', node.allInputs, {
    axis: intAttribute(node.int('axis', 0)),
    reduction: { kind: 'string', value: node.string('reduction', 'none') },
  }),
];

export const scatterNd: Lowering = (node) => [
  node.apply('ScatterND', node.allInputs, {
    reduction: { kind: 'string', value: node.string('reduction', 'none') },
  }),
];

/** A scalar, expanded: our graphs make filled tensors of every type that way. */
export const constantOfShape: Lowering = (node) => {
  const value = node.tensor('value') ?? ops.scalar(node.graph, 'float32', 0);
  return [ops.expand(ops.reshape(value, []), wholeShapeHeldBy(node.input(0)))];
};

export const constant: Lowering = (node) => {
  const value = node.tensor('value') ?? constantOfNumbers(node);
  if (value === undefined) throw new Mismatch('holds neither a tensor nor numbers');
  return [value];
};

function constantOfNumbers(node: FileNode): Value | undefined {
  const { graph } = node;
  if (node.has('value_float')) return ops.scalar(graph, 'float32', node.float('value_float', 0));
  if (node.has('value_int')) return ops.scalar(graph, 'int64', node.int('value_int', 0));
  if (node.has('value_ints')) return ops.intVector(graph, node.ints('value_ints') ?? []);
  const floats = node.floats('value_floats');
  return floats && node.has('value_floats')
    ? graph.constant('float32', [floats.length], Float32Array.from(floats))
    : undefined;
}

/** A range's number of elements must be known: its bounds are lengths or constants. */
export const range: Lowering = (node) => [node.apply('Range', node.allInputs)];

/** Keeps what lies on or above (below) a diagonal of the last two axes: 0, or false, elsewhere. */
export const triangle: Lowering = (node) => {
  const x = node.input(0);
  const [rows, columns] = [x.shape.at(-2), x.shape.at(-1)];
  if (rows === undefined || columns === undefined) throw new Mismatch('needs matrices');
  const diagonal = node.inputs[1];
  const [offset = 0] = diagonal === undefined ? [] : (lengthsHeldBy(diagonal) ?? []);
  if (typeof offset !== 'number') throw new Mismatch('has a diagonal that only a run can tell');
  const row = ops.add(ops.reshape(ops.iota(node.graph, rows), [rows, 1]), offset);
  const column = ops.reshape(ops.iota(node.graph, columns), [1, columns]);
  const isUpper = node.flag('upper', 1) === 1;
  const isKept = isUpper ? ops.lessOrEqual(row, column) : ops.lessOrEqual(column, row);
  return [x.dtype === 'bool' ? ops.and(isKept, x) : ops.where(isKept, x, 0)];
};
