/** Half-open range of offsets into a source text, in UTF-16 code units. */
export interface Range {
  readonly start: number;
  readonly end: number;
}

export interface SourcePlace {
  readonly line: number;
  readonly column: number;
  readonly length: number;
  readonly sourceLine: string;
}

/** The text that diagnostics point into. */
export class SourceText {
  readonly file: string;
  readonly text: string;
  readonly #lineStarts: readonly number[];

  constructor(file: string, text: string) {
    this.file = file;
    this.text = text;
    const starts = [0];
    for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', at + 1)) starts.push(at + 1);
    this.#lineStarts = starts;
  }

  /** Line and column, from 1, of the first line of a range; columns count characters. */
  place({ start, end }: Range): SourcePlace {
    const line = this.#lineOf(start);
    const lineStart = this.#lineStarts[line - 1] ?? 0;
    const nextLine = this.#lineStarts[line] ?? this.text.length + 1;
    const sourceLine = this.text.slice(lineStart, nextLine - 1).replace(/\r$/, '');
    const inLine = start - lineStart;
    const marked = sourceLine.slice(inLine, Math.max(inLine, end - lineStart));
    return {
      line,
      column: characters(sourceLine.slice(0, inLine)) + 1,
      length: Math.max(1, characters(marked)),
      sourceLine,
    };
  }

  #lineOf(offset: number): number {
    let low = 0;
    let high = this.#lineStarts.length;
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if ((this.#lineStarts[middle] ?? 0) <= offset) low = middle;
      else high = middle;
    }
    return low + 1;
  }
}

function characters(text: string): number {
  return [...text].length;
}
