import type { Diagnostic } from './diagnostic.ts';
import type { Rule } from './rules.ts';
import type { Range, SourceText } from './source-text.ts';

/** Collects what the rules find. */
export class Reporter {
  readonly source: SourceText;
  readonly #found = new Map<string, { readonly diagnostic: Diagnostic; readonly start: number }>();

  constructor(source: SourceText) {
    this.source = source;
  }

  error(rule: Rule, range: Range, message: string): void {
    this.#add('error', rule, range, message);
  }

  hint(rule: Rule, range: Range, message: string): void {
    this.#add('hint', rule, range, message);
  }

  #errorCount = 0;

  /** Rises with each error: equal before and after a reading, it found none. */
  get errorCount(): number {
    return this.#errorCount;
  }

  get hasErrors(): boolean {
    return this.#errorCount > 0;
  }

  /** Whether there are errors of other rules than this one. */
  hasErrorsBeside(rule: Rule): boolean {
    return [...this.#found.values()].some(
      ({ diagnostic }) => diagnostic.severity === 'error' && diagnostic.rule !== rule,
    );
  }

  /** In the order of the text. */
  diagnostics(): readonly Diagnostic[] {
    return [...this.#found.values()]
      .sort((a, b) => a.start - b.start || compare(a.diagnostic, b.diagnostic))
      .map(({ diagnostic }) => diagnostic);
  }

  // What stands behind a YAML alias is checked wherever it is used, and reported once.
  #add(severity: Diagnostic['severity'], rule: Rule, range: Range, message: string): void {
    const key = `${range.start} ${range.end} ${rule} ${message}`;
    if (this.#found.has(key)) return;
    const { file } = this.source;
    const diagnostic = { rule, severity, message, file, ...this.source.place(range) };
    if (severity === 'error') this.#errorCount += 1;
    this.#found.set(key, { diagnostic, start: range.start });
  }
}

function compare(a: Diagnostic, b: Diagnostic): number {
  return a.rule < b.rule ? -1 : a.rule > b.rule ? 1 : a.message < b.message ? -1 : 1;
}
