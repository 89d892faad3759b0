import { ExpressionError, parseExpression, templateSegments } from '../plan/expressions.ts';
import type { Expression, TemplateSegment } from '../plan/expressions.ts';
import { reportExpression, reportUnclosed } from './checks/expression.ts';
import type { LocatedScalar } from './located.ts';
import { plainText } from './located.ts';
import type { Reporter } from './reporter.ts';
import { scalarOffsets } from './scalar-offsets.ts';
import type { Range } from './source-text.ts';

/** Four for each step of the largest file; thousands in one text keep a worker busy. */
const MAX_EXPRESSIONS = 20_000;

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
  #expressionCount = 0;

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
      const value = plainText(scalar.value);
      const open = value.indexOf('${{');
      const start = value.indexOf(text, open < 0 ? 0 : open + 3);
      this.#conditions.set(scalar, this.#parse(text, start, this.#placesIn(scalar, value)));
    }
    return this.#conditions.get(scalar);
  }

  /** Every expression that was read so far. */
  *expressions(): Generator<LocatedExpression> {
    for (const { expressions } of this.#templates.values()) yield* expressions;
    for (const condition of this.#conditions.values()) if (condition) yield condition;
  }

  #readTemplate(scalar: LocatedScalar, text: string): LocatedTemplate {
    const segments = templateSegments(text);
    const place = this.#placesIn(scalar, text);
    const expressions: LocatedExpression[] = [];
    let isBroken = false;
    for (const segment of segments) {
      if (segment.kind === 'text') continue;
      const located = this.#parseSegment(segment, place);
      if (located === undefined) isBroken = true;
      else expressions.push(located);
    }
    const [whole] = expressions;
    const isWhole = segments.length === 1 && whole !== undefined;
    return { scalar, text, expressions, isBroken, ...(isWhole && { whole }) };
  }

  #parseSegment(
    { text, start, isClosed }: TemplateSegment & { kind: 'expression' },
    place: PlaceOf,
  ): LocatedExpression | undefined {
    if (isClosed) return this.#parse(text, start, place);
    reportUnclosed(place({ start: start - 3, end: start }), this.#reporter);
    return undefined;
  }

  #parse(text: string, start: number, place: PlaceOf): LocatedExpression | undefined {
    this.#expressionCount += 1;
    if (this.#expressionCount > MAX_EXPRESSIONS) {
      this.#reporter.end(
        `the file has more than ${MAX_EXPRESSIONS} expressions; split the pipeline`,
      );
    }
    const rangeOf = (part: Range): Range =>
      place({ start: start + part.start, end: start + part.end });
    try {
      return { expression: parseExpression(text), rangeOf };
    } catch (error) {
      if (!(error instanceof ExpressionError)) throw error;
      reportExpression(error, rangeOf(error), this.#reporter);
      return undefined;
    }
  }

  /** Ranges of a scalar's value, at least one character long, as ranges of the source. */
  #placesIn(scalar: LocatedScalar, value: string): PlaceOf {
    let known: readonly number[] | undefined;
    return ({ start, end }) => {
      known ??= scalarOffsets(this.#reporter.source.text, scalar.range, value);
      const first = known[start];
      const last = known[Math.max(start, end - 1)];
      return first === undefined
        ? scalar.range
        : { start: first, end: Math.max(first, last ?? first) + 1 };
    };
  }
}

type PlaceOf = (part: Range) => Range;
