import { type KnownReads, mayBeTrue, referenceKey } from '../plan/expression-truth.ts';
import type { Expression, Reference } from '../plan/expressions.ts';
import { STATUS_FUNCTIONS } from '../plan/expression-syntax.ts';
import type { JsonObject, JsonValue } from '../plan/json.ts';
import type { StepId } from '../plan/plan.ts';
import { referenceType } from './context-schema.ts';
import type { Pipeline } from './pipeline.ts';
import type { ValueSchema } from './schema.ts';
import { tellingNumbers } from './telling-numbers.ts';

/** What can have become of the steps before one, when its `if` is evaluated. */
export interface Before {
  /** Every need can have succeeded. */
  readonly canSucceed: boolean;
  /** A step that this one depends on can have failed. */
  readonly canFail: boolean;
  readonly canBeCancelled?: boolean;
  /** The `if` is taken as `always() && (...)`. */
  readonly isAlways?: boolean;
  /** `always()` is taken to be false too, which it never is. */
  readonly canAlwaysBeFalse?: boolean;
  /** Needs that no run starts: `skipped` is all they can be. */
  readonly skipped: ReadonlySet<StepId>;
}

/** Beyond so many combinations of what an `if` reads, the rest counts as unknown. */
const MAX_COMBINATIONS = 512;

/**
 * Whether some run can find the `if` of a step true: tried for every state of the steps before it and
 * every value of what has few (results, booleans, words of an enum), and for numbers of params that
 * are compared alone those that tell. Other numbers, and texts, are unknown.
 *
 * @param expression undefined for a step without an `if`
 */
export function canBeTrue(
  expression: Expression | undefined,
  before: Before,
  pipeline: Pipeline,
  contexts: ValueSchema,
): boolean {
  const statuses = statusesOf(before);
  const isAny = before.isAlways === true || hasStatusFunction(expression);
  const asked = isAny ? statuses : statuses.filter(({ success }) => success);
  if (expression === undefined) return asked.length > 0;
  return asked.some((status) =>
    combinations(readsOf(expression, status, before, pipeline, contexts)).some((reads) =>
      mayBeTrue(expression, new Map([...reads, ...functionsOf(status)])),
    ),
  );
}

/** Whether an `if` is false by its literals and constants alone, whatever it reads beside them. */
export function isSwitchedOff(expression: Expression, pipeline: Pipeline): boolean {
  return !mayBeTrue(expression, new Map(constantsOf(expression, pipeline)));
}

export function hasStatusFunction(expression: Expression | undefined): boolean {
  return (expression?.functions ?? []).some(({ name }) =>
    STATUS_FUNCTIONS.some((status) => status === name),
  );
}

interface Status {
  readonly success: boolean;
  readonly failure: boolean;
  readonly cancelled: boolean;
  readonly always: boolean;
}

/** A failed step before this one rules success out; a failure elsewhere in the run does so too. */
function statusesOf(before: Before): readonly Status[] {
  const { canSucceed, canFail, canBeCancelled, canAlwaysBeFalse } = before;
  const neither = { success: false, failure: false, cancelled: false, always: true };
  const found = [neither];
  if (canSucceed) found.push({ ...neither, success: true });
  if (canFail) found.push({ ...neither, failure: true });
  if (canBeCancelled === true) found.push(...found.map((each) => ({ ...each, cancelled: true })));
  if (canAlwaysBeFalse === true) found.push(...found.map((each) => ({ ...each, always: false })));
  return found;
}

function functionsOf(status: Status): KnownReads {
  return new Map(Object.entries(status).map(([name, value]) => [`${name}()`, value]));
}

type Choices = ReadonlyMap<string, readonly JsonValue[]>;

/** The values that each read of few values can have. */
function readsOf(
  expression: Expression,
  status: Status,
  before: Before,
  pipeline: Pipeline,
  contexts: ValueSchema,
): Choices {
  const choices = new Map<string, readonly JsonValue[]>();
  for (const [key, value] of constantsOf(expression, pipeline)) choices.set(key, [value]);
  for (const [key, values] of tellingNumbers(expression, contexts)) choices.set(key, values);
  for (const reference of expression.references) {
    const key = referenceKey(reference);
    const values = key === undefined ? undefined : valuesOf(reference, status, before, contexts);
    if (key !== undefined && values !== undefined) choices.set(key, values);
  }
  return choices;
}

function valuesOf(
  reference: Reference,
  { success, failure }: Status,
  { skipped }: Before,
  contexts: ValueSchema,
): readonly JsonValue[] | undefined {
  const { context, path } = reference;
  const type = referenceType(contexts, reference);
  const values = type.ok ? fewValues(type.schemas) : undefined;
  if (context !== 'steps') return values;
  const [id, part] = path.map((segment) => (segment.kind === 'name' ? segment.name : ''));
  const isResult = part === 'result';
  if (id !== undefined && skipped.has(id)) {
    return isResult ? ['skipped'] : path.length > 2 ? [null] : undefined;
  }
  if (values === undefined) return undefined;
  // An output of a step that has none reads null.
  if (!isResult) return [...values, null];
  if (success) return ['success'];
  return failure ? values : values.filter((value) => value !== 'failure');
}

function fewValues(schemas: readonly ValueSchema[]): readonly JsonValue[] | undefined {
  const all = schemas.map(({ enum: words, type }) =>
    type === 'boolean' && words === undefined ? [true, false] : words,
  );
  return all.every((values) => values !== undefined) ? all.flat() : undefined;
}

/** What the expression reads of `env` and the pipeline's name. */
function constantsOf(
  { references }: Expression,
  { env, name }: Pipeline,
): readonly (readonly [string, JsonValue])[] {
  const constants: JsonObject = { env, run: { name } };
  return references.flatMap((reference) => {
    const key = referenceKey(reference);
    const names = reference.path.map((segment) => (segment.kind === 'name' ? segment.name : ''));
    const value = valueAt(constants, [reference.context, ...names]);
    // The engine compares maps and lists by identity.
    const isPlain = value === null || (value !== undefined && typeof value !== 'object');
    return key !== undefined && isPlain ? [[key, value]] : [];
  });
}

function valueAt(value: JsonValue, path: readonly string[]): JsonValue | undefined {
  return path.reduce<JsonValue | undefined>((owner, name) => {
    if (owner === null || typeof owner !== 'object' || !Object.hasOwn(owner, name))
      return undefined;
    return (owner as JsonObject)[name];
  }, value);
}

/** Every choice of one value a key; keys that would make too many of them are left out. */
function combinations(choices: Choices): readonly KnownReads[] {
  let all: readonly KnownReads[] = [new Map()];
  const fewestFirst = [...choices].sort(([, a], [, b]) => a.length - b.length);
  for (const [key, values] of fewestFirst) {
    if (all.length * values.length > MAX_COMBINATIONS) continue;
    all = all.flatMap((reads) => values.map((value) => new Map([...reads, [key, value]])));
  }
  return all;
}
