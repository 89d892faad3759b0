import { int } from '../attributes.ts';
import { product } from '../dimension.ts';
import type { Value } from '../graph.ts';
import { constantAxes } from '../inference/operands.ts';
import {
  cast,
  cumSum,
  elementCount,
  equal,
  exp,
  expand,
  mul,
  div,
  reduceMean,
  reduceSum,
  reshape,
  sub,
} from '../ops.ts';
import { derivative, NotDifferentiable, outputOf, present, unary, type Backward } from './rule.ts';

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

/**
 * y = largest (smallest) x over axes: dx = dy at the elements that are y, in equal parts where they
 * are several (as torch.amax)
 */
export const extremeRule = unary(({ x, y, dy, node }) => {
  const axes = reducedAxes(node);
  const isExtreme = cast(equal(x, spread(x, y, axes)), 'float32');
  const count = reduceSum(isExtreme, axes, { keepDims: true });
  return mul(div(isExtreme, count), spread(x, dy, axes));
});

/** yᵢ = Σ x up to i along an axis: dxᵢ = Σ dy from i on */
export const cumSumRule = unary(({ dy, node }) =>
  cumSum(dy, present(node.inputs[1]), {
    exclusive: int(node.attributes, 'exclusive') === 1,
    reverse: int(node.attributes, 'reverse') === 0,
  }),
);

/** y = softmax(x) over an axis: dx = y·(dy − Σ dy·y) */
export const softmaxRule = unary(({ y, dy, node }) =>
  mul(y, sub(dy, reduceSum(mul(dy, y), [int(node.attributes, 'axis')], { keepDims: true }))),
);

/** y = log softmax(x) over an axis: dx = dy − eʸ·Σ dy */
export const logSoftmaxRule = unary(({ y, dy, node }) =>
  sub(dy, mul(exp(y), reduceSum(dy, [int(node.attributes, 'axis')], { keepDims: true }))),
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
    throw new NotDifferentiable(node, 'its statistics have no derivative');
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
