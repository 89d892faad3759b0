import type { JsonObject } from '../plan/json.ts';
import type { StepId } from '../plan/plan.ts';
import type { Catalog } from './catalog.ts';
import { readCache } from './checks/cache.ts';
import { readCondition } from './checks/condition.ts';
import { readDuration } from './checks/duration.ts';
import { checkNoExpressionKeys, checkNoExpressions } from './checks/expression.ts';
import { checkStepCount, MAX_PARALLEL, readCount } from './checks/limit.ts';
import { readStrategy } from './checks/matrix.ts';
import { checkNotIgnored, readSearch } from './checks/search.ts';
import { checkMissingKeys, hasKeyLike } from './checks/missing-key.ts';
import { checkDistinctNames, checkName } from './checks/name.ts';
import { type LocatedParam, resolveParams } from './checks/param-value.ts';
import { readParam } from './checks/param.ts';
import { readSchedules } from './checks/schedule.ts';
import { checkUnknownKeys } from './checks/unknown-key.ts';
import { readUses } from './checks/uses.ts';
import { readMap, readText } from './checks/value-type.ts';
import { DEFAULT_ON_FAILURE, DEFAULT_PAUSE_TIMEOUT_MS, DEFAULT_RETRY } from './defaults.ts';
import { DEFAULTS, keysOfPart, PIPELINE, STEP } from './grammar.ts';
import type { LocatedEntry, LocatedMap } from './located.ts';
import { describeFound, mapToJson, quote, toJson, valueRange } from './located.ts';
import { readOnPause } from './on-pause.ts';
import { Patterns } from './pattern.ts';
import type { FailureHandling, Pipeline, Step, StepDefaults } from './pipeline.ts';
import type { Reporter } from './reporter.ts';
import { readRetry } from './retry.ts';
import type { Range } from './source-text.ts';
import { checkPauseTimeout, readFailureHandling, readNeeds } from './step-fields.ts';
import type { TemplateReader } from './template.ts';

const USES_SNIPPET = 'uses: train@1, or another kind';
const SNIPPETS = {
  name: 'name: my-pipeline',
  steps: "steps: { data: { uses: download-dataset@1, with: { source: 'file:data.jsonl' } } }",
};

export interface ReadOptions {
  readonly params: JsonObject;
  /** False when a file is checked alone: then no param has to be given. */
  readonly isSubmission: boolean;
  readonly catalog: Catalog;
}

/** Reads every part of the file by its own rules; what spans parts is checked afterwards. */
export function readPipeline(
  root: LocatedMap,
  options: ReadOptions,
  templates: TemplateReader,
  reporter: Reporter,
): Pipeline {
  checkUnknownKeys(root, keysOfPart(PIPELINE), 'the pipeline', reporter);
  checkMissingKeys(root, SNIPPETS, 'the pipeline', firstKey(root), reporter);
  for (const key of ['params', 'env']) checkNoExpressions(root.entries.get(key), reporter);
  const entries = withoutExpressions(root, ['name', 'description'], reporter);
  const patterns = new Patterns();
  const params = readParams(entries.get('params'), reporter, patterns);
  const paramValues = resolveParams(params, { ...options, patterns }, reporter);
  const defaults = readDefaults(entries.get('defaults'), reporter);
  const description = readText(entries.get('description'), reporter);
  const name = readName(entries.get('name'), reporter);
  const outputs = readOutputs(entries.get('outputs'), reporter);
  const steps = readSteps(entries.get('steps'), { defaults, templates, reporter, ...options });
  const schedules = readSchedules(entries.get('on'), { name, params, patterns }, reporter);
  const onPause = readOnPause(entries.get('on'), options.catalog, reporter);
  return {
    root,
    name,
    params,
    paramValues,
    env: readEnv(entries.get('env'), reporter),
    defaults,
    steps,
    schedules,
    ...(onPause !== undefined && { onPause }),
    ...(description !== undefined && { description }),
    ...(outputs !== undefined && { outputs }),
  };
}

function readName(entry: LocatedEntry | undefined, reporter: Reporter): string {
  const name = readText(entry, reporter);
  if (entry === undefined || name === undefined) return '';
  checkName(name, 'pipeline', valueRange(entry), reporter);
  return name;
}

