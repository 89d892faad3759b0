import type { LocatedEntry } from '../located.ts';
import { quote } from '../located.ts';
import type { Reporter } from '../reporter.ts';
import type { Range } from '../source-text.ts';

/** Rule `duplicate-key`: of two values for one key, nobody can know which was meant. */
export function reportDuplicateKey(first: LocatedEntry, again: Range, reporter: Reporter): void {
  const line = reporter.source.lineOf(first.keyRange.start);
  const message = `key ${quote(first.key)} is here a second time, after line ${line}; keep one`;
  reporter.error('duplicate-key', again, message);
}
