import { excerptOf } from './excerpt.ts';

/** Half-open range of offsets into a source text, in UTF-16 code units. */
export interface Range {
  readonly start: number;
  readonly end: number;
}

export interface SourcePlace {
  /** From 1. */
  readonly line: number;
  /** From 1, in characters of the line. */
  readonly column: number;
  /** Characters of the line that the range covers, at least 1. */
  readonly length: number;
  readonly excerpt: readonly [line: string, marks: string];
}

/** The text that diagnostics point into. */
export class SourceText {
  readonly file: string;
  readonly text: string;
  readonly #lineStarts: readonly number[];
  /** Characters that are two code units are counted once. */
  readonly #pairs: readonly number[];

  constructor(file: string, text: string) {
    this.file = file;
    this.text = text;
    this.#lineStarts = [0, ...Array.from(text.matchAll(/\n/g), ({ index }) => index + 1)];
    this.#pairs = Array.from(
      text.matchAll(/[\uD800-\uDBFF][\uDC00-\uDFFF]/g),
      ({ index }) => index,
    );
  }

  /** The first line of a range, and the place in it. */
  place({ start, end }: Range): SourcePlace {
    const line = this.lineOf(start);
    const lineStart = this.#lineStarts[line - 1] ?? 0;
    const lineEnd = (this.#lineStarts[line] ?? this.text.length + 1) - 1;
    const text = this.text.slice(lineStart, lineEnd);
    const sourceLine = text.endsWith('\r') ? text.slice(0, -1) : text;
    const to = Math.min(end, lineStart + sourceLine.length);
    return {
      line,
      column: this.#characters(lineStart, start) + 1,
      length: Math.max(1, this.#characters(start, to)),
      excerpt: excerptOf(sourceLine, start - lineStart, Math.max(0, to - start)),
    };
  }

  /** From 1. */
  lineOf(offset: number): number {
    return countBelow(this.#lineStarts, offset + 1);
  }

  #characters(from: number, to: number): number {
    return to - from - (countBelow(this.#pairs, to) - countBelow(this.#pairs, from));
  }
}

/** How many of the ascending numbers are below a limit. */
function countBelow(ascending: readonly number[], limit: number): number {
  let low = 0;
  let high = ascending.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((ascending[middle] ?? 0) < limit) low = middle + 1;
    else high = middle;
  }
  return low;
}
