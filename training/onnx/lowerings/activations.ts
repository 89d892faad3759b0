import type { Value } from '../../graph/graph.ts';
import { Mismatch } from '../../graph/mismatch.ts';
import * as ops from '../../graph/ops.ts';
import { ACTIVATIONS } from '../../models/activations.ts';
import type { FileNode, Lowering } from '../file-node.ts';

// Definitions: https://onnx.ai/onnx/operators/

export const gelu: Lowering = (node) => {
  const approximation = node.string('approximate', 'none');
  if (approximation === 'none') return [ACTIVATIONS.gelu(node.floatInput(0))];
  if (approximation === 'tanh') return [ACTIVATIONS.gelu_new(node.floatInput(0))];
  throw new Mismatch(`approximates by "${approximation}"; expected none or tanh`);
};

/** x where x > 0, else αx */
export const leakyRelu: Lowering = (node) => {
  const x = node.floatInput(0);
  return [ops.where(ops.less(0, x), x, ops.mul(x, node.float('alpha', 0.01)))];
};

/** x where x > 0, else slope·x */
export const parametricRelu: Lowering = (node) => {
  const [x, slope] = [node.floatInput(0), node.floatInput(1)];
  return [ops.where(ops.less(0, x), x, ops.mul(x, slope))];
};

/** x where x > 0, else α(eˣ − 1); no exponential of a large x, whose gradient would be 0·∞ */
export const elu: Lowering = (node) => {
  const x = node.floatInput(0);
  const below = ops.mul(ops.sub(ops.exp(ops.min(x, 0)), 1), node.float('alpha', 1));
  return [ops.where(ops.less(0, x), x, below)];
};

/** min(max(αx + β, 0), 1) */
export const hardSigmoid: Lowering = (node) => [
  ramp(node, node.float('alpha', 0.2), node.float('beta', 0.5)),
];

/** x·min(max(x/6 + 1/2, 0), 1) */
export const hardSwish: Lowering = (node) => [ops.mul(node.floatInput(0), ramp(node, 1 / 6, 0.5))];

function ramp(node: FileNode, slope: number, offset: number): Value {
  const bounds = [0, 1].map((bound) => ops.scalar(node.graph, 'float32', bound));
  return node.apply('Clip', [ops.add(ops.mul(node.floatInput(0), slope), offset), ...bounds]);
}
