import serialize from 'canonicalize';
import { createHash } from 'node:crypto';
import type { JsonValue } from '../plan/json.ts';

// The package is CommonJS with types that declare an ES default export; Node gives the function.
const canonicalize = serialize as unknown as (input: unknown) => string | undefined;

/** JSON Canonicalization Scheme (RFC 8785): equal values give equal text. */
export function canonicalJson(value: JsonValue): string {
  const text = canonicalize(value);
  if (text === undefined) throw new Error('internal: canonicalJson of a value that is not JSON');
  return text;
}

/** SHA-256 of the canonical JSON of `value`, 64 hexadecimal digits. */
export function sha256OfJson(value: JsonValue): string {
  return createHash('sha256').update(canonicalJson(value)).digest('hex');
}
