import { int } from '../../../training/graph/attributes.ts';
import type { Node } from '../../../training/graph/graph.ts';
import type { Tensor64 } from './float64.ts';

/** An operator's outputs. */
export type Operator = (inputs: readonly Tensor64[], node: Node) => readonly Tensor64[];

// A place is a list of indices, row-major.

export function elementwise(of: (...operands: number[]) => number): Operator {
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

export function alongAxis(of: (row: readonly number[]) => readonly number[]): Operator {
  return ([x], { attributes }) => [rows(required(x), int(attributes, 'axis'), of)];
}

/** Lines along an axis, each as a function of itself. */
export function rows(
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

export function reduction(of: (values: readonly number[]) => number): Operator {
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

export function product(a: Tensor64, b: Tensor64): Tensor64 {
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

export function transposed(x: Tensor64, perm: readonly number[]): Tensor64 {
  return build(
    perm.map((axis) => x.shape[axis] ?? 0),
    (place) =>
      at(
        x,
        perm.map((_, axis) => place[perm.indexOf(axis)] ?? 0),
      ),
  );
}

export function slicedIndices(length: number, start: number, end: number, step: number): number[] {
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

export function fromStart(index: number, length = 0): number {
  return index < 0 ? index + length : index;
}

export function broadcastShape(shapes: readonly (readonly number[])[]): readonly number[] {
  const rank = Math.max(...shapes.map(({ length }) => length));
  return Array.from({ length: rank }, (_, axis) => {
    const lengths = shapes.map((shape) => shape[axis - rank + shape.length] ?? 1);
    return lengths.find((length) => length !== 1) ?? 1;
  });
}

export function placesOf(shape: readonly number[]): readonly (readonly number[])[] {
  return shape.reduce<readonly (readonly number[])[]>(
    (places, length) =>
      places.flatMap((place) => Array.from({ length }, (_, index) => [...place, index])),
    [[]],
  );
}

export function build(
  shape: readonly number[],
  of: (place: readonly number[]) => number,
): Tensor64 {
  return { shape, data: Float64Array.from(placesOf(shape), of) };
}

/** An element, of a tensor that may broadcast to where the place is. */
export function at({ shape, data }: Tensor64, place: readonly number[]): number {
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

export function offsetOf(shape: readonly number[], place: readonly number[]): number {
  return shape.reduce((offset, length, axis) => offset * length + (place[axis] ?? 0), 0);
}

export function required<T>(value: T | undefined): T {
  if (value === undefined) throw new Error('an operator lacks an input');
  return value;
}
