import { quote } from '../located.ts';
import type { Reporter } from '../reporter.ts';
import type { Range } from '../source-text.ts';

/** Rule `not-built`: what the language promises and no build has yet is refused, never ignored. */
export function reportNotBuilt(found: string, range: Range, reporter: Reporter): void {
  reporter.error('not-built', range, `${quote(found)} is not built yet; remove it`);
}
