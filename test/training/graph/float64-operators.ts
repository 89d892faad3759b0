import { float, int, ints } from '../../../training/graph/attributes.ts';
import type { OpName } from '../../../training/graph/operators.ts';
import { erf } from './float64-erf.ts';
import {
  alongAxis,
  at,
  broadcastShape,
  build,
  elementwise,
  fromStart,
  offsetOf,
  placesOf,
  product,
  required,
  reduction,
  rows,
  slicedIndices,
  transposed,
  type Operator,
} from './float64-loops.ts';

// Definitions: https://onnx.ai/onnx/operators/

/** The operators that gradients are tested with. */
export const OPERATORS: { readonly [op in OpName]?: Operator } = {
  Add: elementwise((a, b) => a + b),
  Sub: elementwise((a, b) => a - b),
  Mul: elementwise((a, b) => a * b),
  Div: elementwise((a, b) => a / b),
  Neg: elementwise((x) => -x),
  Abs: elementwise(Math.abs),
  Exp: elementwise(Math.exp),
  Sqrt: elementwise(Math.sqrt),
  Pow: elementwise((a, b) => a ** b),
  Reciprocal: elementwise((x) => 1 / x),
  Sin: elementwise(Math.sin),
  Cos: elementwise(Math.cos),
  Sigmoid: elementwise((x) => 1 / (1 + Math.exp(-x))),
  Tanh: elementwise(Math.tanh),
  Relu: elementwise((x) => Math.max(x, 0)),
  Erf: elementwise(erf),
  Max: elementwise((a, b) => Math.max(a, b)),
  Min: elementwise((a, b) => Math.min(a, b)),
  Clip: elementwise((x, low, high) => Math.min(Math.max(x, low), high)),
  Identity: elementwise((x) => x),
  And: elementwise((a, b) => a * b),
  Not: elementwise((x) => 1 - x),
  Equal: elementwise((a, b) => Number(a === b)),
  Less: elementwise((a, b) => Number(a < b)),
  LessOrEqual: elementwise((a, b) => Number(a <= b)),
  Where: elementwise((condition, a, b) => (condition === 0 ? b : a)),
  Cast: elementwise((x) => x),
  Softmax: alongAxis((row) => {
    const total = row.reduce((sum, x) => sum + Math.exp(x), 0);
    return row.map((x) => Math.exp(x) / total);
  }),
  LogSoftmax: alongAxis((row) => {
    const total = row.reduce((sum, x) => sum + Math.exp(x), 0);
    return row.map((x) => x - Math.log(total));
  }),
  CumSum: ([x, axis], node) => {
    const isExclusive = int(node.attributes, 'exclusive') === 1;
    const isReverse = int(node.attributes, 'reverse') === 1;
    const sums = (row: readonly number[]): readonly number[] =>
      row.map((_, i) =>
        row.slice(0, isExclusive ? i : i + 1).reduce((total, value) => total + value, 0),
      );
    return [
      rows(required(x), Number(axis?.data[0]), (row) =>
        isReverse ? sums(row.toReversed()).toReversed() : sums(row),
      ),
    ];
  },
  LayerNormalization: ([x, weight, bias], { attributes }) => {
    const means: number[] = [];
    const scales: number[] = [];
    const normalized = rows(required(x), -1, (row) => {
      const mean = row.reduce((sum, value) => sum + value, 0) / row.length;
      const variance = row.reduce((sum, value) => sum + (value - mean) ** 2, 0) / row.length;
      const scale = 1 / Math.sqrt(variance + float(attributes, 'epsilon'));
      means.push(mean);
      scales.push(scale);
      return row.map(
        (value, i) => (value - mean) * scale * (weight?.data[i] ?? NaN) + (bias?.data[i] ?? NaN),
      );
    });
    const shape = [...normalized.shape.slice(0, -1), 1];
    return [
      normalized,
      ...[means, scales].map((data) => ({ shape, data: Float64Array.from(data) })),
    ];
  },
  MatMul: ([a, b]) => [product(required(a), required(b))],
  Gemm: ([a, b, c], { attributes }) => {
    const left = int(attributes, 'transA') === 1 ? transposed(required(a), [1, 0]) : required(a);
    const right = int(attributes, 'transB') === 1 ? transposed(required(b), [1, 0]) : required(b);
    const y = product(left, right);
    const [alpha, beta] = [float(attributes, 'alpha'), float(attributes, 'beta')];
    return [
      build(y.shape, (place) => alpha * at(y, place) + beta * (c === undefined ? 0 : at(c, place))),
    ];
  },
  ReduceSum: reduction((values) => values.reduce((sum, value) => sum + value, 0)),
  ReduceMean: reduction((values) => values.reduce((sum, value) => sum + value, 0) / values.length),
  ReduceMax: reduction((values) => Math.max(...values)),
  ReduceMin: reduction((values) => Math.min(...values)),
  Transpose: ([x], { attributes }) => [transposed(required(x), ints(attributes, 'perm'))],
  Reshape: ([x, target]) => {
    const { shape, data } = required(x);
    const copied = Array.from(required(target).data, (length, axis) =>
      length === 0 ? (shape[axis] ?? 1) : length,
    );
    const known = copied.filter((length) => length !== -1).reduce((n, length) => n * length, 1);
    return [
      { shape: copied.map((length) => (length === -1 ? data.length / known : length)), data },
    ];
  },
  Expand: ([x, target]) => {
    const shape = broadcastShape([required(x).shape, Array.from(required(target).data)]);
    return [build(shape, (place) => at(required(x), place))];
  },
  Split: ([x, sizes], { attributes }) => {
    const axis = int(attributes, 'axis');
    let start = 0;
    return Array.from(required(sizes).data, (size) => {
      const first = start;
      start += size;
      const shape = required(x).shape.with(axis, size);
      const along = axis < 0 ? axis + shape.length : axis;
      return build(shape, (place) =>
        at(required(x), place.with(along, first + (place[along] ?? 0))),
      );
    });
  },
  Concat: (inputs, { attributes }) => {
    const [first] = inputs;
    const rank = required(first).shape.length;
    const axis = (int(attributes, 'axis') + rank) % rank;
    const places = inputs.flatMap((x, which) =>
      Array.from({ length: x.shape[axis] ?? 0 }, (_, index) => ({ which, index })),
    );
    const shape = required(first).shape.with(axis, places.length);
    return [
      build(shape, (place) => {
        const { which, index } = required(places[place[axis] ?? 0]);
        return at(required(inputs[which]), place.with(axis, index));
      }),
    ];
  },
  Slice: ([x, starts, ends, axes, steps]) => {
    const { shape } = required(x);
    const picked = shape.map((length) => Array.from({ length }, (_, i) => i));
    for (const [i, axis] of Array.from(required(axes).data).entries()) {
      const along = axis < 0 ? axis + shape.length : axis;
      picked[along] = slicedIndices(
        shape[along] ?? 0,
        required(starts).data[i] ?? 0,
        required(ends).data[i] ?? 0,
        required(steps).data[i] ?? 1,
      );
    }
    return [
      build(
        picked.map(({ length }) => length),
        (place) =>
          at(
            required(x),
            place.map((index, axis) => picked[axis]?.[index] ?? 0),
          ),
      ),
    ];
  },
  Gather: ([data, indices], { attributes }) => {
    const { shape } = required(data);
    const axis = (int(attributes, 'axis') + shape.length) % shape.length;
    const rank = required(indices).shape.length;
    return [
      build(shape.toSpliced(axis, 1, ...required(indices).shape), (place) => {
        const index = fromStart(at(required(indices), place.slice(axis, axis + rank)), shape[axis]);
        return at(required(data), [...place.slice(0, axis), index, ...place.slice(axis + rank)]);
      }),
    ];
  },
  GatherElements: ([data, indices], { attributes }) => {
    const { shape } = required(data);
    const axis = (int(attributes, 'axis') + shape.length) % shape.length;
    return [
      build(required(indices).shape, (place) =>
        at(required(data), place.with(axis, fromStart(at(required(indices), place), shape[axis]))),
      ),
    ];
  },
  ScatterElements: ([data, indices, updates], { attributes }) => {
    const { shape, data: values } = required(data);
    const axis = (int(attributes, 'axis') + shape.length) % shape.length;
    const result = { shape, data: Float64Array.from(values) };
    for (const place of placesOf(required(indices).shape)) {
      const target = place.with(axis, fromStart(at(required(indices), place), shape[axis]));
      const offset = offsetOf(shape, target);
      result.data[offset] = (result.data[offset] ?? 0) + at(required(updates), place);
    }
    return [result];
  },
  Shape: ([x], { attributes }) => {
    const lengths = required(x).shape.slice(int(attributes, 'start'), int(attributes, 'end'));
    return [{ shape: [lengths.length], data: Float64Array.from(lengths) }];
  },
  ConstantOfShape: ([shape]) => [build(Array.from(required(shape).data), () => 0)],
  Range: ([start, limit, delta]) => {
    const [from = 0, to = 0, by = 1] = [start, limit, delta].map((value) => value?.data[0]);
    const length = Math.max(0, Math.ceil((to - from) / by));
    return [{ shape: [length], data: Float64Array.from({ length }, (_, i) => from + i * by) }];
  },
};
