import { isWithin, type JsonObject, type JsonValue } from '../plan/json.ts';
import type { CachePolicy } from '../plan/plan.ts';
import type { SecretInput } from '../plan/secret-inputs.ts';
import type { CacheEntry } from '../store/cache.ts';
import { changedAt } from './bound-inputs.ts';

interface CacheUser {
  readonly force: boolean;
  readonly cache?: CachePolicy;
}

/** Whether the step does its work whatever results there are. */
export function isUncached({ force, cache }: CacheUser): boolean {
  return force || cache?.enabled === false;
}

/** How old a result is, in milliseconds, when that is too old for the step. */
export function tooOld({ cache }: CacheUser, { createdAt }: CacheEntry): number | undefined {
  const ageMs = Date.now() - createdAt;
  return cache?.maxAgeMs !== undefined && ageMs >= cache.maxAgeMs ? ageMs : undefined;
}

/** Whether a result that there is, when the step has made its own, still stands for it. */
export function isKept(user: CacheUser, entry: CacheEntry): boolean {
  return user.cache?.enabled !== false && tooOld(user, entry) === undefined;
}

interface Considered {
  readonly inputs: JsonObject;
  readonly secrets?: readonly SecretInput[];
}

/** What the fingerprint is of: without the inputs that the step's `cache` ignores. */
export function withoutIgnored(
  { inputs, secrets }: Considered,
  { ignore = [] }: Partial<CachePolicy> = {},
): Considered {
  const isIgnored = ({ path }: SecretInput): boolean =>
    ignore.some((names) => isWithin(path, names));
  const rest = ignore.reduce<JsonValue>(
    (value, names) => changedAt(value, names, () => undefined),
    inputs,
  ) as JsonObject;
  const kept = secrets?.filter((secret) => !isIgnored(secret)) ?? [];
  return { inputs: rest, ...(kept.length > 0 && { secrets: kept }) };
}
