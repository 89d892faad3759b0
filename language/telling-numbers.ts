import { toExpressionData } from '../plan/expression-data.ts';
import { referenceKey } from '../plan/expression-truth.ts';
import type { Expression, Reference } from '../plan/expressions.ts';
import type { JsonValue } from '../plan/json.ts';
import { referenceType } from './context-schema.ts';
import type { ValueSchema } from './schema.ts';

/**
 * For each number param that an expression only compares with literals, numbers that stand for all
 * that it can be: each of the literals, the bounds, and one between any two of them.
 */
export function tellingNumbers(
  { references, comparisons }: Expression,
  contexts: ValueSchema,
): ReadonlyMap<string, readonly number[]> {
  const literals = new Map(comparisons.map(({ reference, value }) => [reference, value]));
  const found = new Map<string, { readonly reference: Reference; readonly values: JsonValue[] }>();
  const unknown = new Set<string>();
  for (const reference of references) {
    if (reference.context !== 'params') continue;
    const key = referenceKey(reference);
    // Its path is known at run time only: it may be any of them.
    if (key === undefined) return new Map();
    const value = literals.get(reference);
    if (value === undefined) unknown.add(key);
    else if (found.has(key)) found.get(key)?.values.push(value);
    else found.set(key, { reference, values: [value] });
  }
  return new Map(
    [...found].flatMap(([key, { reference, values }]) => {
      const read = unknown.has(key) ? undefined : referenceType(contexts, reference);
      const [schema] = read?.ok === true ? read.schemas : [];
      const numbers = schema && numbersOf(schema, values);
      return numbers === undefined ? [] : [[key, numbers] as const];
    }),
  );
}

function numbersOf(
  { type, minimum, maximum }: ValueSchema,
  values: readonly JsonValue[],
): readonly number[] | undefined {
  const isInteger = type === 'integer';
  if (!isInteger && type !== 'number') return undefined;
  const largest = isInteger ? Number.MAX_SAFE_INTEGER : Number.MAX_VALUE;
  const [lowest, highest] = [minimum ?? -largest, maximum ?? largest];
  // As the engine compares: a text that is no number equals none.
  const literals = values.map((value) => toExpressionData(value).number()).filter(Number.isFinite);
  const points = [...new Set([lowest, ...literals, highest])].sort((a, b) => a - b);
  const all = isInteger ? points.flatMap(integersNear) : [...points, ...between(points)];
  return [...new Set(all)].filter(
    (value) => value >= lowest && value <= highest && (!isInteger || Number.isSafeInteger(value)),
  );
}

function integersNear(point: number): readonly number[] {
  const [below, above] = [Math.floor(point), Math.ceil(point)];
  return [above - 1, below, above, below + 1];
}

function between(points: readonly number[]): readonly number[] {
  return points.slice(1).map((point, index) => (points[index] ?? 0) / 2 + point / 2);
}
