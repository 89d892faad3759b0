import { evaluateTemplate } from './expressions.ts';
import type { JsonObject, JsonValue } from './json.ts';
import type { MatrixStrategy, PlanStep, RunState, StepId, StepState } from './plan.ts';
import { hasEnded, stepState, type StepEvent } from './run-state.ts';

/** Of one matrix, before `exclude` and with `include`. */
export const MAX_MATRIX_ENTRIES = 10_000;
/** Longer texts are named by their place. */
const MAX_SHOWN_TEXT = 40;

/** One combination of a matrix: a step of its own. */
export interface MatrixEntry {
  /** `tune (learning_rate=5e-5, seed=1)`. */
  readonly id: StepId;
  readonly values: JsonObject;
}

export interface MatrixStep extends PlanStep {
  readonly strategy: MatrixStrategy;
}

export function hasMatrix(step: PlanStep): step is MatrixStep {
  return step.strategy !== undefined;
}

/** A matrix whose expressions have values. */
interface MatrixValues {
  readonly matrix: { readonly [dimension: string]: JsonValue };
  readonly include?: JsonValue;
  readonly exclude?: JsonValue;
}

/**
 * The entries of a step with a matrix.
 *
 * @param contexts `{ params, steps, env, run }`
 * @throws Error that says what is wrong with the values, or ExpressionError
 */
export function expandMatrix(
  { id, strategy }: MatrixStep,
  contexts: JsonObject,
): readonly MatrixEntry[] {
  const { matrix, include, exclude } = strategy;
  return combineMatrix(id, {
    matrix: evaluateTemplate(matrix, contexts) as JsonObject,
    ...(include !== undefined && { include: evaluateTemplate(include, contexts) }),
    ...(exclude !== undefined && { exclude: evaluateTemplate(exclude, contexts) }),
  });
}

/**
 * Every combination of the dimensions' values, the last dimension fastest; less those that
 * `exclude` names; then `include` as GitHub has it: its values are added to the combinations of the
 * dimensions that agree with it, and where there is none it is an entry of its own.
 * Source: docs.github.com, "Running variations of jobs in a workflow".
 *
 * @throws Error that says what is wrong with the values
 */
export function combineMatrix(
  id: StepId,
  { matrix, include, exclude }: MatrixValues,
): readonly MatrixEntry[] {
  const dimensions = Object.entries(matrix).map(([name, values]) => ({
    name,
    values: listOf(values, `matrix.${name}`),
  }));
  const size = dimensions.reduce((product, { values }) => product * values.length, 1);
  if (size > MAX_MATRIX_ENTRIES) throw new Error(matrixSizeProblem(size));
  const names = dimensions.map(({ name }) => name);
  const excluded = mapsOf(exclude, 'exclude');
  for (const [index, { values }] of excluded.entries()) checkExcluded(values, index, names);
  const combined = combinations(dimensions).filter(
    ({ values }) => !excluded.some((pattern) => agrees(values, pattern.values)),
  );
  const all = included(combined, mapsOf(include, 'include'), names);
  if (all.length > MAX_MATRIX_ENTRIES) throw new Error(matrixSizeProblem(all.length));
  return named(id, all);
}

/** What is to be run for an entry: the step without what made many of it. */
export function entryStep(step: MatrixStep, id: StepId): PlanStep {
  const { strategy: _, if: __, ...rest } = step;
  return { ...rest, id, needs: [] };
}

/** Entries that may start now, in order, as many as their matrix allows. */
export function readyEntries(step: MatrixStep, state: RunState): readonly StepId[] {
  const { status, entries = [] } = stepState(state, step.id);
  if (status !== 'running' || isFailing(step, state)) return [];
  // What made a damaged input of theirs may be running again.
  if (!step.needs.every((id) => hasEnded(stepState(state, id)))) return [];
  const states = entries.map((id) => [id, stepState(state, id)] as const);
  const running = states.filter(([, entry]) => entry.status === 'running').length;
  const free = (step.strategy.maxParallel ?? Infinity) - running;
  return states
    .filter(([, entry]) => entry.status === 'pending')
    .slice(0, Math.max(0, free))
    .map(([id]) => id);
}

/** Whether an entry has failed in a way that ends the others. */
export function isFailing({ id, strategy }: PlanStep, state: RunState): boolean {
  if (strategy?.failFast !== true) return false;
  const { entries = [] } = stepState(state, id);
  return entries.some((entry) => stepState(state, entry).status === 'failed');
}

/** How a step with a matrix ends once all its entries have; undefined before. */
export function endOfMatrix(step: MatrixStep, state: RunState, at: number): StepEvent | undefined {
  const { status, entries } = stepState(state, step.id);
  if (status !== 'running' || entries === undefined) return undefined;
  const states = entries.map((id) => stepState(state, id));
  if (!states.every(hasEnded)) return undefined;
  const failed = states.filter((entry) => entry.status === 'failed');
  const attempt = Math.max(0, ...states.map((entry) => entry.attempt));
  if (failed.length > 0) {
    const type = failed[0]?.error?.type ?? 'Internal';
    const message = `${failed.length} of ${entries.length} entries failed`;
    return { kind: 'step-failed', step: step.id, at, attempt, error: { type, message } };
  }
  if (states.some((entry) => entry.status === 'cancelled')) {
    return { kind: 'step-cancelled', step: step.id, at };
  }
  const skipped = states.filter((entry) => entry.status === 'skipped').length;
  if (skipped > 0) {
    const note = `${skipped} of ${entries.length} entries were skipped`;
    return { kind: 'step-skipped', step: step.id, note };
  }
  const end = { step: step.id, at, outputs: {}, note: noteOf(states) };
  const isCached = entries.length > 0 && states.every((entry) => entry.status === 'cached');
  return isCached ? { kind: 'step-cached', ...end } : { kind: 'step-completed', ...end, attempt };
}

