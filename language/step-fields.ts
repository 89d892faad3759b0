import { reportNotBuilt } from './checks/not-built.ts';
import { ON_FAILURE } from './grammar.ts';
import type { Located, LocatedEntry } from './located.ts';
import { describeFound, quote, toJson, valueRange } from './located.ts';
import type { Need } from './pipeline.ts';
import type { Reporter } from './reporter.ts';
import { oneOf, suggestion } from './suggestion.ts';

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

/** `on_failure: fail`, which is also the default. Rules `value-type` and `not-built`. */
export function readOnFailure(entry: LocatedEntry | undefined, reporter: Reporter): void {
  if (entry === undefined) return;
  const found = toJson(entry.value);
  if (ON_FAILURE.some((word) => word === found)) return;
  if (found === 'pause') {
    reportNotBuilt('on_failure: pause', valueRange(entry), reporter);
    return;
  }
  const remedy =
    typeof found === 'string' ? suggestion(found, ON_FAILURE) : `expected ${oneOf(ON_FAILURE)}`;
  const message = `'on_failure' is ${describeFound(found)}; ${remedy}`;
  reporter.error('value-type', valueRange(entry), message);
}
