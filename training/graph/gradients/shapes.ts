import { product } from '../dimension.ts';
import type { Value } from '../graph.ts';
import { int, ints } from '../attributes.ts';
import { axisOf, constantInts, lengthsHeldBy } from '../inference/operands.ts';
import {
  concat,
  expand,
  gatherElements,
  intVector,
  iota,
  reshape,
  scatterAdd,
  shapeVector,
  slice,
  split,
  transpose,
  zeros,
} from '../ops.ts';
import type { Shape } from '../tensor-type.ts';
import { derivative, NotDifferentiable, outputOf, present, unary, type Backward } from './rule.ts';

// These operators move elements, so a gradient moves back the way its element came; an element
// that was read several times gets the sum.

/** y = reshape(x): dx = reshape(dy) to x's shape */
export const reshapeRule = unary(({ x, dy }) => reshape(dy, x.shape));

/** y = expand(x): dx = dy, summed over the broadcast axes by the driver */
export const expandRule = unary(({ dy }) => dy);

/** y = transpose(x, perm): dx = transpose(dy, perm⁻¹) */
export const transposeRule = unary(({ dy, node }) => {
  const perm = ints(node.attributes, 'perm');
  return transpose(
    dy,
    perm.map((_, axis) => perm.indexOf(axis)),
  );
});

/** y₀, y₁, ... = split(x): dx = concat(dy₀, dy₁, ...), 0 for a part that nothing used */
export const splitRule = derivative((node) => {
  const axis = int(node.attributes, 'axis');
  return [
    () => {
      const parts = node.outputs.map((y, i) => node.dys[i] ?? zeros(y.graph, y.shape));
      return concat(parts, axis);
    },
  ];
});

/** y = concat(x₀, x₁, ...): dxᵢ = the part of dy where xᵢ went */
export const concatRule = derivative((node) => {
  const [y, dy] = outputOf(node);
  const axis = axisOf(y.shape, int(node.attributes, 'axis'));
  const lengths = node.inputs.map((x) => Number(x.shape[axis]));
  return node.inputs.map((_, i) => () => present(split(dy, lengths, axis)[i]));
});

/**
 * y = x[..., indices, ...] along an axis: dx = 0, then dx[index] += dy for every index.
 * ScatterElements, not ScatterND: ONNX Runtime's ScatterND(add) loses updates on duplicates.
 */
export const gatherRule = derivative((node) => {
  const [x, indices] = [present(node.inputs[0]), present(node.inputs[1])];
  const [, dy] = outputOf(node);
  return [() => scattered(dy, x.shape, indices, axisOf(x.shape, int(node.attributes, 'axis')))];
});

/** dy added into zeros of a shape, along an axis at the places that indices name. */
function scattered(dy: Value, target: Shape, indices: Value, axis: number): Value {
  const count = product(indices.shape);
  const flat = target.with(axis, count);
  const line = target.map((_, i) => (i === axis ? count : 1));
  const index = expand(reshape(indices, line), flat);
  return scatterAdd(zeros(dy.graph, target), index, reshape(dy, flat), axis);
}

/**
 * y = x[start:end:step] along axes: dx = dy where y came from, else 0.
 * A single axis at a time, the last one first: its places are the same slice of 0, 1, 2, ....
 */
export const sliceRule = derivative((node) => {
  const [x, axes] = [present(node.inputs[0]), present(node.inputs[3])];
  const [, dy] = outputOf(node);
  const along = constantInts(axes).map((axis) => axisOf(x.shape, axis));
  return [
    () =>
      along.reduce((gradient, axis, i) => {
        const length = present(x.shape[axis]);
        const places = slicedPlaces(node, iota(dy.graph, length), i);
        return scattered(gradient, gradient.shape.with(axis, length), places, axis);
      }, dy),
  ];
});

/** The i-th of a node's slices, of a vector. */
function slicedPlaces(node: Backward, vector: Value, i: number): Value {
  const [starts, ends, , steps] = node.inputs.slice(1).map((operand) => part(operand, i));
  const axes = intVector(vector.graph, [0]);
  return slice(vector, [present(starts), present(ends), axes, present(steps)]);
}

/** Element i of a vector of lengths, as a vector. */
function part(vector: Value, i: number): Value {
  return shapeVector(vector.graph, [present(lengthsHeldBy(vector)?.[i])]);
}

/** y[i, j] = x[index[i, j], j]: dx = 0, then dx[index[i, j], j] += dy[i, j] */
export const gatherElementsRule = derivative((node) => {
  const [x, indices] = [present(node.inputs[0]), present(node.inputs[1])];
  const [, dy] = outputOf(node);
  const axis = int(node.attributes, 'axis');
  return [() => scatterAdd(zeros(x.graph, x.shape), indices, dy, axis)];
});

/** y = data, then y[index[i, j], j] += updates[i, j]: ddata = dy, dupdates = dy at the indices */
export const scatterElementsRule = derivative((node) => {
  const indices = present(node.inputs[1]);
  const [, dy] = outputOf(node);
  const reduction = node.attributes['reduction'];
  if (reduction?.kind !== 'string' || reduction.value !== 'add') {
    throw new NotDifferentiable(node, 'only reduction add has a derivative');
  }
  const axis = int(node.attributes, 'axis');
  return [() => dy, undefined, () => gatherElements(dy, indices, axis)];
});
