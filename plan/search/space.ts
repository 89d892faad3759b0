import type { JsonObject, JsonValue } from '../json.ts';
import type { InputPlace, SearchParameter } from './strategy.ts';

/** Digits of a number that is drawn: it can be read, and its last bit hangs on no library. */
const DIGITS = 6;

/** A parameter with an end to its range, for what computes with it. */
export type Range = SearchParameter & { readonly kind: 'range' };

/**
 * Where a range's numbers lie evenly: of log_uniform the logarithms, of int half a step more at
 * both ends.
 */
export function scaleOf({ min, max, distribution }: Range): {
  readonly low: number;
  readonly high: number;
} {
  if (distribution === 'log_uniform') return { low: Math.log(min), high: Math.log(max) };
  return distribution === 'int' ? { low: min - 0.5, high: max + 0.5 } : { low: min, high: max };
}

/** A number's place on the scale of its range. */
export function onScale({ distribution }: Range, value: number): number {
  return distribution === 'log_uniform' ? Math.log(value) : value;
}

/** The number at a place on the scale, within the range. */
export function fromScale({ min, max, distribution }: Range, place: number): number {
  const value = distribution === 'log_uniform' ? Math.exp(place) : place;
  const rounded = distribution === 'int' ? Math.round(value) : Number(value.toPrecision(DIGITS));
  return Math.min(max, Math.max(min, rounded));
}

/** A value of the parameter by chance alone. */
export function drawn(parameter: SearchParameter, draw: () => number): JsonValue {
  if (parameter.kind === 'values') {
    const { values } = parameter;
    return values[Math.floor(draw() * values.length)] ?? null;
  }
  const { low, high } = scaleOf(parameter);
  return fromScale(parameter, low + draw() * (high - low));
}

/** How many combinations there are; Infinity with a range of real numbers. */
export function gridSize(parameters: readonly SearchParameter[]): number {
  return parameters.reduce((product, parameter) => product * valueCount(parameter), 1);
}

/** How many values a parameter has. */
export function valueCount(parameter: SearchParameter): number {
  if (parameter.kind === 'values') return parameter.values.length;
  return parameter.distribution === 'int' ? parameter.max - parameter.min + 1 : Infinity;
}

/** The combination at a place, from 0; the last parameter changes fastest. */
export function gridPoint(
  parameters: readonly SearchParameter[],
  place: number,
): readonly JsonValue[] {
  const point: JsonValue[] = [];
  let rest = place;
  for (const parameter of parameters.toReversed()) {
    const count = valueCount(parameter);
    const index = rest % count;
    rest = Math.floor(rest / count);
    point.unshift(
      parameter.kind === 'values' ? (parameter.values[index] ?? null) : parameter.min + index,
    );
  }
  return point;
}

/** Inputs with another value at a place; maps on the way there are made. */
export function withInput(inputs: JsonObject, place: InputPlace, value: JsonValue): JsonObject {
  const [key, ...rest] = place;
  if (key === undefined) return inputs;
  const inner = Object.hasOwn(inputs, key) ? inputs[key] : undefined;
  const map = isMap(inner) ? inner : {};
  return { ...inputs, [key]: rest.length === 0 ? value : withInput(map, rest, value) };
}

/** The value at a place, or at a path of names written with points. */
export function valueAt(value: JsonValue, place: InputPlace): JsonValue | undefined {
  return place.reduce<JsonValue | undefined>(
    (found, key) => (isMap(found) && Object.hasOwn(found, key) ? found[key] : undefined),
    value,
  );
}

function isMap(value: JsonValue | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