/** The params that the file declares, as far as they could be read. */
export function readParams(
  entry: LocatedEntry | undefined,
  reporter: Reporter,
  patterns: Patterns,
): ReadonlyMap<string, LocatedParam> {
  const map = readMap(entry, 'a map of params, such as { rows: 1000 }', reporter);
  const params = new Map<string, LocatedParam>();
  for (const param of map?.entries.values() ?? []) {
    checkName(param.key, 'param', param.keyRange, reporter);
    const declaration = readParam(param, reporter, patterns);
    const located = { range: param.keyRange, ...(declaration !== undefined && { declaration }) };
    params.set(param.key, located);
  }
  checkDistinctNames(rangesOf(map), 'param', reporter);
  return params;
}

const DEFAULT_FAILURE_HANDLING: FailureHandling = {
  onFailure: DEFAULT_ON_FAILURE,
  pauseTimeoutMs: DEFAULT_PAUSE_TIMEOUT_MS,
};

function readDefaults(entry: LocatedEntry | undefined, reporter: Reporter): StepDefaults {
  const map = readMap(entry, 'a map such as { max_parallel: 4 }', reporter);
  if (map === undefined) return { retry: DEFAULT_RETRY, ...DEFAULT_FAILURE_HANDLING };
  checkUnknownKeys(map, keysOfPart(DEFAULTS), "'defaults'", reporter);
  const literal = ['retry', 'on_failure', 'pause_timeout', 'max_parallel', 'timeout'];
  const entries = withoutExpressions(map, literal, reporter);
  const limits = { minimum: 1, maximum: MAX_PARALLEL };
  const maxParallel = readCount(entries.get('max_parallel'), limits, reporter);
  const timeoutMs = readDuration(entries.get('timeout'), 1, reporter);
  const runsOn = entries.get('runs_on');
  return {
    retry: readRetry(entries.get('retry'), DEFAULT_RETRY, reporter),
    ...readFailureHandling(entries, DEFAULT_FAILURE_HANDLING, reporter),
    ...(maxParallel !== undefined && { maxParallel }),
    ...(timeoutMs !== undefined && { timeoutMs }),
    ...(runsOn !== undefined && { runsOn }),
  };
}

function readEnv(entry: LocatedEntry | undefined, reporter: Reporter): JsonObject {
  const map = readMap(entry, 'a map of constants, such as { OWNER: me }', reporter);
  for (const { key, keyRange } of map?.entries.values() ?? []) {
    checkName(key, 'env', keyRange, reporter);
  }
  return map === undefined ? {} : mapToJson(map);
}

function readOutputs(entry: LocatedEntry | undefined, reporter: Reporter): LocatedMap | undefined {
  const example = '{ accuracy: "${{ steps.score.outputs.metrics.accuracy }}" }';
  const map = readMap(entry, `a map such as ${example}`, reporter);
  for (const { key, keyRange, value } of map?.entries.values() ?? []) {
    checkName(key, 'output', keyRange, reporter);
    checkNoExpressionKeys(value, reporter);
  }
  return map;
}

interface StepReading extends ReadOptions {
  readonly defaults: StepDefaults;
  readonly templates: TemplateReader;
  readonly reporter: Reporter;
}

function readSteps(
  entry: LocatedEntry | undefined,
  reading: StepReading,
): ReadonlyMap<StepId, Step> {
  const { reporter } = reading;
  const map = readMap(entry, 'a map of steps, such as { data: { uses: ... } }', reporter);
  const steps = new Map<StepId, Step>();
  if (entry === undefined || map === undefined) return steps;
  if (map.entries.size === 0) {
    const message = `'steps' is empty; add one, as in ${SNIPPETS.steps}`;
    reporter.error('missing-key', entry.keyRange, message);
  }
  checkStepCount(map.entries.size, entry.keyRange, reporter);
  for (const step of map.entries.values()) steps.set(step.key, readStep(step, reading));
  checkDistinctNames(rangesOf(map), 'step', reporter);
  return steps;
}

