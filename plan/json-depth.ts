import type { JsonValue } from './json.ts';

/** Maps and lists within one another: what is deeper exhausts the stack of what reads it. */
export const MAX_DEPTH = 64;

/** Whether maps and lists are within one another more than `levels` times. */
export function isDeeper(value: JsonValue, levels: number): boolean {
  let layer: readonly JsonValue[] = [value];
  for (let depth = 0; layer.length > 0; depth += 1) {
    if (depth > levels) return true;
    layer = layer.flatMap((item) =>
      item !== null && typeof item === 'object' ? Object.values<JsonValue>(item) : [],
    );
  }
  return false;
}
