import type { JsonValue } from '../plan/json.ts';
import { isWithin } from '../plan/json.ts';
import {
  DISTRIBUTIONS,
  type SearchParameter,
  type SearchStrategy,
} from '../plan/search/strategy.ts';
import { valueCount, withInput } from '../plan/search/space.ts';
import { keysOfPart } from './grammar.ts';
import { inputProblems } from './input-problems.ts';
import type { LocatedEntry, LocatedMap } from './located.ts';
import { describeFound, quote, toJson, valueRange } from './located.ts';
import type { Reporter } from './reporter.ts';
import { accepts, describeSchemas, schemasAt, valueSchema } from './schema.ts';
import { SEARCH_PARAMETER } from './search-grammar.ts';
import type { StepSignature } from './step-declaration.ts';
import { unknownInput } from './input-name.ts';
import { readWord, type SearchedStep } from './searched-step.ts';
import { checkUnknownKeys } from './checks/unknown-key.ts';
import { readList, readMap } from './checks/value-type.ts';

const RANGE = '{ min: 1.0e-5, max: 1.0e-3 }';
/** The choices of all trials travel in one message. */
const MAX_PARAMETERS = 20;

/** `parameters: { args.learning_rate: { min, max, distribution }, args.seed: { values } }`. */
export function readParameters(
  entry: LocatedEntry | undefined,
  step: SearchedStep,
  sampler: SearchStrategy['sampler'],
  reporter: Reporter,
): readonly SearchParameter[] {
  const map = readMap(entry, `a map such as { args.learning_rate: ${RANGE} }`, reporter);
  if (entry === undefined || map === undefined) return [];
  const { size } = map.entries;
  if (size === 0) {
    const message = `'parameters' is empty; add one, such as args.learning_rate: ${RANGE}`;
    reporter.error('search', entry.keyRange, message);
  }
  if (size > MAX_PARAMETERS) {
    const message = `'parameters' has ${size}; expected at most ${MAX_PARAMETERS}; take some out`;
    reporter.error('limit', entry.keyRange, message);
  }
  const read = [...map.entries.values()].map((parameter) => ({
    parameter,
    found: readParameter(parameter, step, reporter),
  }));
  checkApart(read, reporter);
  for (const { parameter, found } of read) {
    if (sampler !== 'grid' || found === undefined || valueCount(found) !== Infinity) continue;
    const message = `${quote(parameter.key)} is a range of real numbers, of which a grid has no end; write values: [...], or distribution: int`;
    reporter.error('search', parameter.keyRange, message);
  }
  return read.flatMap(({ found }) => found ?? []);
}

function readParameter(
  entry: LocatedEntry,
  { signature }: SearchedStep,
  reporter: Reporter,
): SearchParameter | undefined {
  const map = readMap(entry, `a map such as { values: [1, 2] } or ${RANGE}`, reporter);
  const path = entry.key.split('.');
  const unknown =
    signature && unknownInput(path, signature, (around) => `write ${around} to try all of it`);
  if (unknown !== undefined) {
    reporter.error(
      'search',
      entry.keyRange,
      `'parameters' names ${quote(entry.key)}, and ${unknown}`,
    );
  }
  if (map === undefined) return undefined;
  checkUnknownKeys(map, keysOfPart(SEARCH_PARAMETER), quote(entry.key), reporter);
  const parameter = map.entries.has('values')
    ? readValues(path, entry, map, reporter)
    : readRange(path, entry, map, reporter);
  if (parameter !== undefined && unknown === undefined && signature !== undefined) {
    checkValues(parameter, entry, map, signature, reporter);
  }
  return parameter;
}

function readValues(
  path: readonly string[],
  entry: LocatedEntry,
  { entries }: LocatedMap,
  reporter: Reporter,
): SearchParameter | undefined {
  for (const key of ['min', 'max', 'distribution']) {
    const range = entries.get(key)?.keyRange;
    if (range === undefined) continue;
    const message = `${quote(entry.key)} has 'values' and ${quote(key)}; remove one of the two`;
    reporter.error('search', range, message);
  }
  const list = readList(entries.get('values'), 'a list of values, such as [1, 2]', reporter);
  if (list === undefined) return undefined;
  if (list.items.length === 0) {
    const message = `${quote(entry.key)} has no values; add one`;
    reporter.error('search', entries.get('values')?.keyRange ?? entry.keyRange, message);
    return undefined;
  }
  return { path, kind: 'values', values: list.items.map(toJson) };
}

