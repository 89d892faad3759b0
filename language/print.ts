import { isMap, isSeq, type YAMLMap } from 'yaml';
import type { JsonObject, JsonValue } from '../plan/json.ts';
import type { RetryPolicy } from '../plan/plan.ts';
import { formatDuration } from './checks/duration.ts';
import { type CheckOptions, draftWithPipeline } from './compile.ts';
import { branchOf, defaultsOf } from './default-inputs.ts';
import { DEFAULT_MAX_PARALLEL, DEFAULT_RUNS_ON } from './defaults.ts';
import type { Diagnostic } from './diagnostic.ts';
import type { LocatedEntry } from './located.ts';
import { toJson } from './located.ts';
import type { FailureHandling, Pipeline, Step } from './pipeline.ts';
import { markedNode, pairOf, type Place, PrintedDocument } from './printed-document.ts';
import { type ValueSchema, valueSchema } from './schema.ts';
import { readSource } from './source.ts';

export type Printing =
  | { readonly ok: true; readonly text: string }
  | { readonly ok: false; readonly diagnostics: readonly Diagnostic[] };

/** Beside everything that was filled in, and beside a default that a given param replaced. */
const FILLED_IN = ' default';
const GIVEN = ' given';

/**
 * A pipeline's file with every default filled in and marked `# default`: it compiles to the same plan.
 * Comments and the order of what a person wrote stay. Values of `params` become the defaults of their
 * params, so the file alone does what it does with them. Every line ends as the first one does.
 *
 * @returns what is wrong with the file, as `check` says it, when something is
 */
export function printPipeline(options: CheckOptions): Printing {
  const drafted = draftWithPipeline(options);
  if (!drafted.ok) return { ok: false, diagnostics: drafted.diagnostics };
  const { source, sourceName = 'pipeline.yaml', params = {} } = options;
  const { text } = readSource(source, sourceName).source;
  const document = new PrintedDocument(text.replaceAll('\r\n', '\n'));
  const { pipeline } = drafted;
  const { root } = document;
  fillParams(document, inside(root, 'params'), pipeline, params);
  const defaults = effectiveDefaults(pipeline.defaults);
  if (pairOf(root.map, 'defaults') !== undefined)
    fill(document, inside(root, 'defaults'), defaults);
  else document.add(root, 'defaults', markedNode(defaults, FILLED_IN), 'steps');
  const steps = inside(root, 'steps');
  for (const step of pipeline.steps.values()) {
    const place = inside(steps, step.id);
    fillInputs(document, place, step);
    fill(document, place, effectiveFields(step, pipeline.defaults));
  }
  fillSchedules(document, inside(root, 'on'), pipeline);
  const printed = document.toString();
  const isCrlf = /^[^\n]*\r\n/.test(text);
  return { ok: true, text: isCrlf ? printed.replaceAll('\n', '\r\n') : printed };
}

function fillSchedules(
  document: PrintedDocument,
  on: Place | undefined,
  { schedules }: Pipeline,
): void {
  if (on === undefined) return;
  const list = pairOf(on.map, 'schedule')?.value;
  if (!isSeq(list)) return;
  const around = [...on.around, on.map, list];
  for (const [index, schedule] of schedules.entries()) {
    const map = list.items[index];
    if (!isMap(map)) continue;
    fill(
      document,
      { map, around },
      {
        timezone: schedule.timezone,
        overlap: schedule.overlap,
        catchup_window: formatDuration(schedule.catchupWindowMs),
        jitter: formatDuration(schedule.jitterMs),
        pause_on_failure: schedule.pauseOnFailure,
        id: schedule.id,
      },
    );
  }
}

/** Every param in its long form, with its type. */
function fillParams(
  document: PrintedDocument,
  params: Place | undefined,
  pipeline: Pipeline,
  given: JsonObject,
): void {
  if (params === undefined) return;
  for (const [name, { declaration }] of pipeline.params) {
    if (declaration === undefined) continue;
    const type = { type: declaration.type };
    const isLong = isMap(pairOf(params.map, name)?.value);
    if (!isLong) document.wrap(params, name, 'default');
    const place = inside(params, name);
    if (place === undefined) continue;
    if (isLong) fill(document, place, type);
    else document.add(place, 'type', markedNode(declaration.type, FILLED_IN), 'default');
    const value = given[name];
    if (value !== undefined) document.replace(place, 'default', value, GIVEN);
  }
}

