import { readDuration } from './checks/duration.ts';
import { ON_FAILURE } from './grammar.ts';
import type { Located, LocatedEntry, LocatedMap } from './located.ts';
import { describeFound, quote, toJson, valueRange } from './located.ts';
import type { FailureHandling, Need, OnFailure } from './pipeline.ts';
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

/** `on_failure` and `pause_timeout`, of a step or of `defaults`. Rules `value-type` and `duration`. */
export function readFailureHandling(
  entries: LocatedMap['entries'],
  defaults: FailureHandling,
  reporter: Reporter,
): FailureHandling {
  const onFailure = readOnFailure(entries.get('on_failure'), reporter);
  const pauseTimeoutMs = readDuration(entries.get('pause_timeout'), 1, reporter);
  return {
    onFailure: onFailure ?? defaults.onFailure,
    pauseTimeoutMs: pauseTimeoutMs ?? defaults.pauseTimeoutMs,
  };
}

function readOnFailure(entry: LocatedEntry | undefined, reporter: Reporter): OnFailure | undefined {
  if (entry === undefined) return undefined;
  const found = toJson(entry.value);
  const known = ON_FAILURE.find((word) => word === found);
  if (known !== undefined) return known;
  const remedy =
    typeof found === 'string' ? suggestion(found, ON_FAILURE) : `expected ${oneOf(ON_FAILURE)}`;
  const message = `'on_failure' is ${describeFound(found)}; ${remedy}`;
  reporter.error('value-type', valueRange(entry), message);
  return undefined;
}

/** Rule `value-type`: a time to wait for somebody is of a step that waits. */
export function checkPauseTimeout(
  entry: LocatedEntry | undefined,
  { onFailure }: FailureHandling,
  reporter: Reporter,
): void {
  if (entry === undefined || onFailure === 'pause') return;
  const message =
    "'pause_timeout' counts while a step pauses, and this one fails at once; add 'on_failure: pause', or remove it";
  reporter.error('value-type', entry.keyRange, message);
}
