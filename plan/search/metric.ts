import type { JsonObject, JsonValue } from '../json.ts';
import { valueAt } from './space.ts';

/** The number at a path inside a step's outputs, if there is one: `metrics.eval_loss`. */
export function numberAt(outputs: JsonObject, path: string): number | undefined {
  const found = valueAt(outputs, path.split('.'));
  return typeof found === 'number' ? found : undefined;
}

/** Paths of the numbers inside a step's outputs. */
export function numberPaths(outputs: JsonObject): readonly string[] {
  return pathsIn(outputs, '');
}

function pathsIn(value: JsonValue, path: string): readonly string[] {
  if (typeof value === 'number') return [path];
  if (value === null || typeof value !== 'object' || Array.isArray(value)) return [];
  return Object.entries(value).flatMap(([key, item]) =>
    pathsIn(item, path === '' ? key : `${path}.${key}`),
  );
}
