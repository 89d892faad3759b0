import type { JsonValue } from '../plan/json.ts';
import { describeFound, plainText, quote } from './located.ts';
import { type ParsedValue, parseYamlValue } from './parse.ts';
import type { Patterns } from './pattern.ts';
import type { ValueSchema } from './schema.ts';
import { describeSchema } from './schema.ts';
import { closest } from './suggestion.ts';

export const PARAM_TYPES = ['string', 'integer', 'number', 'boolean', 'list'] as const;
export type ParamType = (typeof PARAM_TYPES)[number];

/** One param of a pipeline: `rows: 1000`, or `rows: { type: integer, default: 1000, ... }`. */
export interface ParamDeclaration {
  readonly name: string;
  readonly type: ParamType;
  /** The type was not written: it is that of the default. */
  readonly isTypeInferred: boolean;
  /** Without one the param has to be given. */
  readonly default?: JsonValue;
  readonly description?: string;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly enum?: readonly JsonValue[];
  readonly pattern?: string;
}

export const SCHEMA_TYPES = {
  string: 'string',
  integer: 'integer',
  number: 'number',
  boolean: 'boolean',
  list: 'array',
} as const satisfies Record<ParamType, string>;

/** The values that a param may have. */
export function paramSchema(declaration: ParamDeclaration): ValueSchema {
  const { type, minimum, maximum, enum: values, pattern } = declaration;
  return {
    type: SCHEMA_TYPES[type],
    ...(type === 'list' && { items: {} }),
    ...(minimum !== undefined && { minimum }),
    ...(maximum !== undefined && { maximum }),
    ...(values !== undefined && { enum: values }),
    ...(pattern !== undefined && { pattern }),
  };
}

/** What is wrong with a value for a param: `'many', a string; expected an integer`. */
export function paramProblem(
  declaration: ParamDeclaration,
  value: JsonValue,
  patterns: Patterns,
): string | undefined {
  const { pattern } = declaration;
  const expected = (): string => `expected ${describeSchema(paramSchema(declaration))}`;
  if (!isAllowed(declaration, value)) {
    return `${describeFound(value)}; ${expected()}${remedy(declaration, value)}`;
  }
  if (pattern === undefined || typeof value !== 'string') return undefined;
  const mismatch = patterns.mismatch(pattern, value, expected());
  return mismatch && `${describeFound(value)}; ${mismatch}`;
}

/**
 * The value that text from a command line stands for: text itself for a string param, YAML for
 * the others (`5e-5`, `true`, `[1, 2]`).
 */
export function parseParamText(
  declaration: ParamDeclaration,
  text: string,
  patterns: Patterns,
):
  | { readonly ok: true; readonly value: JsonValue }
  | { readonly ok: false; readonly message: string } {
  const { name, type } = declaration;
  const parsed: ParsedValue = type === 'string' ? { ok: true, value: text } : parseYamlValue(text);
  if (!parsed.ok) {
    return { ok: false, message: `param ${quote(name)} is ${quote(text)}: ${parsed.message}` };
  }
  const { value } = parsed;
  const problem = paramProblem(declaration, value, patterns);
  if (problem === undefined) return { ok: true, value };
  return { ok: false, message: `param ${quote(name)} is ${problem}` };
}

export function isOfType(type: ParamType, value: JsonValue): boolean {
  switch (type) {
    case 'string':
      return typeof value === 'string';
    case 'integer':
      return Number.isSafeInteger(value);
    case 'number':
      return typeof value === 'number' && Number.isFinite(value);
    case 'boolean':
      return typeof value === 'boolean';
    case 'list':
      return Array.isArray(value);
  }
}

/** Whether a value is allowed, but for a pattern. */
function isAllowed(declaration: ParamDeclaration, value: JsonValue): boolean {
  const { type, minimum, maximum, enum: values } = declaration;
  if (!isOfType(type, value)) return false;
  if (values !== undefined && !values.includes(value)) return false;
  if (typeof value !== 'number') return true;
  return value >= (minimum ?? -Infinity) && value <= (maximum ?? Infinity);
}

function remedy(declaration: ParamDeclaration, value: JsonValue): string {
  const { type, isTypeInferred, default: fallback = null, enum: values = [] } = declaration;
  if (isOfType(type, value)) {
    const near = closest(plainText(value), values.map(plainText));
    return near === undefined ? '' : `; did you mean ${quote(near)}?`;
  }
  if (isTypeInferred && type === 'integer' && typeof value === 'number') {
    return `, as its default ${plainText(fallback)} is one; declare { type: number, default: ${plainText(fallback)} }`;
  }
  if (type !== 'string' && typeof value === 'string') {
    const parsed = parseYamlValue(value);
    return parsed.ok && isOfType(type, parsed.value) ? `; write ${value} without quotes` : '';
  }
  return type === 'string' && value !== null && typeof value !== 'object'
    ? `; write '${String(value)}' in quotes`
    : '';
}
