import type { JsonObject, JsonValue } from '../plan/json.ts';
import type { Range } from './source-text.ts';

/** A JSON value that knows where in the source it stands. */
export type Located = LocatedMap | LocatedList | LocatedScalar;

export interface LocatedEntry {
  readonly key: string;
  readonly keyRange: Range;
  readonly value: Located;
}

export interface LocatedMap {
  readonly kind: 'map';
  readonly range: Range;
  /** In the file's order, each key once. */
  readonly entries: ReadonlyMap<string, LocatedEntry>;
}

export interface LocatedList {
  readonly kind: 'list';
  readonly range: Range;
  readonly items: readonly Located[];
}

export interface LocatedScalar {
  readonly kind: 'scalar';
  readonly range: Range;
  readonly value: string | number | boolean | null;
  /** A number written without a fraction or an exponent. */
  readonly isInteger: boolean;
}

export function toJson(located: Located): JsonValue {
  switch (located.kind) {
    case 'map':
      return mapToJson(located);
    case 'list':
      return located.items.map(toJson);
    case 'scalar':
      return located.value;
  }
}

export function mapToJson({ entries }: LocatedMap): JsonObject {
  return Object.fromEntries([...entries.values()].map(({ key, value }) => [key, toJson(value)]));
}

/** The value at a path, or the nearest one around it: a param's value has no places inside. */
export function locatedAt(located: Located, path: readonly (string | number)[]): Located {
  const [key, ...rest] = path;
  const child =
    located.kind === 'map'
      ? located.entries.get(String(key))?.value
      : located.kind === 'list'
        ? located.items[Number(key)]
        : undefined;
  return key === undefined || child === undefined ? located : locatedAt(child, rest);
}

/** Where to point for the value of an entry: an absent one has no text of its own. */
export function valueRange({ keyRange, value }: LocatedEntry): Range {
  return value.range.end > value.range.start ? value.range : keyRange;
}

/** Every scalar of a value, in order. */
export function* scalars(located: Located): Generator<LocatedScalar> {
  if (located.kind === 'scalar') yield located;
  else if (located.kind === 'list') for (const item of located.items) yield* scalars(item);
  else for (const { value } of located.entries.values()) yield* scalars(value);
}

/** `'many', a string`; `a map`; `empty`: how messages name what was found. */
export function describeFound(value: JsonValue): string {
  if (value === null) return 'empty';
  if (typeof value === 'string') return `${quote(value)}, a string`;
  if (typeof value === 'object')
    return Array.isArray(value) ? `a list of ${value.length}` : 'a map';
  return plainText(value);
}

/** A value inside a message: text as it is, anything else as JSON. */
export function plainText(value: JsonValue): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}

/** A user's text in single quotes, cut when it is long. */
export function quote(text: string): string {
  return `'${text.length > 60 ? `${text.slice(0, 59)}…` : text}'`;
}
