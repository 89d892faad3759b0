import { float, int, ints } from '../../../training/graph/attributes.ts';
import type { Node } from '../../../training/graph/graph.ts';
import type { OpName } from '../../../training/graph/operators.ts';
import { erf } from './float64-erf.ts';
import type { Tensor64 } from './float64.ts';

type Operator = (inputs: readonly Tensor64[], node: Node) => readonly Tensor64[];

// Definitions: https://onnx.ai/onnx/operators/

/** The operators that gradients are tested with; a place is a list of indices, row-major. */
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

function elementwise(of: (...operands: number[]) => number): Operator {
  return (inputs) => {
    const shape = broadcastShape(inputs.map((input) => input.shape));
    const data = new Float64Array(shape.reduce((n, length) => n * length, 1));
    const steps = inputs.map((input) => stepsThrough(shape, input.shape));
    const operands = inputs.map(() => 0);
    for (let i = 0; i < data.length; i++) {
      inputs.forEach(
        (input, which) => (operands[which] = elementAt(input, shape, steps[which], i)),
      );
      data[i] = of(...operands);
    }
    return [{ shape, data }];
  };
}

/** By axis of a shape, how far apart a broadcast tensor's elements are; 0 where it repeats. */
function stepsThrough(shape: readonly number[], own: readonly number[]): readonly number[] {
  const added = shape.length - own.length;
  return shape.map((_, axis) =>
    axis < added || own[axis - added] === 1
      ? 0
      : own.slice(axis - added + 1).reduce((n, length) => n * length, 1),
  );
}

/** The element of a broadcast tensor at the i-th place of a shape. */
function elementAt(
  { data }: Tensor64,
  shape: readonly number[],
  steps: readonly number[] = [],
  i: number,
): number {
  let rest = i;
  let offset = 0;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    const length = shape[axis] ?? 1;
    offset += (rest % length) * (steps[axis] ?? 0);
    rest = Math.floor(rest / length);
  }
  return data[offset] ?? NaN;
}

function alongAxis(of: (row: readonly number[]) => readonly number[]): Operator {
  return ([x], { attributes }) => [rows(required(x), int(attributes, 'axis'), of)];
}

/** Lines along an axis, each as a function of itself. */
function rows(
  x: Tensor64,
  axis: number,
  of: (row: readonly number[]) => readonly number[],
): Tensor64 {
  const along = axis < 0 ? axis + x.shape.length : axis;
  const result = { shape: x.shape, data: new Float64Array(x.data.length) };
  for (const start of placesOf(x.shape.with(along, 1))) {
    const places = Array.from({ length: x.shape[along] ?? 0 }, (_, i) => start.with(along, i));
    const line = of(places.map((place) => at(x, place)));
    places.forEach((place, i) => (result.data[offsetOf(x.shape, place)] = line[i] ?? NaN));
  }
  return result;
}

function reduction(of: (values: readonly number[]) => number): Operator {
  return ([x, axes], { attributes }) => {
    const { shape, data } = required(x);
    if (required(axes).data.length === shape.length && int(attributes, 'keepdims') === 0) {
      return [{ shape: [], data: Float64Array.of(of(Array.from(data))) }];
    }
    const reduced = Array.from(required(axes).data, (axis) => (axis + shape.length) % shape.length);
    const kept = shape.map((length, axis) => (reduced.includes(axis) ? 1 : length));
    const inner = shape.map((length, axis) => (reduced.includes(axis) ? length : 1));
    const y = build(kept, (place) =>
      of(
        placesOf(inner).map((offset) =>
          at(
            required(x),
            place.map((i, axis) => i + (offset[axis] ?? 0)),
          ),
        ),
      ),
    );
    if (int(attributes, 'keepdims') === 1) return [y];
    return [{ shape: shape.filter((_, axis) => !reduced.includes(axis)), data: y.data }];
  };
}

function product(a: Tensor64, b: Tensor64): Tensor64 {
  const batch = broadcastShape([a.shape.slice(0, -2), b.shape.slice(0, -2)]);
  const K = a.shape.at(-1) ?? 0;
  const shape = [...batch, a.shape.at(-2) ?? 0, b.shape.at(-1) ?? 0];
  return build(shape, (place) => {
    const [outer, row, column] = [place.slice(0, -2), place.at(-2) ?? 0, place.at(-1) ?? 0];
    let sum = 0;
    for (let k = 0; k < K; k++) sum += at(a, [...outer, row, k]) * at(b, [...outer, k, column]);
    return sum;
  });
}

function transposed(x: Tensor64, perm: readonly number[]): Tensor64 {
  return build(
    perm.map((axis) => x.shape[axis] ?? 0),
    (place) =>
      at(
        x,
        perm.map((_, axis) => place[perm.indexOf(axis)] ?? 0),
      ),
  );
}

function slicedIndices(length: number, start: number, end: number, step: number): number[] {
  const clamp = (index: number, low: number, high: number): number =>
    Math.min(Math.max(index < 0 ? index + length : index, low), high);
  const indices: number[] = [];
  if (step > 0) {
    for (let i = clamp(start, 0, length); i < clamp(end, 0, length); i += step) indices.push(i);
  } else {
    for (let i = clamp(start, 0, length - 1); i > clamp(end, -1, length - 1); i += step)
      indices.push(i);
  }
  return indices;
}

function fromStart(index: number, length = 0): number {
  return index < 0 ? index + length : index;
}

function broadcastShape(shapes: readonly (readonly number[])[]): readonly number[] {
  const rank = Math.max(...shapes.map(({ length }) => length));
  return Array.from({ length: rank }, (_, axis) => {
    const lengths = shapes.map((shape) => shape[axis - rank + shape.length] ?? 1);
    return lengths.find((length) => length !== 1) ?? 1;
  });
}

function placesOf(shape: readonly number[]): readonly (readonly number[])[] {
  return shape.reduce<readonly (readonly number[])[]>(
    (places, length) =>
      places.flatMap((place) => Array.from({ length }, (_, index) => [...place, index])),
    [[]],
  );
}

function build(shape: readonly number[], of: (place: readonly number[]) => number): Tensor64 {
  return { shape, data: Float64Array.from(placesOf(shape), of) };
}

/** An element, of a tensor that may broadcast to where the place is. */
function at({ shape, data }: Tensor64, place: readonly number[]): number {
  const own = place.slice(place.length - shape.length);
  return (
    data[
      offsetOf(
        shape,
        own.map((index, axis) => (shape[axis] === 1 ? 0 : index)),
      )
    ] ?? NaN
  );
}

function offsetOf(shape: readonly number[], place: readonly number[]): number {
  return shape.reduce((offset, length, axis) => offset * length + (place[axis] ?? 0), 0);
}

function required<T>(value: T | undefined): T {
  if (value === undefined) throw new Error('an operator lacks an input');
  return value;
}
