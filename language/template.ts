import { ExpressionError, parseExpression, templateSegments } from '../plan/expressions.ts';
import type { Expression, TemplateSegment } from '../plan/expressions.ts';
import { reportExpression } from './checks/expression.ts';
import type { LocatedScalar } from './located.ts';
import type { Reporter } from './reporter.ts';
import type { Range } from './source-text.ts';

/** An expression and where each part of it stands. */
export interface LocatedExpression {
  readonly expression: Expression;
  /** Range in the source of offsets into the expression's text. */
  readonly rangeOf: (place: Range) => Range;
}

/** A text with `${{ }}` in it. */
export interface LocatedTemplate {
  readonly scalar: LocatedScalar;
  readonly text: string;
  readonly expressions: readonly LocatedExpression[];
  /** Set when the text is one `${{ }}` and nothing else. */
  readonly whole?: LocatedExpression;
  /** Some expression could not be read, and was reported. */
  readonly isBroken: boolean;
}

/** Reads the expressions of the file's texts, each once. */
export class TemplateReader {
  readonly #reporter: Reporter;
  readonly #templates = new Map<LocatedScalar, LocatedTemplate>();
  readonly #conditions = new Map<LocatedScalar, LocatedExpression | undefined>();

  constructor(reporter: Reporter) {
    this.#reporter = reporter;
  }

  /** @returns undefined for a value without expressions */
  read(scalar: LocatedScalar): LocatedTemplate | undefined {
    const { value } = scalar;
    if (typeof value !== 'string' || !value.includes('${{')) return undefined;
    const known = this.#templates.get(scalar);
    if (known !== undefined) return known;
    const template = this.#readTemplate(scalar, value);
    this.#templates.set(scalar, template);
    return template;
  }

  /** The expression of an `if`, whose `${{ }}` was taken off. */
  readCondition(scalar: LocatedScalar, text: string): LocatedExpression | undefined {
    if (!this.#conditions.has(scalar)) {
      this.#conditions.set(scalar, this.#parse(scalar, text, this.#find(scalar, text, 0)));
    }
    return this.#conditions.get(scalar);
  }

  #readTemplate(scalar: LocatedScalar, text: string): LocatedTemplate {
    const segments = templateSegments(text);
    const expressions: LocatedExpression[] = [];
    let searched = 0;
    let isBroken = false;
    for (const segment of segments) {
      if (segment.kind === 'text') continue;
      const start = this.#find(scalar, segment.text, searched);
      searched = start === undefined ? searched : start - scalar.range.start + segment.text.length;
      const located = this.#parseSegment(scalar, segment, start);
      if (located === undefined) isBroken = true;
      else expressions.push(located);
    }
    const [whole] = expressions;
    const isWhole = segments.length === 1 && whole !== undefined;
    return { scalar, text, expressions, isBroken, ...(isWhole && { whole }) };
  }

  #parseSegment(
    scalar: LocatedScalar,
    segment: TemplateSegment & { kind: 'expression' },
    start: number | undefined,
  ): LocatedExpression | undefined {
    if (segment.isClosed) return this.#parse(scalar, segment.text, start);
    const at = start === undefined ? scalar.range : { start: start - 3, end: start };
    this.#reporter.error('expression', at, "'${{' without '}}'; close the expression");
    return undefined;
  }

  #parse(
    scalar: LocatedScalar,
    text: string,
    start: number | undefined,
  ): LocatedExpression | undefined {
    const rangeOf = (place: Range): Range =>
      start === undefined
        ? scalar.range
        : { start: start + place.start, end: start + Math.max(place.end, place.start + 1) };
    try {
      return { expression: parseExpression(text), rangeOf };
    } catch (error) {
      if (!(error instanceof ExpressionError)) throw error;
      reportExpression(error, rangeOf(error), this.#reporter);
      return undefined;
    }
  }

  /** Escapes and folded lines can keep a text from standing in the source as it is. */
  #find(scalar: LocatedScalar, text: string, searched: number): number | undefined {
    const { start, end } = scalar.range;
    const at = this.#reporter.source.text.slice(start, end).indexOf(text, searched);
    return at < 0 ? undefined : start + at;
  }
}
