import type { JsonObject, JsonValue } from '../plan/json.ts';
import type { Plan, SubmissionOptions } from '../plan/plan.ts';
import { kindName } from './catalog.ts';
import { describeFound, quote } from './located.ts';
import type { PipelineText } from './source.ts';
import { suggestion } from './suggestion.ts';

const EXPECTED = {
  params: 'a map of params, such as {"rows": 500}',
  from: "a step's id",
  force: 'true or false',
  source_name: "a file's name",
  step_sources: "a map of a kind's name to the digest of its source",
} as const;

/** Characters of a name: each diagnostic has the file's. */
const MAX_TEXT = 1000;

/**
 * Reads the second argument of a submission: JSON as bytes, as text, or as an object; none is `{}`.
 *
 * @returns the message that refuses it, when it is not that
 */
export function parseOptions(
  raw: PipelineText | JsonValue | undefined,
):
  | { readonly ok: true; readonly options: SubmissionOptions }
  | { readonly ok: false; readonly message: string } {
  const value = raw instanceof Uint8Array || typeof raw === 'string' ? parseJson(raw) : raw;
  if (value === null || value === undefined) return { ok: true, options: {} };
  if (value instanceof SyntaxError) {
    return refuse('the options are not JSON; expected {"params": {...}}');
  }
  if (!isJsonObject(value)) {
    return refuse(
      `the options are ${describeFound(value)}; expected a map such as {"params": {...}}`,
    );
  }
  for (const [key, item] of Object.entries(value)) {
    if (!isOption(key)) {
      return refuse(`unknown option ${quote(key)}; ${suggestion(key, Object.keys(EXPECTED))}`);
    }
    if (!isOfOption(key, item)) {
      return refuse(`option ${quote(key)} is ${describeFound(item)}; expected ${EXPECTED[key]}`);
    }
    if (typeof item === 'string' && item.length > MAX_TEXT) {
      return refuse(
        `option ${quote(key)} has ${item.length} characters; expected at most ${MAX_TEXT}`,
      );
    }
  }
  return { ok: true, options: value };
}

/** What is wrong with `from`, which only the plan can tell. */
export function fromProblem({ from }: SubmissionOptions, { steps }: Plan): string | undefined {
  if (from === undefined || steps.some(({ id }) => id === from)) return undefined;
  const ids = steps.map(({ id }) => id);
  return `option 'from' names the unknown step ${quote(from)}; ${suggestion(from, ids)}`;
}

/** That the worker loaded other code of a kind of a user's own than the command that submitted. */
export function sourceProblem(
  { step_sources: expected = {} }: SubmissionOptions,
  { steps }: Plan,
): string | undefined {
  const stale = steps.find(({ kind, version, source }) => {
    const digest = expected[kindName({ kind, version })];
    return digest !== undefined && digest !== source;
  });
  return (
    stale &&
    `the worker has other code of ${kindName(stale)} than the file given here: ` +
      'start every worker again with the same --steps files, then submit again'
  );
}

function refuse(message: string): { readonly ok: false; readonly message: string } {
  return { ok: false, message };
}

function parseJson(raw: Uint8Array | string): JsonValue | SyntaxError {
  try {
    const text =
      typeof raw === 'string' ? raw : new TextDecoder('utf-8', { fatal: true }).decode(raw);
    return text.trim() === '' ? null : (JSON.parse(text) as JsonValue);
  } catch (error) {
    return error instanceof SyntaxError ? error : new SyntaxError('not UTF-8', { cause: error });
  }
}

function isJsonObject(value: JsonValue): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isOption(key: string): key is keyof typeof EXPECTED {
  return Object.hasOwn(EXPECTED, key);
}

function isOfOption(key: keyof typeof EXPECTED, value: JsonValue): boolean {
  switch (key) {
    case 'params':
      return isJsonObject(value);
    case 'step_sources':
      return (
        isJsonObject(value) && Object.values(value).every((digest) => typeof digest === 'string')
      );
    case 'force':
      return typeof value === 'boolean';
    case 'from':
    case 'source_name':
      return typeof value === 'string' && value !== '';
  }
}
