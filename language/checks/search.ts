import { isWithin } from '../../plan/json.ts';
import type { CachePolicy } from '../../plan/plan.ts';
import {
  GOALS,
  MAX_TRIALS,
  SAMPLERS,
  type SearchBudget,
  type SearchParameter,
  type SearchScheduler,
  type SearchStrategy,
  usualGoal,
} from '../../plan/search/strategy.ts';
import { gridSize } from '../../plan/search/space.ts';
import { kindName } from '../catalog.ts';
import { DEFAULT_SEARCH } from '../defaults.ts';
import { keysOfPart, STRATEGY } from '../grammar.ts';
import type { LocatedEntry, LocatedMap } from '../located.ts';
import { quote, toJson, valueRange } from '../located.ts';
import type { Reporter } from '../reporter.ts';
import { schemasAt, valueSchema } from '../schema.ts';
import { SEARCH, SEARCH_BUDGET, SEARCH_SCHEDULER } from '../search-grammar.ts';
import { type StopPlace, stopPlace } from '../stop-input.ts';
import { readDuration } from './duration.ts';
import { checkNoExpressions } from './expression.ts';
import { MAX_PARALLEL, readCount } from './limit.ts';
import { checkMissingKeys } from './missing-key.ts';
import { reportNotBuilt } from './not-built.ts';
import { checkMetric } from '../search-metric.ts';
import { readParameters } from '../search-parameters.ts';
import { readWord, type SearchedStep } from '../searched-step.ts';
import { checkUnknownKeys } from './unknown-key.ts';
import { readBoolean, readMap, readText } from './value-type.ts';

const SNIPPETS = {
  metric: 'metric: metrics.eval_loss',
  parameters:
    'parameters: { args.learning_rate: { min: 1.0e-5, max: 1.0e-3, distribution: log_uniform } }',
};
/** More in one step than this are no rungs any more. */
const MAX_ETA = 100;
const TRIALS_SNIPPET = { max_trials: 'max_trials: 20' };

/** Reads the search of a step's `strategy`. Rule `search`, besides those of single values. */
export function readSearch(
  strategy: LocatedEntry | undefined,
  step: SearchedStep,
  reporter: Reporter,
): SearchStrategy | undefined {
  if (strategy?.value.kind !== 'map') return undefined;
  const entry = strategy.value.entries.get('search');
  if (entry === undefined) return undefined;
  checkAlone(strategy.value, reporter);
  checkRole(entry, step, reporter);
  const map = readMap(entry, `a map such as { ${SNIPPETS.metric}, max_trials: 20 }`, reporter);
  if (map === undefined || !checkNoExpressions(entry, reporter)) return undefined;
  checkUnknownKeys(map, keysOfPart(SEARCH), "'search'", reporter);
  const { entries } = map;
  const sampler = readWord(entries.get('sampler'), SAMPLERS, reporter) ?? DEFAULT_SEARCH.sampler;
  const required = sampler === 'grid' ? SNIPPETS : { ...SNIPPETS, ...TRIALS_SNIPPET };
  checkMissingKeys(map, required, "'search'", entry.keyRange, reporter);
  const metric = readText(entries.get('metric'), reporter) ?? '';
  checkMetric(entries.get('metric'), metric, step, reporter);
  const count = (key: string, minimum: number, maximum: number): number | undefined =>
    readCount(entries.get(key), { minimum, maximum }, reporter);
  const parameters = readParameters(entries.get('parameters'), step, sampler, reporter);
  const maxTrials = count('max_trials', 1, MAX_TRIALS);
  if (sampler === 'grid') checkGrid(entry, parameters, maxTrials, reporter);
  const stop = step.signature && stopPlace(step.signature);
  const scheduler = readScheduler(entries.get('scheduler'), step, stop, reporter);
  if (scheduler !== undefined) checkOwnInputs(scheduler, parameters, entries, step, reporter);
  const budget = readBudget(entries.get('budget'), reporter);
  const lengthInput = stop?.lengthInput;
  const isCounted = budget?.steps !== undefined && scheduler === undefined;
  checkSteps(entries.get('budget'), { budget, scheduler, lengthInput, parameters }, step, reporter);
  return {
    ...{ metric, sampler, parameters },
    goal: readWord(entries.get('goal'), GOALS, reporter) ?? usualGoal(metric),
    seed: count('seed', 0, Number.MAX_SAFE_INTEGER) ?? DEFAULT_SEARCH.seed,
    maxTrials: maxTrials ?? Math.min(gridSize(parameters), MAX_TRIALS),
    maxParallel: count('max_parallel', 1, MAX_PARALLEL) ?? DEFAULT_SEARCH.maxParallel,
    ...(scheduler !== undefined && { scheduler }),
    ...(budget !== undefined && { budget }),
    ...(isCounted && lengthInput !== undefined && { lengthInput }),
  };
}

