import { product } from '../dimension.ts';
import type { Value } from '../graph.ts';
import { constantAxes } from '../operators.ts';
import {
  elementCount,
  exp,
  expand,
  mul,
  div,
  reduceMean,
  reduceSum,
  reshape,
  sub,
} from '../ops.ts';
import { derivative, outputOf, present, unary, type Backward } from './rule.ts';

/** y = Σ x over axes: dx = dy at every element that was summed */
export const reduceSumRule = unary(({ x, dy, node }) => spread(x, dy, reducedAxes(node)));

/** y = mean of x over axes: dx = dy/n, n the number of elements averaged */
export const reduceMeanRule = unary(({ x, dy, node }) => {
  const axes = reducedAxes(node);
  const count = elementCount(x.graph, product(x.shape.filter((_, axis) => axes.includes(axis))));
  return spread(x, div(dy, count), axes);
});

function reducedAxes(node: Backward): readonly number[] {
  return constantAxes(present(node.inputs[1]), present(node.inputs[0]).shape);
}

function spread(x: Value, dy: Value, axes: readonly number[]): Value {
  const kept = x.shape.map((length, axis) => (axes.includes(axis) ? 1 : length));
  return expand(reshape(dy, kept), x.shape);
}

/** y = softmax(x) over the last axis: dx = y·(dy − Σ dy·y) */
export const softmaxRule = unary(({ y, dy }) =>
  mul(y, sub(dy, reduceSum(mul(dy, y), [-1], { keepDims: true }))),
);

/** y = log softmax(x) over the last axis: dx = dy − eʸ·Σ dy */
export const logSoftmaxRule = unary(({ y, dy }) =>
  sub(dy, mul(exp(y), reduceSum(dy, [-1], { keepDims: true }))),
);

/**
 * y = x̂·w + b, x̂ = (x − mean)·r, r = 1/√(variance + ε), over the last axis:
 * dw = Σ dy·x̂, db = Σ dy, dx = r·(g − mean(g) − x̂·mean(g·x̂)) with g = dy·w.
 * Source: Ba, Kiros and Hinton, Layer Normalization, 2016; Ioffe and Szegedy, 2015, §3 for dx.
 */
export const layerNormalizationRule = derivative((node) => {
  const [x, weight] = [present(node.inputs[0]), present(node.inputs[1])];
  const [mean, r] = [present(node.outputs[1]), present(node.outputs[2])];
  const [, dy] = outputOf(node);
  if (node.dys[1] !== undefined || node.dys[2] !== undefined) {
    throw new Error('internal: LayerNormalization has no derivative through its statistics');
  }
  const normalized = (): Value => mul(sub(x, mean), r);
  const rowMean = (values: Value): Value => reduceMean(values, [-1], { keepDims: true });
  return [
    () => {
      const g = mul(dy, weight);
      const along = mul(normalized(), rowMean(mul(g, normalized())));
      return mul(r, sub(sub(g, rowMean(g)), along));
    },
    () => mul(dy, normalized()),
    () => dy,
  ];
});
