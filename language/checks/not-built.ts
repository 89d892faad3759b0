import type { LocatedMap } from '../located.ts';
import { quote } from '../located.ts';
import type { Reporter } from '../reporter.ts';
import type { Range } from '../source-text.ts';

/** Rule `not-built`: what the language promises and no build has yet is refused, never ignored. */
export function reportNotBuilt(found: string, range: Range, reporter: Reporter): void {
  reporter.error('not-built', range, `${quote(found)} is not built yet; remove it`);
}

export function checkKeysNotBuilt(
  map: LocatedMap,
  notBuilt: readonly string[],
  reporter: Reporter,
): void {
  for (const { key, keyRange } of map.entries.values()) {
    if (notBuilt.includes(key)) reportNotBuilt(key, keyRange, reporter);
  }
}
