import type { LocatedEntry } from '../located.ts';
import { describeFound, toJson, valueRange } from '../located.ts';
import type { Reporter } from '../reporter.ts';
import { suggestion } from '../suggestion.ts';
import { reportNotBuilt } from './not-built.ts';

/** `on_failure: fail`, which is also the default. Rules `value-type` and `not-built`. */
export function readOnFailure(entry: LocatedEntry | undefined, reporter: Reporter): void {
  if (entry === undefined) return;
  const found = toJson(entry.value);
  if (found === 'fail') return;
  if (found === 'pause') {
    reportNotBuilt('on_failure: pause', valueRange(entry), reporter);
    return;
  }
  const remedy = typeof found === 'string' ? suggestion(found, ['fail']) : 'expected fail';
  const message = `'on_failure' is ${describeFound(found)}; ${remedy}`;
  reporter.error('value-type', valueRange(entry), message);
}
