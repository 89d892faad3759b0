import type { LocatedMap } from '../located.ts';
import { quote } from '../located.ts';
import type { Reporter } from '../reporter.ts';
import { suggestion } from '../suggestion.ts';

/** Rule `unknown-key`: nothing that a person writes is ignored. */
export function checkUnknownKeys(
  map: LocatedMap,
  known: readonly string[],
  where: string,
  reporter: Reporter,
  notBuilt: readonly string[] = [],
): void {
  for (const { key, keyRange } of map.entries.values()) {
    if (known.includes(key) || notBuilt.includes(key)) continue;
    const message = `unknown key ${quote(key)} in ${where}; ${suggestion(key, known)}`;
    reporter.error('unknown-key', keyRange, message);
  }
}
