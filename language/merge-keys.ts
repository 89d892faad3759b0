import { isScalar } from 'yaml';
import type { LocatedEntry, LocatedMap } from './located.ts';
import { describeFound, toJson, valueRange } from './located.ts';
import type { Reporter } from './reporter.ts';

/** `<<`, without quotes around it. Source: yaml.org/type/merge.html. */
export function isMergeKey(key: unknown): boolean {
  return isScalar(key) && key.type === 'PLAIN' && key.value === '<<';
}

/**
 * The maps that `<<` names: one, or a list of which the first counts most. Rule `yaml`: there is
 * nothing else to merge.
 */
export function mergeSources(merge: LocatedEntry, reporter: Reporter): readonly LocatedMap[] {
  const { value } = merge;
  const given = value.kind === 'list' ? value.items : [value];
  const sources = given.filter((source) => source.kind === 'map');
  for (const source of given) {
    if (source.kind === 'map') continue;
    const range = source === value ? valueRange(merge) : source.range;
    const message = `'<<' merges ${describeFound(toJson(source))}; expected a map, or a list of maps, such as <<: *anchor`;
    reporter.error('yaml', range, message);
  }
  // A map a second time adds nothing, and thousands of times would take long.
  return [...new Set(sources)];
}

/** The entries of a map with those that it merges, which come first; its own keys count most. */
export function withMerged(
  own: ReadonlyMap<string, LocatedEntry>,
  sources: readonly LocatedMap[],
): Map<string, LocatedEntry> {
  const entries = new Map<string, LocatedEntry>();
  for (const source of sources) {
    for (const [key, entry] of source.entries) {
      if (!own.has(key) && !entries.has(key)) entries.set(key, entry);
    }
  }
  return new Map([...entries, ...own]);
}
