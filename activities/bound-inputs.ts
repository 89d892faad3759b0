import type { JsonObject, JsonValue } from '../plan/json.ts';
import { secretNames, type SecretInput } from '../plan/secret-inputs.ts';
import { readSecrets, type SecretSources } from './secret-values.ts';

export interface BoundInputs {
  readonly inputs: JsonObject;
  /** The secrets that are in them: values by name. */
  readonly secrets: ReadonlyMap<string, string>;
}

/**
 * A step's inputs with its secrets in them. They are for the step's own code, and nothing else.
 *
 * @throws InvalidInput as `readSecrets`
 */
export async function bindSecrets(
  { inputs, secrets = [] }: { inputs: JsonObject; secrets?: readonly SecretInput[] },
  sources: SecretSources,
): Promise<BoundInputs> {
  const values = await readSecrets(secretNames(secrets), sources);
  const bound = secrets.reduce<JsonValue>(
    (value, { path, parts }) =>
      changedAt(value, path, () =>
        parts.map((part) => (typeof part === 'string' ? part : values.get(part.secret))).join(''),
      ),
    inputs,
  );
  return { inputs: bound as JsonObject, secrets: values };
}

/** A copy in which the value at a path is another; undefined takes a key away, and an item's value. */
export function changedAt(
  value: JsonValue,
  [key, ...rest]: SecretInput['path'],
  change: () => JsonValue | undefined,
): JsonValue {
  if (value === null || typeof value !== 'object' || key === undefined) return value;
  const next = (child: JsonValue): JsonValue | undefined =>
    rest.length === 0 ? change() : changedAt(child, rest, change);
  if (Array.isArray(value)) {
    return value.map((child: JsonValue, at) => (at === key ? (next(child) ?? null) : child));
  }
  const entries = Object.entries(value).map(
    ([name, child]) => [name, name === key ? next(child) : child] as const,
  );
  return Object.fromEntries(entries.filter(([, child]) => child !== undefined)) as JsonObject;
}
