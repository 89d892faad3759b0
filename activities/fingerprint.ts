import type { JsonObject, JsonValue } from '../plan/json.ts';
import { sha256OfJson } from '../store/canonical-json.ts';

export interface FingerprintParts {
  readonly kind: string;
  readonly version: number;
  readonly revision: number;
  /** Digest of the code, of a kind of a user's own. */
  readonly source?: string;
  /** With every default filled in; artifacts by their digest. */
  readonly inputs: JsonObject;
  /** The upstream revision, for kinds of effect source. */
  readonly upstream?: JsonValue;
}

/** sha256 of the canonical JSON (RFC 8785) of everything a step's result depends on, as hex. */
export function fingerprint(parts: FingerprintParts): string {
  return sha256OfJson({ ...parts });
}
