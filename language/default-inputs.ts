import type { JsonObject, JsonValue } from '../plan/json.ts';
import type { ValueSchema } from './schema.ts';

/**
 * The keys that a map leaves out and that have a default, with that default, complete in itself.
 *
 * @param schema of the map, as written
 */
export function defaultsOf(
  schema: ValueSchema,
  given: JsonObject,
): readonly (readonly [string, JsonValue])[] {
  const { properties = {} } = branchOf(schema, given) ?? {};
  const renamed = Object.keys(given).map((key) => properties[key]?.replacedBy);
  return Object.entries(properties).flatMap(([key, property]) => {
    const { default: fallback } = property;
    // Beside an older name the newer one's default would say something that is not so.
    const isSaid = Object.hasOwn(given, key) || renamed.includes(key);
    return isSaid || fallback === undefined ? [] : [[key, completed(property, fallback)] as const];
  });
}

/** A value with the defaults of what it leaves out. */
function completed(schema: ValueSchema, value: JsonValue): JsonValue {
  if (Array.isArray(value)) return value;
  if (value === null || typeof value !== 'object') return value;
  return {
    ...(value as JsonObject),
    ...Object.fromEntries(defaultsOf(schema, value as JsonObject)),
  };
}

/** Of the alternatives of a schema, the one with known keys that a map can only mean. */
export function branchOf(schema: ValueSchema, given: JsonObject): ValueSchema | undefined {
  const branches = schema.anyOf ?? schema.oneOf ?? [schema];
  return branches.find(
    ({ properties }) =>
      properties !== undefined &&
      Object.entries(given).every(([key, value]) => {
        const property = Object.hasOwn(properties, key) ? properties[key] : undefined;
        return property !== undefined && (property.const ?? value) === value;
      }),
  );
}

/**
 * Of the alternatives of a schema, the one that a fixed value in a map names: `{ kind: absolute }`.
 *
 * @param valueAt what the map has under a key
 */
export function taggedBranch(
  schema: ValueSchema,
  valueAt: (key: string) => JsonValue | undefined,
): ValueSchema | undefined {
  return (schema.anyOf ?? schema.oneOf ?? []).find(({ properties = {} }) =>
    Object.entries(properties).some(
      ([key, { const: tag }]) => tag !== undefined && valueAt(key) === tag,
    ),
  );
}