/** Those of a step whose values are read before a run: nothing in them is evaluated. */
const LITERAL_KEYS = [
  ...['uses', 'needs', 'retry', 'timeout', 'on_failure', 'pause_timeout', 'cache', 'description'],
];

function readStep(entry: LocatedEntry, reading: StepReading): Step {
  const { key: id, keyRange: idRange, value } = entry;
  const { reporter, defaults } = reading;
  checkName(id, 'step', idRange, reporter);
  if (value.kind !== 'map') {
    const message = `step ${quote(id)} is ${describeFound(toJson(value))}; expected a map such as { uses: ... }`;
    reporter.error('value-type', valueRange(entry), message);
    const { retry, onFailure, pauseTimeoutMs } = defaults;
    const ranges = { idRange, usesRange: idRange, withRange: idRange };
    return { id, ...ranges, hasBadWith: false, needs: [], retry, onFailure, pauseTimeoutMs };
  }
  const where = `step ${quote(id)}`;
  checkUnknownKeys(value, keysOfPart(STEP), where, reporter);
  checkMissingKeys(value, { uses: USES_SNIPPET }, where, idRange, reporter);
  const entries = withoutExpressions(value, LITERAL_KEYS, reporter);
  const fields = readStepFields(entries, idRange, reading);
  const hasBadWith = fields.with === undefined && hasKeyLike(value, 'with');
  return { id, idRange, hasBadWith, ...fields };
}

function readStepFields(
  entries: LocatedMap['entries'],
  idRange: Range,
  { catalog, defaults, templates, reporter }: StepReading,
): Omit<Step, 'id' | 'idRange' | 'hasBadWith'> {
  const uses = entries.get('uses');
  const usesRange = uses === undefined ? idRange : valueRange(uses);
  const signature = readUses(uses, catalog, reporter);
  const withEntry = entries.get('with');
  const inputs = readMap(withEntry, "a map of the kind's inputs", reporter);
  if (inputs !== undefined) checkNoExpressionKeys(inputs, reporter);
  const failureHandling = readFailureHandling(entries, defaults, reporter);
  checkPauseTimeout(entries.get('pause_timeout'), failureHandling, reporter);
  const condition = readCondition(entries.get('if'), templates, reporter);
  const strategy = readStrategy(entries.get('strategy'), reporter);
  const search = readSearch(entries.get('strategy'), { signature, inputs }, reporter);
  const runsOn = entries.get('runs_on');
  const timeoutMs = readDuration(entries.get('timeout'), 1, reporter) ?? defaults.timeoutMs;
  const cache = readCache(entries.get('cache'), signature, reporter);
  if (search && cache) checkNotIgnored(entries.get('strategy'), search, cache, reporter);
  const description = readText(entries.get('description'), reporter);
  return {
    usesRange,
    withRange: withEntry?.keyRange ?? usesRange,
    needs: readNeeds(entries.get('needs'), reporter),
    retry: readRetry(entries.get('retry'), defaults.retry, reporter),
    ...failureHandling,
    ...(signature !== undefined && { signature }),
    ...(inputs !== undefined && { with: inputs }),
    ...(condition !== undefined && { condition }),
    ...(strategy !== undefined && { strategy }),
    ...(search !== undefined && { search }),
    ...(runsOn !== undefined && { runsOn }),
    ...(timeoutMs !== undefined && { timeoutMs }),
    ...(cache !== undefined && { cache }),
    ...(description !== undefined && { description }),
  };
}

/** The entries to read on: an expression that would stay text was reported, and is left out. */
function withoutExpressions(
  { entries }: LocatedMap,
  literal: readonly string[],
  reporter: Reporter,
): LocatedMap['entries'] {
  const refused = literal.filter((key) => !checkNoExpressions(entries.get(key), reporter));
  return refused.length === 0
    ? entries
    : new Map([...entries].filter(([key]) => !refused.includes(key)));
}

function rangesOf(map: LocatedMap | undefined): ReadonlyMap<string, Range> {
  const entries = [...(map?.entries.values() ?? [])];
  return new Map(entries.map(({ key, keyRange }) => [key, keyRange]));
}

function firstKey({ entries, range }: LocatedMap): Range {
  const [first] = entries.values();
  return first?.keyRange ?? { start: range.start, end: range.start };
}