function noteOf(states: readonly StepState[]): string {
  if (states.length === 0) return 'the matrix has no entries: nothing to run';
  const cached = states.filter((entry) => entry.status === 'cached').length;
  const entries = `${states.length} ${states.length === 1 ? 'entry' : 'entries'}`;
  return cached === 0 || cached === states.length ? entries : `${entries}, ${cached} cached`;
}

interface Combination {
  readonly values: JsonObject;
  /** Where each value stands in its list. */
  readonly places: Readonly<Record<string, number>>;
}

interface Dimension {
  readonly name: string;
  readonly values: readonly JsonValue[];
}

/** None without dimensions: then `include` alone gives the entries. */
function combinations(dimensions: readonly Dimension[]): readonly Combination[] {
  if (dimensions.length === 0) return [];
  return dimensions.reduce<readonly Combination[]>(
    (found, { name, values }) =>
      found.flatMap((combination) =>
        values.map((value, place) => ({
          values: { ...combination.values, [name]: value },
          places: { ...combination.places, [name]: place },
        })),
      ),
    [{ values: {}, places: {} }],
  );
}

function included(
  originals: readonly Combination[],
  includes: readonly Combination[],
  dimensions: readonly string[],
): readonly Combination[] {
  const entries: Combination[] = [...originals];
  for (const { values, places } of includes) {
    const fixed = Object.entries(values).filter(([key]) => dimensions.includes(key));
    let isAdded = false;
    for (const [index, original] of originals.entries()) {
      if (!agrees(original.values, Object.fromEntries(fixed))) continue;
      isAdded = true;
      const entry = entries[index] ?? original;
      entries[index] = {
        values: { ...entry.values, ...values },
        places: { ...places, ...entry.places },
      };
    }
    if (!isAdded) entries.push({ values, places });
  }
  return entries;
}

function agrees(values: JsonObject, pattern: JsonObject): boolean {
  return Object.entries(pattern).every(
    ([key, wanted]) => Object.hasOwn(values, key) && isSame(values[key] ?? null, wanted),
  );
}

/** Ids of the entries: their values where these are short, else their places. */
function named(step: StepId, combined: readonly Combination[]): readonly MatrixEntry[] {
  const seen = new Map<string, number>();
  return combined.map(({ values, places }) => {
    const parts = Object.entries(values).map(([name, value]) => {
      const text = shortText(value);
      return text === undefined ? `${name}[${places[name] ?? 0}]` : `${name}=${text}`;
    });
    const id = `${step} (${parts.join(', ')})`;
    const count = (seen.get(id) ?? 0) + 1;
    seen.set(id, count);
    return { id: count === 1 ? id : `${id} #${count}`, values };
  });
}

function shortText(value: JsonValue): string | undefined {
  if (typeof value === 'number') return numberText(value);
  if (value === null || typeof value === 'boolean') return String(value);
  const isShort = typeof value === 'string' && value.length <= MAX_SHOWN_TEXT;
  // A digest tells a person nothing.
  return isShort && /^[^\p{C}]+$/u.test(value) ? value : undefined;
}

/** As people write learning rates: 5e-5, not 0.00005. */
function numberText(value: number): string {
  return value !== 0 && Math.abs(value) < 1e-3
    ? value.toExponential().replace('+', '')
    : String(value);
}

function isSame(a: JsonValue, b: JsonValue): boolean {
  if (a === null || b === null || typeof a !== 'object' || typeof b !== 'object') return a === b;
  if (Array.isArray(a) !== Array.isArray(b)) return false;
  const [left, right] = [Object.entries(a), Object.entries(b)];
  return left.length === right.length && agrees(a as JsonObject, b as JsonObject);
}

function mapsOf(maps: JsonValue | undefined, name: 'include' | 'exclude'): readonly Combination[] {
  if (maps === undefined) return [];
  return listOf(maps, name).map((values, place) => {
    if (values === null || typeof values !== 'object' || Array.isArray(values)) {
      throw new Error(
        `strategy.${name}[${place}] is ${JSON.stringify(values)}; expected a map of values`,
      );
    }
    const keys = Object.keys(values);
    const places = Object.fromEntries(keys.map((key) => [key, place]));
    return { values: values as JsonObject, places };
  });
}

function listOf(value: JsonValue, name: string): readonly JsonValue[] {
  if (Array.isArray(value)) return value as readonly JsonValue[];
  throw new Error(`strategy.${name} is ${JSON.stringify(value)}; expected a list`);
}

function checkExcluded(values: JsonObject, index: number, dimensions: readonly string[]): void {
  const unknown = Object.keys(values).find((key) => !dimensions.includes(key));
  if (unknown === undefined) return;
  throw new Error(
    `strategy.exclude[${index}] has '${unknown}', which the matrix has not; expected ${dimensions.join(', ')}`,
  );
}

export function matrixSizeProblem(size: number): string {
  return `the matrix has ${size} entries; expected at most ${MAX_MATRIX_ENTRIES}; take values out, or split the step`;
}
