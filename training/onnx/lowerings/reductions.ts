import type { Value } from '../../graph/graph.ts';
import { axisOf, constantInts } from '../../graph/inference/operands.ts';
import { Mismatch } from '../../graph/mismatch.ts';
import type { OpName } from '../../graph/operators.ts';
import * as ops from '../../graph/ops.ts';
import { product } from '../../graph/dimension.ts';
import { intAttribute, type FileNode, type Lowering } from '../file-node.ts';
import { namedAxes } from '../lengths.ts';

type Reduction = Extract<OpName, 'ReduceSum' | 'ReduceMean' | 'ReduceMax' | 'ReduceMin'>;

/** Axes are an attribute or an input, by opset; without them all axes are reduced. */
export function reduction(op: Reduction): Lowering {
  return (node) => [reduced(node, op, node.input(0))];
}

/** Σ x² over axes. */
export const sumOfSquares: Lowering = (node) => [
  reduced(node, 'ReduceSum', ops.mul(node.input(0), node.input(0))),
];

/** √Σ x² over axes. */
export const euclideanNorm: Lowering = (node) => [
  ops.sqrt(reduced(node, 'ReduceSum', ops.mul(node.input(0), node.input(0)))),
];

function reduced(node: FileNode, op: Reduction, x: Value): Value {
  const named = namedAxes(node, 1) ?? [];
  if (named.length === 0 && node.flag('noop_with_empty_axes', 0) === 1) return x;
  const axes = named.length === 0 ? x.shape.map((_, axis) => axis) : named;
  const vector = ops.intVector(node.graph, axes);
  return node.apply(op, [x, vector], { keepdims: intAttribute(node.flag('keepdims', 1)) });
}

export const argMax: Lowering = (node) => [
  node.apply('ArgMax', [node.input(0)], {
    axis: intAttribute(node.int('axis', 0)),
    keepdims: intAttribute(node.flag('keepdims', 1)),
    select_last_index: intAttribute(node.flag('select_last_index', 0)),
  }),
];

export const runningSum: Lowering = (node) => {
  const [x, axis] = [node.input(0), node.input(1)];
  const [number = 0] = constantInts(axis);
  const options = {
    exclusive: node.flag('exclusive', 0) === 1,
    reverse: node.flag('reverse', 0) === 1,
  };
  return [ops.cumSum(x, ops.scalar(node.graph, 'int64', axisOf(x.shape, number)), options)];
};

/**
 * Until opset 12 an axis splits the shape in two, and all after it is one; from 13 it is one axis.
 * Source: https://onnx.ai/onnx/operators/onnx__Softmax.html
 */
export function softmax(op: 'Softmax' | 'LogSoftmax'): Lowering {
  return (node) => {
    const x = node.input(0);
    const isFlattened = node.opset < 13;
    const axis = axisOf(x.shape, node.int('axis', isFlattened ? 1 : -1));
    if (!isFlattened) return [node.apply(op, [x], { axis: intAttribute(axis) })];
    const flat = ops.reshape(x, [product(x.shape.slice(0, axis)), product(x.shape.slice(axis))]);
    return [ops.reshape(node.apply(op, [flat], { axis: intAttribute(1) }), x.shape)];
  };
}

/** Over all axes from one on, as one. Its scale and bias have the shape of those axes. */
export const layerNormalization: Lowering = (node) => {
  const [x, scale] = [node.floatInput(0), node.floatInput(1)];
  const axis = axisOf(x.shape, node.int('axis', -1));
  const normalized = x.shape.slice(axis);
  const length = product(normalized);
  if (typeof length !== 'number') throw new Mismatch(`normalizes over ${length} elements`);
  if (node.outputCount > 1) throw new Mismatch('has its statistics used, which is not known');
  const bias = node.inputs[2] ?? ops.expand(ops.scalar(node.graph, 'float32', 0), normalized);
  const flat = ops.reshape(x, [...x.shape.slice(0, axis), length]);
  const [weights, offsets] = [scale, bias].map((operand) => ops.reshape(operand, [length]));
  if (weights === undefined || offsets === undefined) throw new Error('internal: no scale');
  const epsilon = node.float('epsilon', 1e-5);
  return [ops.reshape(ops.layerNormalization(flat, weights, offsets, epsilon), x.shape)];
};

/** y = x/√(mean x² + ε)·scale, over the last axis. Source: Zhang and Sennrich, 2019. */
export const rmsNormalization: Lowering = (node) => {
  const x = node.floatInput(0);
  const axis = axisOf(x.shape, node.int('axis', -1));
  const axes = x.shape.flatMap((_, i) => (i < axis ? [] : [i]));
  const meanSquare = ops.reduceMean(ops.mul(x, x), axes, { keepDims: true });
  const root = ops.sqrt(ops.add(meanSquare, node.float('epsilon', 1e-5)));
  return [ops.mul(ops.div(x, root), node.input(1))];
};
