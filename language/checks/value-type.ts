import type { LocatedEntry, LocatedList, LocatedMap } from '../located.ts';
import { describeFound, quote, toJson, valueRange } from '../located.ts';
import type { Reporter } from '../reporter.ts';

/** Rule `value-type`: the shape of what the language itself reads; `with` has its kind's schema. */
function reportValueType(entry: LocatedEntry, expected: string, reporter: Reporter): void {
  const found = describeFound(toJson(entry.value));
  const message = `${quote(entry.key)} is ${found}; expected ${expected}`;
  reporter.error('value-type', valueRange(entry), message);
}

export function readMap(
  entry: LocatedEntry | undefined,
  expected: string,
  reporter: Reporter,
): LocatedMap | undefined {
  if (entry === undefined) return undefined;
  if (entry.value.kind === 'map') return entry.value;
  reportValueType(entry, expected, reporter);
  return undefined;
}

export function readList(
  entry: LocatedEntry | undefined,
  expected: string,
  reporter: Reporter,
): LocatedList | undefined {
  if (entry === undefined) return undefined;
  if (entry.value.kind === 'list') return entry.value;
  reportValueType(entry, expected, reporter);
  return undefined;
}

export function readBoolean(
  entry: LocatedEntry | undefined,
  reporter: Reporter,
): boolean | undefined {
  if (entry === undefined) return undefined;
  const found = toJson(entry.value);
  if (typeof found === 'boolean') return found;
  reportValueType(entry, 'true or false', reporter);
  return undefined;
}

export function readText(entry: LocatedEntry | undefined, reporter: Reporter): string | undefined {
  if (entry === undefined) return undefined;
  const { value } = entry;
  if (value.kind === 'scalar' && typeof value.value === 'string') return value.value;
  const isPlain = value.kind === 'scalar' && value.value !== null;
  const remedy = isPlain ? `; write ${entry.key}: '${String(value.value)}'` : '';
  reportValueType(entry, `a string${remedy}`, reporter);
  return undefined;
}
