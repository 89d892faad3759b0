import { schemasAt, valueSchema } from '../language/schema.ts';
import type { JsonObject, JsonValue } from '../plan/json.ts';
import type { SecretInput } from '../plan/secret-inputs.ts';
import { sha256OfJson } from '../store/canonical-json.ts';
import { changedAt } from './bound-inputs.ts';
import type { AnyStep } from './catalog.ts';

export interface FingerprintParts {
  readonly kind: string;
  readonly version: number;
  readonly revision: number;
  /** Digest of the code, of a kind of a user's own. */
  readonly source?: string;
  /** With every default filled in; artifacts by their digest; a stand-in for text with secrets. */
  readonly inputs: JsonObject;
  readonly secrets?: readonly SecretInput[];
  /** Of a step with a search: all of it that decides over its result. */
  readonly search?: JsonObject;
  /** The upstream revision, for kinds of effect source. */
  readonly upstream?: JsonValue;
  /** Places of inputs that were left out: no part of the fingerprint, but known to `retune plan`. */
  readonly ignored?: readonly (readonly string[])[];
}

/**
 * sha256 of the canonical JSON (RFC 8785) of everything a step's result depends on, as hex. Of a
 * secret it holds the name and the place, and never the value; of a credential nothing at all.
 */
export function fingerprint(step: AnyStep, parts: FingerprintParts): string {
  const { kind, version, revision, source, upstream, search, secrets = [] } = parts;
  const schema = valueSchema(step.with, 'input');
  const isCredential = ({ path }: SecretInput): boolean =>
    schemasAt(schema, path).some(({ credential }) => credential === true);
  const inputs = secrets
    .filter(isCredential)
    .reduce<JsonValue>((rest, { path }) => changedAt(rest, path, () => undefined), parts.inputs);
  // A stand-in that somebody has written out is other text.
  const places = secrets.filter((input) => !isCredential(input)).map(({ path }) => path);
  return sha256OfJson({
    ...{ kind, version, revision, inputs },
    ...(source !== undefined && { source }),
    ...(places.length > 0 && { secrets: places }),
    ...(upstream !== undefined && { upstream }),
    ...(search !== undefined && { search }),
  });
}
