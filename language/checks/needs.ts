import type { Located, LocatedEntry } from '../located.ts';
import { describeFound, quote, toJson, valueRange } from '../located.ts';
import type { Need } from '../pipeline.ts';
import type { Reporter } from '../reporter.ts';

/** `needs: [a, b]`, or `needs: a`, as in GitHub Actions. Rule `value-type`. */
export function readNeeds(entry: LocatedEntry | undefined, reporter: Reporter): readonly Need[] {
  if (entry === undefined) return [];
  const { value } = entry;
  const items: readonly Located[] = value.kind === 'list' ? value.items : [value];
  const needs: Need[] = [];
  for (const item of items) {
    const found = toJson(item);
    if (typeof found === 'string') needs.push({ id: found, range: item.range });
    else {
      const range = item === value ? valueRange(entry) : item.range;
      const message = `${quote(entry.key)} holds ${describeFound(found)}; expected step ids, such as [data, base]`;
      reporter.error('value-type', range, message);
    }
  }
  return needs;
}
