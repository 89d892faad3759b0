import { evaluateTemplate } from './expressions.ts';
import type { JsonValue } from './json.ts';
import type { Plan, RunState } from './plan.ts';

/** Search attributes of runs, by which Temporal's tools filter, with Temporal's types. */
export const SEARCH_ATTRIBUTES = {
  /** The pipeline's name. */
  RetunePipeline: 'KEYWORD',
  /** As `retune show` says it: unlike Temporal's own status it tells a paused run. */
  RetuneStatus: 'KEYWORD',
  /** `NAME=VALUE` of each param that is a text, number or boolean. */
  RetuneParams: 'KEYWORD_LIST',
  /** Names of the models that the pipeline registers. */
  RetuneModels: 'KEYWORD_LIST',
} as const;

export type SearchAttribute = keyof typeof SEARCH_ATTRIBUTES;

/** Characters of one value; Temporal's SQL databases take 255. */
const MAX_CHARACTERS = 200;
/** Characters of a list: Temporal takes 2 KB a value, and UTF-8 needs up to 3 bytes for one. */
const MAX_LIST_CHARACTERS = 600;

/** What a run says of itself now. */
export function searchAttributesOf(
  plan: Plan,
  { name, status }: RunState,
): Readonly<Record<SearchAttribute, string | readonly string[]>> {
  return {
    RetunePipeline: name.slice(0, MAX_CHARACTERS),
    RetuneStatus: status,
    RetuneParams: fitting(
      Object.entries(plan.params).flatMap(([param, value]) =>
        isScalar(value) ? [`${param}=${value}`] : [],
      ),
    ),
    RetuneModels: fitting(modelNames(plan)),
  };
}

/** Those that fit, in their order. A value that is cut would be found by nobody. */
function fitting(values: readonly string[]): readonly string[] {
  let room = MAX_LIST_CHARACTERS;
  return [...new Set(values)].filter((value) => {
    if (value.length > Math.min(room, MAX_CHARACTERS)) return false;
    room -= value.length;
    return true;
  });
}

function modelNames({ steps, params, env }: Plan): readonly string[] {
  return steps.flatMap(({ kind, with: inputs }) => {
    if (kind !== 'register' || inputs['name'] === undefined) return [];
    try {
      const name = evaluateTemplate(inputs['name'], { params, env });
      return typeof name === 'string' ? [name] : [];
    } catch {
      // One that follows from a step or a matrix is not known yet.
      return [];
    }
  });
}

function isScalar(value: JsonValue): value is string | number | boolean {
  return ['string', 'number', 'boolean'].includes(typeof value);
}
