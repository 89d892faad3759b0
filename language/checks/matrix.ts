import { keysOfPart, STRATEGY } from '../grammar.ts';
import type { Located, LocatedEntry, LocatedMap } from '../located.ts';
import { describeFound, quote, toJson, valueRange } from '../located.ts';
import type { Strategy } from '../pipeline.ts';
import type { Reporter } from '../reporter.ts';
import { describeSchemas, kindsOf, type ValueSchema } from '../schema.ts';
import { suggestion } from '../suggestion.ts';
import { checkNoExpressionKeys } from './expression.ts';
import { MAX_PARALLEL, readCount } from './limit.ts';
import { checkDistinctNames, checkName } from './name.ts';
import { checkUnknownKeys } from './unknown-key.ts';
import { readBoolean, readMap } from './value-type.ts';

const SNIPPET = 'matrix: { learning_rate: [1.0e-4, 5.0e-5] }';
const LIST = 'a list of values, or an expression that gives one';
const MAPS = 'a list of maps, such as [{ learning_rate: 1.0e-4 }]';

/** Reads the matrix of a step's `strategy`. Rule `matrix`: which lists are combined, and how. */
export function readStrategy(
  entry: LocatedEntry | undefined,
  reporter: Reporter,
): Strategy | undefined {
  const map = readMap(entry, `a map such as { ${SNIPPET} }`, reporter);
  if (entry === undefined || map === undefined || map.entries.has('search')) return undefined;
  const before = reporter.errorCount;
  const keys = keysOfPart(STRATEGY);
  checkUnknownKeys(map, keys, "'strategy'", reporter);
  const [include, exclude] = [map.entries.get('include'), map.entries.get('exclude')];
  if (!['matrix', 'include'].some((key) => map.entries.has(key))) {
    reporter.error('missing-key', entry.keyRange, `'strategy' has no 'matrix'; add ${SNIPPET}`);
  }
  const dimensions = readDimensions(map.entries.get('matrix'), reporter);
  checkMaps(include, undefined, reporter);
  checkMaps(exclude, [...dimensions.keys()], reporter);
  const limits = { minimum: 1, maximum: MAX_PARALLEL };
  const maxParallel = readCount(map.entries.get('max_parallel'), limits, reporter);
  const failFast = readBoolean(map.entries.get('fail_fast'), reporter) ?? true;
  return {
    range: entry.keyRange,
    dimensions,
    failFast,
    isBroken: reporter.errorCount > before,
    ...(include !== undefined && { include }),
    ...(exclude !== undefined && { exclude }),
    ...(maxParallel !== undefined && { maxParallel }),
  };
}

function readDimensions(
  entry: LocatedEntry | undefined,
  reporter: Reporter,
): LocatedMap['entries'] {
  const map = readMap(entry, 'a map of lists, such as { learning_rate: [1.0e-4] }', reporter);
  const dimensions = map?.entries ?? new Map<string, LocatedEntry>();
  for (const dimension of dimensions.values()) readDimension(dimension, reporter);
  const ranges = [...dimensions].map(([key, { keyRange }]) => [key, keyRange] as const);
  checkDistinctNames(new Map(ranges), 'matrix', reporter);
  if (entry !== undefined && map?.entries.size === 0) {
    reporter.error('matrix', entry.keyRange, `'matrix' has no lists; write ${SNIPPET}`);
  }
  return dimensions;
}

function readDimension(entry: LocatedEntry, reporter: Reporter): void {
  const { key, keyRange, value } = entry;
  if (key === 'include' || key === 'exclude') {
    const message = `${quote(key)} is inside 'matrix'; write it beside 'matrix', in 'strategy'`;
    reporter.error('matrix', keyRange, message);
    return;
  }
  checkName(key, 'matrix', keyRange, reporter);
  checkNoExpressionKeys(value, reporter);
  if (isExpression(value)) return;
  if (value.kind !== 'list') {
    const found = toJson(value);
    const isPlain = value.kind === 'scalar' && found !== null;
    const remedy = isPlain ? `; write [${String(value.value)}]` : '';
    const message = `matrix ${quote(key)} is ${describeFound(found)}; expected ${LIST}${remedy}`;
    reporter.error('matrix', valueRange(entry), message);
  } else if (value.items.length === 0) {
    const message = `matrix ${quote(key)} is an empty list, so the step would never run; add a value`;
    reporter.error('matrix', valueRange(entry), message);
  }
}

/** @param known the keys that a map may have; any when undefined */
function checkMaps(
  entry: LocatedEntry | undefined,
  known: readonly string[] | undefined,
  reporter: Reporter,
): void {
  if (entry === undefined || isExpression(entry.value)) return;
  const { key, value } = entry;
  checkNoExpressionKeys(value, reporter);
  if (value.kind !== 'list') {
    const message = `${quote(key)} is ${describeFound(toJson(value))}; expected ${MAPS}`;
    reporter.error('matrix', valueRange(entry), message);
    return;
  }
  for (const item of value.items) {
    if (item.kind !== 'map') {
      const message = `${quote(key)} holds ${describeFound(toJson(item))}; expected ${MAPS}`;
      reporter.error(
        'matrix',
        item.range.end > item.range.start ? item.range : value.range,
        message,
      );
    } else {
      for (const { key: name, keyRange } of item.entries.values()) {
        if (known === undefined) checkName(name, 'matrix', keyRange, reporter);
        else if (!known.includes(name)) {
          const message = `${quote(key)} names ${quote(name)}, which the matrix has not; ${suggestion(name, known)}`;
          reporter.error('matrix', keyRange, message);
        }
      }
    }
  }
}

/** Rule `matrix`: what a dimension reads can be a list. */
export function checkIsList(
  { key, value }: LocatedEntry,
  text: string,
  schemas: readonly ValueSchema[],
  reporter: Reporter,
): void {
  const kinds = schemas.flatMap((schema) => [...kindsOf(schema)]);
  if (kinds.some((kind) => kind === 'list' || kind === 'anything')) return;
  const message = `matrix ${quote(key)} gets ${quote(text)}, ${describeSchemas(schemas)}; expected a list`;
  reporter.error('matrix', value.range, message);
}

/** Rule `matrix`: values that are known before the run, and cannot be combined. */
export function reportMatrix({ range }: Strategy, message: string, reporter: Reporter): void {
  reporter.error('matrix', range, message);
}

/** Rule `matrix`: nothing is left to run. */
export function checkHasEntries(strategy: Strategy, count: number, reporter: Reporter): void {
  // An empty list that a param gives is a matter of that run.
  const isWritten = [...strategy.dimensions.values()].every(({ value }) => !isExpression(value));
  if (count > 0 || !isWritten || strategy.exclude === undefined) return;
  reporter.error('matrix', strategy.exclude.keyRange, "'exclude' leaves no entry; take a map out");
}

export function isExpression(value: Located): boolean {
  return value.kind === 'scalar' && typeof value.value === 'string' && value.value.includes('${{');
}
