import type { Scalar } from 'yaml';

/** A key's name as the compiler reads it: `true` and `1.0` are texts where they are keys. */
export function keyName({ value, source }: Scalar): string {
  return typeof value === 'string' ? value : (source ?? String(value));
}
