import type { JsonObject, JsonValue } from '../../plan/json.ts';
import { isDeeper, MAX_DEPTH } from '../../plan/json-depth.ts';
import { quote } from '../located.ts';
import type { ParamDeclaration } from '../params.ts';
import { paramProblem } from '../params.ts';
import type { Patterns } from '../pattern.ts';
import type { Reporter } from '../reporter.ts';
import type { Range } from '../source-text.ts';
import { suggestion } from '../suggestion.ts';

export interface LocatedParam {
  readonly range: Range;
  /** Undefined when it could not be read. */
  readonly declaration?: ParamDeclaration;
}

interface GivenParams {
  readonly params: JsonObject;
  /** False when a file is checked alone: then no param has to be given. */
  readonly isSubmission: boolean;
  readonly patterns: Patterns;
}

/**
 * Rule `param-value`: what a submission gives, beside what the file declares; the place is that of
 * the declaration.
 *
 * @returns the value of each param, given or default
 */
export function resolveParams(
  params: ReadonlyMap<string, LocatedParam>,
  { params: given, isSubmission, patterns }: GivenParams,
  reporter: Reporter,
): ReadonlyMap<string, JsonValue> {
  const values = new Map<string, JsonValue>();
  for (const name of Object.keys(given)) {
    if (params.has(name)) continue;
    reporter.error('param-value', { start: 0, end: 0 }, unknownParam(name, params));
  }
  for (const [name, { declaration, range }] of params) {
    if (declaration === undefined) continue;
    const value = Object.hasOwn(given, name) ? given[name] : declaration.default;
    if (value === undefined) {
      if (isSubmission) {
        const message = `param ${quote(name)} has no default and was not given; submit with {"params": {"${name}": ...}} or -p ${name}=...`;
        reporter.error('param-value', range, message);
      }
      continue;
    }
    const problem = Object.hasOwn(given, name)
      ? (jsonProblem(value) ?? paramProblem(declaration, value, patterns))
      : undefined;
    if (problem === undefined) values.set(name, value);
    else reporter.error('param-value', range, `param ${quote(name)} was given as ${problem}`);
  }
  return values;
}

/** What text could not say: `parseYamlValue` refuses the same. */
function jsonProblem(value: JsonValue): string | undefined {
  if (isDeeper(value, MAX_DEPTH)) {
    return `a list that nests more than ${MAX_DEPTH} levels deep; flatten it`;
  }
  return hasKey(value, '__proto__')
    ? "a list with the key '__proto__' in it, which cannot be a key; choose another name"
    : undefined;
}

function hasKey(value: JsonValue, key: string): boolean {
  if (value === null || typeof value !== 'object') return false;
  return Object.hasOwn(value, key) || Object.values(value).some((item) => hasKey(item, key));
}

export function unknownParam(name: string, params: ReadonlyMap<string, LocatedParam>): string {
  return params.size === 0
    ? `param ${quote(name)} was given, but the pipeline has no params; leave it out`
    : `unknown param ${quote(name)} was given; ${suggestion(name, [...params.keys()])}`;
}
