import type { Diagnostic } from './diagnostic.ts';
import type { Rule } from './rules.ts';
import type { Range, SourceText } from './source-text.ts';

/** Characters of one message: it may list what a person wrote, of any length. */
const MAX_MESSAGE = 2000;

/** A file of 5,000 steps with two mistakes in each; whoever writes more does it to keep a worker busy. */
const MAX_FOUND = 10_000;

/** Ends the checks of a file: see `Reporter.attempt`. */
class EndOfChecks extends Error {
  override readonly name = 'EndOfChecks';
}

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
  #isEnding = false;

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

  /** Reports that a file has too much of something to be checked further, and ends the `attempt`. */
  end(message: string): never {
    this.#isEnding = true;
    this.error('limit', { start: 0, end: 0 }, message);
    throw new EndOfChecks();
  }

  /** What the checks give; undefined when they were ended, which was reported. */
  attempt<T>(checks: () => T): T | undefined {
    try {
      return checks();
    } catch (error) {
      if (!(error instanceof EndOfChecks)) throw error;
      return undefined;
    }
  }

  /** In the order of the text. */
  diagnostics(): readonly Diagnostic[] {
    return [...this.#found.values()]
      .sort((a, b) => a.start - b.start || compare(a.diagnostic, b.diagnostic))
      .map(({ diagnostic }) => diagnostic);
  }

  // What stands behind a YAML alias is checked wherever it is used, and reported once.
  #add(severity: Diagnostic['severity'], rule: Rule, range: Range, text: string): void {
    const message = text.length > MAX_MESSAGE ? `${text.slice(0, MAX_MESSAGE - 1)}…` : text;
    const key = `${range.start} ${range.end} ${rule} ${message}`;
    if (this.#found.has(key)) return;
    if (this.#found.size === MAX_FOUND && !this.#isEnding) {
      this.end(`there are more than ${MAX_FOUND} problems; the rest was not looked for`);
    }
    const { file } = this.source;
    const diagnostic = { rule, severity, message, file, ...this.source.place(range) };
    if (severity === 'error') this.#errorCount += 1;
    this.#found.set(key, { diagnostic, start: range.start });
  }
}

function compare(a: Diagnostic, b: Diagnostic): number {
  return a.rule < b.rule ? -1 : a.rule > b.rule ? 1 : a.message < b.message ? -1 : 1;
}
