import { CST, Lexer } from 'yaml';
import { closingBraces } from '../plan/expression-syntax.ts';
import { MAX_DEPTH } from '../plan/json-depth.ts';
import type { Reporter } from './reporter.ts';
import type { Range } from './source-text.ts';

/** Marks, keys and values of the text; a pipeline of 5,000 steps has some 200,000. */
const MAX_TOKENS = 300_000;
/** Characters looked at to find every bare expression: one with an odd quote in it takes a look of its own. */
const MAX_SCANNED = 10_000_000;
/** Characters of the longest expression, and room for its braces. */
const MAX_EXPRESSION = 4200;

/** What the lexer makes of a text: its pieces in order, and marks between them that have no text. */
export type Marks = readonly string[];

/** To YAML the braces of `{ rows: ${{ params.rows }} }` open maps: they are reported, and other text put in their place. */
export function withoutBareExpressions(given: string, first: Marks, reporter: Reporter): Marks {
  let text = given;
  let marks = first;
  for (let scanned = 0; scanned < MAX_SCANNED; scanned += text.length) {
    const bare = bareExpressions(text, marks);
    if (bare.length === 0) break;
    for (const range of bare) {
      const message = 'an expression inside { } or [ ] has to be in double quotes';
      reporter.error('yaml', range, message);
    }
    text = masked(text, bare);
    marks = [...new Lexer().lex(text)];
  }
  return marks;
}

/**
 * The parser is slow on hostile text: the cheap lexer counts first.
 * @returns undefined when there is too much, which was reported
 */
export function lex(text: string, reporter: Reporter): Marks | undefined {
  const marks: string[] = [];
  let count = 0;
  let depth = 0;
  const places = new LexemePlaces();
  for (const source of new Lexer().lex(text)) {
    marks.push(source);
    const start = places.take(source);
    if (start === undefined) continue;
    count += 1;
    if (count > MAX_TOKENS) {
      const message = `the file has more than ${MAX_TOKENS} YAML tokens; split the pipeline`;
      reporter.error('yaml', { start: 0, end: 0 }, message);
      return undefined;
    }
    if (source === '[' || source === '{') depth += 1;
    if (source === ']' || source === '}') depth -= 1;
    if (depth <= MAX_DEPTH) continue;
    reportTooDeep(start, reporter);
    return undefined;
  }
  return marks;
}

/** Rule `yaml`: what reads values is recursive. */
export function reportTooDeep(start: number, reporter: Reporter): void {
  const message = `values nest more than ${MAX_DEPTH} levels deep; flatten them`;
  reporter.error('yaml', { start, end: start }, message);
}

/** The bare expressions of a text, up to one after which the lexer is lost: it took a quote inside for its own. */
function bareExpressions(text: string, marks: Marks): readonly Range[] {
  const found: Range[] = [];
  const places = new LexemePlaces();
  let end = 0;
  for (const source of text.includes('${{') ? marks : []) {
    const start = places.take(source);
    if (start === undefined) continue;
    if (start < end && start + source.length > end) break;
    const dollar = start + source.length - 1;
    // In block style `${{` is inside a scalar; in flow style the scalar ends, and its braces are marks.
    if (start < end || !source.endsWith('$') || !text.startsWith('${{', dollar)) continue;
    end = dollar + expressionLength(text, dollar);
    found.push({ start: dollar, end });
  }
  return found;
}

/** With its braces; those alone where it is not closed in its line. */
function expressionLength(text: string, start: number): number {
  const [line = ''] = text.slice(start, start + MAX_EXPRESSION).split('\n', 1);
  const close = closingBraces(line, 3);
  return close < 0 ? 3 : close + 2;
}

const MARKS: ReadonlySet<string> = new Set([CST.DOCUMENT, CST.FLOW_END, CST.SCALAR]);

/** Where the lexer's tokens stand; the marks that it puts between them have no text. */
class LexemePlaces {
  #next = 0;
  #isScalar = false;

  /** The place of the piece after those that were taken; undefined for a mark. */
  take(source: string): number | undefined {
    const isMark = !this.#isScalar && source.length === 1 && MARKS.has(source);
    this.#isScalar = isMark && source === CST.SCALAR;
    if (isMark) return undefined;
    const start = this.#next;
    this.#next += source.length;
    return start;
  }
}

function masked(text: string, ranges: readonly Range[]): string {
  const parts: string[] = [];
  let position = 0;
  for (const { start, end } of ranges) {
    parts.push(text.slice(position, start), 'x'.repeat(end - start));
    position = end;
  }
  return parts.join('') + text.slice(position);
}