/** Rule `search`: what makes no difference to the result is not worth trying. */
export function checkNotIgnored(
  strategy: LocatedEntry | undefined,
  { parameters }: SearchStrategy,
  { ignore = [] }: CachePolicy,
  reporter: Reporter,
): void {
  if (strategy === undefined) return;
  for (const { path } of parameters) {
    if (!ignore.some((names) => isWithin(path, names))) continue;
    const message = `${quote(path.join('.'))} is tried, and 'cache' ignores it, so that all trials would be one; take it out of 'ignore'`;
    reporter.error('search', strategy.keyRange, message);
  }
}

function checkAlone(strategy: LocatedMap, reporter: Reporter): void {
  checkUnknownKeys(strategy, keysOfPart(STRATEGY), "'strategy'", reporter);
  for (const { key, keyRange } of strategy.entries.values()) {
    if (key === 'search' || !keysOfPart(STRATEGY).includes(key)) continue;
    const remedy = key === 'max_parallel' ? 'write it inside of it' : `remove one of the two`;
    const message = `${quote(key)} is of a matrix, and stands beside 'search'; ${remedy}`;
    reporter.error('search', keyRange, message);
  }
}

function checkRole(
  { keyRange }: LocatedEntry,
  { signature }: SearchedStep,
  reporter: Reporter,
): void {
  if (signature === undefined || signature.role === 'train') return;
  const message = `${kindName(signature)} does not train, and a search is of trainings; use 'matrix'`;
  reporter.error('search', keyRange, message);
}

function checkGrid(
  { keyRange }: LocatedEntry,
  parameters: readonly SearchParameter[],
  maxTrials: number | undefined,
  reporter: Reporter,
): void {
  const size = gridSize(parameters);
  // A range without ends was reported with its place.
  if (size <= MAX_TRIALS || size === Infinity || maxTrials !== undefined) return;
  const message = `the grid has ${size} combinations; expected at most ${MAX_TRIALS}; take values out, or set max_trials`;
  reporter.error('limit', keyRange, message);
}

function readScheduler(
  entry: LocatedEntry | undefined,
  { signature }: SearchedStep,
  stop: StopPlace | undefined,
  reporter: Reporter,
): SearchScheduler | undefined {
  const example = '{ type: asha, min_steps: 100, max_steps: 900 }';
  const map = readMap(entry, `a map such as ${example}`, reporter);
  if (entry === undefined || map === undefined) return undefined;
  checkUnknownKeys(map, keysOfPart(SEARCH_SCHEDULER), "'scheduler'", reporter);
  const required = {
    type: 'type: asha',
    min_steps: 'min_steps: 100',
    max_steps: 'max_steps: 900',
  };
  checkMissingKeys(map, required, "'scheduler'", entry.keyRange, reporter);
  const { entries } = map;
  readWord(entries.get('type'), ['asha'], reporter);
  if (readBoolean(entries.get('asynchronous'), reporter) === true) {
    reportNotBuilt(
      'asynchronous: true',
      valueRange(entries.get('asynchronous') ?? entry),
      reporter,
    );
  }
  const steps = { minimum: 1, maximum: Number.MAX_SAFE_INTEGER };
  const eta = readCount(entries.get('eta'), { minimum: 2, maximum: MAX_ETA }, reporter);
  const minSteps = readCount(entries.get('min_steps'), steps, reporter);
  const maxSteps = readCount(entries.get('max_steps'), steps, reporter);
  if (signature !== undefined && stop === undefined) {
    const message = `${kindName(signature)} cannot stop early and go on later; remove 'scheduler'`;
    reporter.error('search', entry.keyRange, message);
  }
  if (minSteps === undefined || maxSteps === undefined || stop === undefined) return undefined;
  if (minSteps > maxSteps) {
    const message = `'min_steps' is ${minSteps}; expected at most 'max_steps', ${maxSteps}`;
    reporter.error('search', valueRange(entries.get('min_steps') ?? entry), message);
    return undefined;
  }
  return { eta: eta ?? DEFAULT_SEARCH.eta, minSteps, maxSteps, ...stop };
}

