import type { z } from 'zod';
import { inputProblems } from '../language/input-problems.ts';
import { describeFound, quote } from '../language/located.ts';
import { describeSchemas, keysOf, schemasAt, valueSchema } from '../language/schema.ts';
import type { Hole, InputPath } from '../language/step-inputs.ts';
import { suggestion } from '../language/suggestion.ts';
import { inputName } from '../language/wiring.ts';
import { isWithin, type JsonValue } from '../plan/json.ts';

export interface Unsaid {
  /** Where values are not known: nothing is said of what is there. */
  readonly unknown?: readonly InputPath[];
  /** Where secrets are: what is there is not shown. */
  readonly secret?: readonly InputPath[];
}

/** What of an object does not fit a schema, as the checks of a pipeline say it: found, expected, remedy. */
export function schemaProblems(
  schema: z.ZodType,
  value: object,
  { unknown = [], secret = [] }: Unsaid = {},
): readonly string[] {
  const shape = valueSchema(schema, 'input');
  return inputProblems(schema, { value, holes: unknown.map(holeAt) }).map((problem) => {
    const { path } = problem;
    const name = quote(path.length === 0 ? 'with' : inputName(path));
    const expected = schemasAt(shape, path);
    switch (problem.kind) {
      case 'unknown': {
        const owner = path.length === 0 ? '' : ` in ${name}`;
        const known = expected.flatMap((at) => keysOf(at) ?? []);
        return `unknown key ${quote(problem.key)}${owner}; ${suggestion(problem.key, known)}`;
      }
      case 'missing': {
        const wanted = expected[0]?.example ?? describeSchemas(expected);
        return `${name} is missing; ${problem.message ?? `expected ${wanted}`}`;
      }
      case 'invalid': {
        const wanted = problem.message ?? `expected ${describeSchemas(expected)}`;
        const isSecret = secret.some((at) => isWithin(at, path) || isWithin(path, at));
        return `${name} is ${isSecret ? 'a secret' : describeValue(problem.found)}; ${wanted}`;
      }
      case 'threw':
        throw problem.cause;
    }
  });
}

function holeAt(path: InputPath): Hole {
  return { path, range: { start: 0, end: 0 }, text: '', schemas: [] };
}

/** Any value of JavaScript, as messages name what was found. */
export function describeValue(value: unknown): string {
  switch (typeof value) {
    case 'undefined':
    case 'bigint':
    case 'symbol':
      return String(value);
    case 'function':
      return 'a function';
    case 'object':
      if (value === null) return 'null';
      return isPlain(value) ? describeFound(value as JsonValue) : `a ${value.constructor.name}`;
    case 'number':
      return String(value);
    default:
      return describeFound(value as JsonValue);
  }
}

/** The first part of a value that JSON would change or leave out, as messages say it. */
export function notJson(value: unknown, path: readonly (string | number)[]): string | undefined {
  if (value === null || isJsonScalar(value)) return undefined;
  if (typeof value !== 'object' || !isPlain(value)) {
    return `${quote(inputName(path))} is ${describeValue(value)}, which JSON cannot hold`;
  }
  for (const [key, item] of Object.entries(value)) {
    const problem = notJson(item, [...path, Array.isArray(value) ? Number(key) : key]);
    if (problem !== undefined) return problem;
  }
  return undefined;
}

/** The first part of a value that holds itself: JSON, and whoever goes through it, finds no end. */
export function circularPart(
  value: unknown,
  path: readonly (string | number)[],
  above: readonly object[] = [],
): string | undefined {
  if (typeof value !== 'object' || value === null || !isPlain(value)) return undefined;
  if (above.includes(value)) {
    return `${quote(inputName(path))} holds itself through what it holds, which JSON cannot do`;
  }
  for (const [key, item] of Object.entries(value)) {
    const at = [...path, Array.isArray(value) ? Number(key) : key];
    const problem = circularPart(item, at, [...above, value]);
    if (problem !== undefined) return problem;
  }
  return undefined;
}

function isJsonScalar(value: unknown): boolean {
  return (
    typeof value === 'string' ||
    typeof value === 'boolean' ||
    (typeof value === 'number' && Number.isFinite(value))
  );
}

function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  return Array.isArray(value) || prototype === Object.prototype || prototype === null;
}
