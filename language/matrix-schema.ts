import type { JsonObject } from '../plan/json.ts';
import { combineMatrix, type MatrixEntry } from '../plan/matrix.ts';
import { checkHasEntries, checkIsList, isExpression, reportMatrix } from './checks/matrix.ts';
import { checkMatrixSize } from './checks/limit.ts';
import type { Located, LocatedEntry, LocatedMap } from './located.ts';
import type { Step, Strategy } from './pipeline.ts';
import { closed, itemsOf, oneSchema, schemaOfValue } from './schema-making.ts';
import type { ValueSchema } from './schema.ts';
import { type InputContext, resolveInputs, resolveScalar } from './step-inputs.ts';

/** The type of `matrix` in a step, as far as its lists tell. */
export function matrixSchema(strategy: Strategy, context: InputContext): ValueSchema {
  const { dimensions, include, isBroken } = strategy;
  // Any value may be there.
  if (isBroken || (include !== undefined && isExpression(include.value))) return {};
  const found = new Map<string, ValueSchema[]>();
  const add = (key: string, schemas: readonly ValueSchema[]): void => {
    found.set(key, [...(found.get(key) ?? []), ...schemas]);
  };
  for (const dimension of dimensions.values()) {
    add(dimension.key, dimensionTypes(dimension, context));
  }
  for (const item of include?.value.kind === 'list' ? include.value.items : []) {
    if (item.kind !== 'map') continue;
    for (const { key, value } of item.entries.values()) add(key, [typeOf(value, context)]);
  }
  return closed(Object.fromEntries([...found].map(([key, schemas]) => [key, oneSchema(schemas)])));
}

function dimensionTypes(dimension: LocatedEntry, context: InputContext): readonly ValueSchema[] {
  const { value } = dimension;
  if (value.kind === 'list') return value.items.map((item) => typeOf(item, context));
  if (value.kind === 'map') return [{}];
  const resolved = resolveScalar(value, context);
  if ('value' in resolved) {
    const list = resolved.value;
    if (Array.isArray(list)) return list.map(schemaOfValue);
    checkIsList(dimension, String(value.value), [schemaOfValue(list)], context.reporter);
    return [{}];
  }
  checkIsList(dimension, resolved.text, resolved.schemas, context.reporter);
  return itemsOf(resolved.schemas);
}

function typeOf(located: Located, context: InputContext): ValueSchema {
  if (located.kind === 'list') {
    const items = oneSchema(located.items.map((item) => typeOf(item, context)));
    return { type: 'array', items };
  }
  if (located.kind === 'map') {
    const entries = [...located.entries.values()];
    return closed(
      Object.fromEntries(entries.map(({ key, value }) => [key, typeOf(value, context)])),
    );
  }
  const resolved = resolveScalar(located, context);
  return 'value' in resolved ? schemaOfValue(resolved.value) : oneSchema(resolved.schemas);
}

/**
 * The entries of a step's matrix, where its lists are known before the run; what is wrong with
 * them is reported.
 *
 * @param context without `matrix`
 * @returns undefined when they are known at run time only, or were reported
 */
export function knownEntries(
  { id }: Step,
  strategy: Strategy,
  context: InputContext,
): readonly MatrixEntry[] | undefined {
  const { reporter } = context;
  const { dimensions, include, exclude, isBroken, range } = strategy;
  if (isBroken || !checkMatrixSize(strategy, reporter)) return undefined;
  const matrix: LocatedMap = { kind: 'map', range, entries: dimensions };
  const parts = [matrix, include?.value, exclude?.value].map((part) =>
    part === undefined ? undefined : resolveInputs(part, context),
  );
  if (parts.some((part) => part !== undefined && part.holes.length > 0)) return undefined;
  const [lists, included, excluded] = parts.map((part) => part?.value as JsonObject | undefined);
  try {
    const entries = combineMatrix(id, {
      matrix: lists ?? {},
      ...(included !== undefined && { include: included }),
      ...(excluded !== undefined && { exclude: excluded }),
    });
    checkHasEntries(strategy, entries.length, reporter);
    return entries;
  } catch (error) {
    reportMatrix(strategy, error instanceof Error ? error.message : String(error), reporter);
    return undefined;
  }
}

/** Entries whose inputs are checked one by one. */
const MAX_CHECKED = 100;

/** Of many entries those in which a value stands for the first time. */
export function telling(entries: readonly MatrixEntry[]): readonly MatrixEntry[] {
  const seen = new Set<string>();
  return entries
    .filter(({ values }) => {
      const before = seen.size;
      for (const pair of Object.entries(values)) seen.add(JSON.stringify(pair));
      return seen.size > before;
    })
    .slice(0, MAX_CHECKED);
}