/** What a scheduler sets, nothing else may. */
function checkOwnInputs(
  { stopInput, lengthInput }: SearchScheduler,
  parameters: readonly SearchParameter[],
  search: LocatedMap['entries'],
  step: SearchedStep,
  reporter: Reporter,
): void {
  const searched = search.get('parameters')?.value;
  for (const place of [stopInput, lengthInput]) {
    const name = place.join('.');
    const written = setInput(step, place);
    const parameter = searched?.kind === 'map' ? searched.entries.get(name) : undefined;
    const isSearched = parameters.some(({ path }) => path.join('.') === name);
    const found = written ?? (isSearched ? parameter : undefined);
    if (found === undefined) continue;
    const message = `${quote(name)} is what 'scheduler' sets for each rung; remove it`;
    reporter.error('search', found.keyRange, message);
  }
}

function readBudget(entry: LocatedEntry | undefined, reporter: Reporter): SearchBudget | undefined {
  const map = readMap(entry, 'a map such as { steps: 10000 } or { time: 6h }', reporter);
  if (map === undefined) return undefined;
  checkUnknownKeys(map, keysOfPart(SEARCH_BUDGET), "'budget'", reporter);
  const limits = { minimum: 1, maximum: Number.MAX_SAFE_INTEGER };
  const steps = readCount(map.entries.get('steps'), limits, reporter);
  const timeMs = readDuration(map.entries.get('time'), 1, reporter);
  if (steps === undefined && timeMs === undefined) return undefined;
  return { ...(steps !== undefined && { steps }), ...(timeMs !== undefined && { timeMs }) };
}

/** Optimizer steps can be counted where it is known how many a trial has. */
function checkSteps(
  entry: LocatedEntry | undefined,
  {
    budget,
    scheduler,
    lengthInput,
    parameters,
  }: Pick<SearchStrategy, 'parameters'> & {
    readonly budget: SearchBudget | undefined;
    readonly scheduler: SearchScheduler | undefined;
    readonly lengthInput: readonly string[] | undefined;
  },
  step: SearchedStep,
  reporter: Reporter,
): void {
  if (entry === undefined || budget?.steps === undefined || scheduler !== undefined) return;
  const name = lengthInput?.join('.');
  const isSearched = parameters.some(({ path }) => path.join('.') === name);
  if (lengthInput !== undefined && (isSearched || setInput(step, lengthInput))) return;
  if (step.signature === undefined) return;
  const steps = entry.value.kind === 'map' ? entry.value.entries.get('steps') : undefined;
  const remedy =
    name === undefined ? "use 'time'" : `set ${quote(name)} in 'with', or add a 'scheduler'`;
  const message = `nothing says how many steps a trial has; ${remedy}`;
  reporter.error('search', (steps ?? entry).keyRange, message);
}

/** The entry of `with` at a place, where it says something else than without it. */
function setInput(
  { signature, inputs }: SearchedStep,
  place: readonly string[],
): LocatedEntry | undefined {
  const entry = entryAt(inputs, place);
  const schemas = signature && schemasAt(valueSchema(signature.with, 'input'), place);
  const isDefault = schemas?.some(
    (schema) => entry !== undefined && schema.default === toJson(entry.value),
  );
  return isDefault === true ? undefined : entry;
}

/** The entry of `with` at a place, where it is written out. */
function entryAt(
  map: LocatedMap | undefined,
  [key = '', ...rest]: readonly string[],
): LocatedEntry | undefined {
  const entry = map?.entries.get(key);
  if (entry === undefined || rest.length === 0) return entry;
  return entry.value.kind === 'map' ? entryAt(entry.value, rest) : undefined;
}
