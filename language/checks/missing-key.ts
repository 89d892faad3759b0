import type { LocatedMap } from '../located.ts';
import { quote } from '../located.ts';
import type { Reporter } from '../reporter.ts';
import type { Range } from '../source-text.ts';
import { closest } from '../suggestion.ts';

/** Rule `missing-key`: what has to be there, with the least that would do. */
export function checkMissingKeys(
  map: LocatedMap,
  required: Readonly<Record<string, string>>,
  where: string,
  range: Range,
  reporter: Reporter,
): void {
  for (const [key, snippet] of Object.entries(required)) {
    if (hasKeyLike(map, key)) continue; // there, or reported as unknown
    reporter.error('missing-key', range, `${where} has no ${quote(key)}; add ${snippet}`);
  }
}

/** Whether a map has a key, well or badly spelt. */
export function hasKeyLike({ entries }: LocatedMap, key: string): boolean {
  return entries.has(key) || [...entries.keys()].some((found) => closest(found, [key]) === key);
}
