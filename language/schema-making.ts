import type { JsonValue } from '../plan/json.ts';
import type { ValueSchema } from './schema.ts';

/** A map with these keys and no others. */
export function closed(properties: Readonly<Record<string, ValueSchema>>): ValueSchema {
  return { type: 'object', properties, additionalProperties: false };
}

/** Anything that one of the schemas takes; anything at all without one, as of the items of an empty list. */
export function oneSchema(schemas: readonly ValueSchema[]): ValueSchema {
  const [first] = schemas;
  if (first === undefined) return {};
  return schemas.length === 1 ? first : { anyOf: schemas };
}

/** The type of a value that is known; of a list, that of its items. */
export function schemaOfValue(value: JsonValue): ValueSchema {
  if (value === null || typeof value !== 'object') return { const: value };
  if (isList(value)) return { type: 'array', items: {} };
  return closed(
    Object.fromEntries(Object.entries(value).map(([key, item]) => [key, schemaOfValue(item)])),
  );
}

/** What lists of these types hold, and what `.*` finds in maps; anything where that is not known. */
export function itemsOf(schemas: readonly ValueSchema[]): readonly ValueSchema[] {
  const items = schemas.flatMap((schema): readonly ValueSchema[] => {
    const branches = schema.anyOf ?? schema.oneOf;
    if (branches !== undefined) return itemsOf(branches);
    if (schema.items !== undefined) return [schema.items];
    return Object.values(schema.properties ?? {});
  });
  return items.length === 0 ? [{}] : items;
}

/** Properties that are made when they are read; one that needs itself is anything. */
export function lazily<T>(
  values: ReadonlyMap<string, T>,
  make: (value: T) => ValueSchema,
): Readonly<Record<string, ValueSchema>> {
  const properties: Record<string, ValueSchema> = {};
  for (const [name, value] of values) {
    let made: ValueSchema | undefined;
    Object.defineProperty(properties, name, {
      enumerable: true,
      get: () => {
        if (made !== undefined) return made;
        made = {};
        made = make(value);
        return made;
      },
    });
  }
  return properties;
}

function isList(value: JsonValue): value is readonly JsonValue[] {
  return Array.isArray(value);
}
