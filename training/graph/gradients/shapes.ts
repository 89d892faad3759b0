import { product } from '../dimension.ts';
import type { Value } from '../graph.ts';
import { axisOf, int, ints } from '../operators.ts';
import {
  concat,
  expand,
  gatherElements,
  reshape,
  scatterAdd,
  split,
  transpose,
  zeros,
} from '../ops.ts';
import { derivative, outputOf, present, unary } from './rule.ts';

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
  return [() => gatherGradient(x, indices, dy, axisOf(x.shape, int(node.attributes, 'axis')))];
});

function gatherGradient(x: Value, indices: Value, dy: Value, axis: number): Value {
  const count = product(indices.shape);
  const flat = x.shape.with(axis, count);
  const line = x.shape.map((_, i) => (i === axis ? count : 1));
  const index = expand(reshape(indices, line), flat);
  return scatterAdd(zeros(x.graph, x.shape), index, reshape(dy, flat), axis);
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
    throw new Error('internal: only ScatterElements with reduction add has a derivative');
  }
  const axis = int(node.attributes, 'axis');
  return [() => dy, undefined, () => gatherElements(dy, indices, axis)];
});
