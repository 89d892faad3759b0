/** A value that survives JSON: what crosses between YAML, workflow history and the store. */
export type JsonValue =
  null | boolean | number | string | readonly JsonValue[] | { readonly [key: string]: JsonValue };

export type JsonObject = { readonly [key: string]: JsonValue };

/** Whether a path leads to a place in a value, or to something inside it. */
export function isWithin(
  path: readonly (string | number)[],
  place: readonly (string | number)[],
): boolean {
  return place.every((part, index) => path[index] === part);
}