function effectiveDefaults(defaults: Pipeline['defaults']): JsonObject {
  const { maxParallel = DEFAULT_MAX_PARALLEL } = defaults;
  return { ...effective(defaults), max_parallel: maxParallel, runs_on: labelOf(defaults.runsOn) };
}

function effectiveFields(step: Step, defaults: Pipeline['defaults']): JsonObject {
  const isTraining = step.signature?.role === 'train';
  const label = labelOf(step.runsOn ?? defaults.runsOn);
  const { strategy } = step;
  return {
    ...(strategy !== undefined && { strategy: { fail_fast: strategy.failFast } }),
    ...(isTraining && { runs_on: label }),
    ...effective(step),
    ...(step.signature?.effect !== 'external' && {
      cache: { enabled: step.cache?.enabled ?? true },
    }),
  };
}

function effective({
  retry,
  timeoutMs,
  onFailure,
  pauseTimeoutMs,
}: FailureHandling & {
  readonly retry: RetryPolicy;
  readonly timeoutMs?: number;
}): JsonObject {
  const { maxAttempts, backoffMs, maxBackoffMs } = retry;
  return {
    retry: {
      max_attempts: maxAttempts,
      backoff: formatDuration(backoffMs),
      max_backoff: formatDuration(maxBackoffMs),
    },
    ...(timeoutMs !== undefined && { timeout: formatDuration(timeoutMs) }),
    on_failure: onFailure,
    ...(onFailure === 'pause' && { pause_timeout: formatDuration(pauseTimeoutMs) }),
  };
}

function labelOf(runsOn: LocatedEntry | undefined): JsonValue {
  return runsOn === undefined ? DEFAULT_RUNS_ON : toJson(runsOn.value);
}

/** Adds the keys that are not there, in a map and in the maps below it. */
function fill(document: PrintedDocument, place: Place | undefined, values: JsonObject): void {
  if (place === undefined) return;
  for (const [key, value] of Object.entries(values)) {
    if (pairOf(place.map, key) === undefined)
      document.add(place, key, markedNode(value, FILLED_IN));
    else if (value !== null && typeof value === 'object') {
      fill(document, inside(place, key), value as JsonObject);
    }
  }
}

function fillInputs(document: PrintedDocument, place: Place | undefined, step: Step): void {
  if (place === undefined || step.signature === undefined) return;
  const schema = valueSchema(step.signature.with, 'input');
  const inputs = inside(place, 'with');
  if (inputs !== undefined) {
    fillFromSchema(document, inputs, schema);
    return;
  }
  const defaults = Object.fromEntries(defaultsOf(schema, {}));
  if (Object.keys(defaults).length > 0) {
    document.add(place, 'with', markedNode(defaults, FILLED_IN));
  }
}

function fillFromSchema(document: PrintedDocument, place: Place, schema: ValueSchema): void {
  const { map } = place;
  const given = map.toJSON() as JsonObject;
  const { properties = {} } = branchOf(schema, given) ?? {};
  for (const [key, property] of Object.entries(properties))
    fillBelow(document, place, key, property);
  for (const [key, value] of defaultsOf(schema, given)) {
    document.add(place, key, markedNode(value, FILLED_IN));
  }
}

/** What a person wrote of an input that is a map, or a list of maps. */
function fillBelow(
  document: PrintedDocument,
  place: Place,
  key: string,
  schema: ValueSchema,
): void {
  const { map, around } = place;
  const value = pairOf(map, key)?.value;
  if (isMap(value)) fillFromSchema(document, inside(place, key) as Place, schema);
  if (!isSeq(value)) return;
  const lists = (schema.anyOf ?? schema.oneOf ?? [schema]).flatMap(({ items }) => items ?? []);
  for (const item of value.items) {
    const below = { map: item as YAMLMap, around: [...around, map, value] };
    const [items] = lists;
    if (isMap(item) && items !== undefined) fillFromSchema(document, below, items);
  }
}

/** The map below a key, if there is one. */
function inside(place: Place | undefined, key: string): Place | undefined {
  if (place === undefined) return undefined;
  const value = pairOf(place.map, key)?.value;
  if (!isMap(value)) return undefined;
  return { map: value, around: [...place.around, place.map] };
}