function readRange(
  path: readonly string[],
  entry: LocatedEntry,
  { entries }: LocatedMap,
  reporter: Reporter,
): SearchParameter | undefined {
  const missing = ['min', 'max'].filter((key) => !entries.has(key));
  if (missing.length > 0) {
    const message = `${quote(entry.key)} has no ${missing.map(quote).join(' and no ')}; write ${RANGE}, or values: [...]`;
    reporter.error('missing-key', entry.keyRange, message);
  }
  const min = readNumber(entries.get('min'), reporter);
  const max = readNumber(entries.get('max'), reporter);
  const word = readWord(entries.get('distribution'), DISTRIBUTIONS, reporter);
  if (min === undefined || max === undefined) return undefined;
  const distribution = word ?? 'uniform';
  const problem = rangeProblem(min, max, distribution);
  if (problem !== undefined) {
    reporter.error('search', valueRange(entries.get(problem.key) ?? entry), problem.message);
    return undefined;
  }
  return { path, kind: 'range', min, max, distribution };
}

function rangeProblem(
  min: number,
  max: number,
  distribution: (typeof DISTRIBUTIONS)[number],
): { readonly key: 'min' | 'max'; readonly message: string } | undefined {
  if (min > max) return { key: 'min', message: `'min' is ${min}; expected at most 'max', ${max}` };
  if (min === max) {
    return { key: 'min', message: `'min' and 'max' are both ${min}; write it in 'with'` };
  }
  if (distribution === 'log_uniform' && min <= 0) {
    return { key: 'min', message: `'min' is ${min}; expected above 0 with log_uniform` };
  }
  if (distribution !== 'int') return undefined;
  for (const [key, value] of [
    ['min', min],
    ['max', max],
  ] as const) {
    if (!Number.isSafeInteger(value)) {
      return { key, message: `${quote(key)} is ${value}; expected an integer with int` };
    }
  }
  return undefined;
}

function readNumber(entry: LocatedEntry | undefined, reporter: Reporter): number | undefined {
  if (entry === undefined) return undefined;
  const found = toJson(entry.value);
  if (typeof found === 'number') return found;
  const message = `${quote(entry.key)} is ${describeFound(found)}; expected a number`;
  reporter.error('value-type', valueRange(entry), message);
  return undefined;
}

/** Rule `search`: the input takes what is tried: each value, and both ends of a range. */
function checkValues(
  parameter: SearchParameter,
  entry: LocatedEntry,
  { entries }: LocatedMap,
  signature: StepSignature,
  reporter: Reporter,
): void {
  const { path } = parameter;
  const schemas = schemasAt(valueSchema(signature.with, 'input'), path);
  const refuse = (value: JsonValue, range: LocatedEntry['keyRange'], remedy = ''): void => {
    const message = `${quote(entry.key)} is tried with ${describeFound(value)}; expected ${describeSchemas(schemas)}${remedy}`;
    reporter.error('search', range, message);
  };
  if (parameter.kind === 'values') {
    const list = entries.get('values')?.value;
    const items = list?.kind === 'list' ? list.items : [];
    for (const item of items) {
      const value = toJson(item);
      if (isRefused(signature, path, value)) refuse(value, item.range);
    }
    return;
  }
  const { min, max, distribution } = parameter;
  const between = min + (max - min) / Math.PI;
  if (distribution !== 'int' && !schemas.some((schema) => accepts(schema, between))) {
    refuse(Number(between.toPrecision(6)), entry.keyRange, '; add distribution: int');
    return;
  }
  for (const [key, value] of [
    ['min', min],
    ['max', max],
  ] as const) {
    if (isRefused(signature, path, value)) refuse(value, valueRange(entries.get(key) ?? entry));
  }
}

function isRefused(signature: StepSignature, path: readonly string[], value: JsonValue): boolean {
  const inputs = { value: withInput({}, path, value), holes: [] };
  const problems = inputProblems(signature.with, inputs);
  return problems.some((problem) => problem.kind !== 'threw' && isWithin(problem.path, path));
}

/** Of two places one inside the other, one would overwrite the other. */
function checkApart(
  read: readonly { readonly parameter: LocatedEntry }[],
  reporter: Reporter,
): void {
  for (const [index, { parameter }] of read.entries()) {
    const path = parameter.key.split('.');
    const around = read.find(
      (other, at) => at !== index && isWithin(path, other.parameter.key.split('.')),
    );
    if (around === undefined) continue;
    const message = `${quote(parameter.key)} is inside ${quote(around.parameter.key)}, which is tried too; remove one of the two`;
    reporter.error('search', parameter.keyRange, message);
  }
}
