import { isDigest } from '../../store/digest.ts';
import { references } from '../../plan/expressions.ts';
import { isWithin, type JsonObject, type JsonValue } from '../../plan/json.ts';
import type { PlanStep, StepId, Template } from '../../plan/plan.ts';

/** Characters of a value that is shown. */
const MAX_SHOWN = 40;
const SHOWN_DIGITS = 8;

/** A value that is not the same any more; undefined where there is none. */
interface Change {
  readonly path: readonly string[];
  readonly before: JsonValue | undefined;
  readonly after: JsonValue | undefined;
}

/** Which step of the earlier run put an artifact out. */
export type ProducerOf = (artifact: JsonValue) => StepId | undefined;

/**
 * What differs between what two fingerprints are of, a sentence each: `take: 500 -> 1000 (param
 * rows)`, `dataset: step 'rows' gives another (sha256:1b2e… -> sha256:90fa…)`.
 *
 * @param before kind, version, revision, inputs, upstream, and which inputs were ignored; what is
 *   not in it was not recorded
 * @param producerOf for the artifacts of `before`
 */
export function describeChanges(
  step: PlanStep,
  before: JsonObject,
  after: JsonObject,
  producerOf: ProducerOf,
): readonly string[] {
  const uses = (parts: JsonObject): string => `${text(parts['kind'])}@${text(parts['version'])}`;
  if (uses(before) !== uses(after)) return [`uses: ${uses(before)} -> ${uses(after)}`];
  const { inputs: oldInputs = {}, upstream: oldUpstream, ignored: wasIgnored } = before;
  const { inputs = {}, upstream, ignored } = after;
  const [oldCode, code] = [before, after].map(codeOf);
  return [
    ...changesBetween(oldCode, code)
      .filter((change) => change.before !== undefined)
      .map((change) => {
        const [old, now] = [shown(change.before), shown(change.after)];
        return `${change.path.join('.')} of ${uses(after)}: ${old} -> ${now}`;
      }),
    ...changesBetween(before['search'], after['search']).map(describeSearch),
    ...changesBetween(oldUpstream, upstream).map((change) => describeUpstream(change, inputs)),
    ...changesBetween(oldInputs, inputs).map(
      (change) =>
        describeIgnored(change, wasIgnored, ignored) ?? describeInput(change, step, producerOf),
    ),
  ];
}

/** What is neither input nor upstream, nor in the file. */
function codeOf(parts: JsonObject): JsonObject {
  const { inputs: _, upstream: __, ignored: ___, search: ____, ...code } = parts;
  return code;
}

function describeSearch({ path, before, after }: Change): string {
  return `${['search', ...path].join('.')}: ${shown(before)} -> ${shown(after)}`;
}

/** The leaves in which two values differ. */
function changesBetween(
  before: JsonValue | undefined,
  after: JsonValue | undefined,
  path: readonly string[] = [],
): readonly Change[] {
  if (isMap(before) && isMap(after)) {
    const keys = new Set([...Object.keys(before), ...Object.keys(after)]);
    return [...keys].flatMap((key) => changesBetween(before[key], after[key], [...path, key]));
  }
  if (Array.isArray(before) && Array.isArray(after) && before.length === after.length) {
    return after.flatMap((item, i) => changesBetween(before[i], item, [...path, String(i)]));
  }
  return JSON.stringify(before) === JSON.stringify(after) ? [] : [{ path, before, after }];
}

/** `file:data.csv changed: sha256:1b2e… -> sha256:90fa…`; what has several sources names each by its input. */
function describeUpstream({ path, before, after }: Change, inputs: JsonValue): string {
  const [part = 'source'] = path;
  const source = isMap(inputs) ? inputs[part] : undefined;
  const name = typeof source === 'string' ? source : [...path, 'upstream'].join(' ');
  return `${name} changed: ${shown(before)} -> ${shown(after)}`;
}

/** Of an input that one of the fingerprints is not of. */
function describeIgnored(
  { path, before, after }: Change,
  wasIgnored: JsonValue | undefined,
  isIgnored: JsonValue | undefined,
): string | undefined {
  const name = path.join('.');
  if (after === undefined && covers(isIgnored, path))
    return `${name}: left out by cache.ignore now`;
  if (before === undefined && covers(wasIgnored, path)) {
    return `${name}: no longer left out by cache.ignore`;
  }
  return undefined;
}

/** @param ignored places, each by its names */
function covers(ignored: JsonValue | undefined, path: readonly string[]): boolean {
  const places = (ignored ?? []) as readonly (readonly string[])[];
  return places.some((names) => isWithin(path, names));
}

function describeInput(
  { path, before, after }: Change,
  step: PlanStep,
  producerOf: ProducerOf,
): string {
  const name = path.join('.');
  const template = templateAt(step.with, path);
  const [from, to] = [shown(before), shown(after)];
  const producers = template === undefined ? [] : stepsRead(template);
  if (isDigest(after) && isDigest(before) && producers.length === 1) {
    const [producer = ''] = producers;
    const earlier = producerOf(before);
    return earlier === undefined || earlier === producer
      ? `${name}: step '${producer}' gives another (${from} -> ${to})`
      : `${name}: from step '${earlier}' -> from step '${producer}' (${from} -> ${to})`;
  }
  const origins = template === undefined ? [] : originsOf(template);
  return `${name}: ${from} -> ${to}${origins.length === 0 ? '' : ` (${origins.join(', ')})`}`;
}

/** The part of a `with` that gives the value at a path: the value's own, or one that holds it. */
function templateAt(template: Template, path: readonly string[]): Template | undefined {
  let at: Template | undefined = template;
  for (const key of path) {
    if (typeof at === 'string' || at === null || typeof at !== 'object') return at;
    at = (at as Readonly<Record<string, Template>>)[key];
    if (at === undefined) return undefined;
  }
  return at;
}

/** Where a template takes its value from: `param rows`, `env seed`, `step 'count'`. */
function originsOf(template: Template): readonly string[] {
  const named = references(template).flatMap(({ context, path: [first] }) => {
    if (first?.kind !== 'name') return [];
    if (context === 'params') return [`param ${first.name}`];
    return [context === 'steps' ? `step '${first.name}'` : `${context} ${first.name}`];
  });
  return [...new Set(named)];
}

/** Steps that a template reads. */
export function stepsRead(template: Template): readonly StepId[] {
  const ids = references(template).flatMap(({ context, path: [first] }) =>
    context === 'steps' && first?.kind === 'name' ? [first.name] : [],
  );
  return [...new Set(ids)];
}

function text(value: JsonValue | undefined): string {
  return typeof value === 'string' ? value : JSON.stringify(value ?? null);
}

function shown(value: JsonValue | undefined): string {
  if (value === undefined) return 'none';
  if (isDigest(value)) return `${value.slice(0, 'sha256:'.length + SHOWN_DIGITS)}…`;
  // A commit.
  if (typeof value === 'string' && /^[0-9a-f]{40,64}$/.test(value)) {
    return `${value.slice(0, SHOWN_DIGITS)}…`;
  }
  if (typeof value === 'number' && value !== 0 && Math.abs(value) < 1e-2) {
    return value.toExponential();
  }
  const whole = typeof value === 'string' && value !== '' ? value : JSON.stringify(value);
  const line = whole.replaceAll(/\s+/g, ' ');
  return line.length > MAX_SHOWN ? `${line.slice(0, MAX_SHOWN - 1)}…` : line;
}

function isMap(value: JsonValue | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
