import type { Range } from './source-text.ts';

/** How a scalar is written, as sticky expressions. */
interface Style {
  /** The mark before the value. */
  readonly mark: RegExp;
  readonly space: RegExp;
  /** What stands for nothing: the end of a line that goes on in the next. */
  readonly joint: RegExp;
  /** What stands for one character. */
  readonly character: RegExp;
}

const SPACE = /[ \t\r\n]+/y;
const NOTHING = /(?:)/y;
const PLAIN: Style = { mark: NOTHING, space: SPACE, joint: NOTHING, character: /[^]/y };
const BLOCK: Style = { ...PLAIN, mark: /.*\r?\n/y };
const STYLES: ReadonlyMap<string, Style> = new Map([
  ['|', BLOCK],
  ['>', BLOCK],
  ["'", { ...PLAIN, mark: /'/y, character: /''|[^]/y }],
  [
    '"',
    {
      mark: /"/y,
      space: /(?:[ \t\r\n]|\\(?:[ tnr\n]|\r\n))+/y,
      joint: /(?:\\\r?\n[ \t]*)*/y,
      character: /\\(?:x..|u.{4}|U.{8}|[^])|[^]/y,
    },
  ],
]);

/**
 * Where each code unit of a scalar's value stands in the source. The two differ by quotes, escapes,
 * indentation and folded lines: any run of white space stands for any other.
 *
 * @returns offsets into the source, fewer than the value has code units where the two part
 */
export function scalarOffsets(source: string, range: Range, value: string): readonly number[] {
  const written = source.slice(range.start, range.end);
  const style = STYLES.get(written.charAt(0)) ?? PLAIN;
  const offsets: number[] = [];
  let at = lengthAt(style.mark, written, 0);
  if (lengthAt(SPACE, value, 0) === 0) at += lengthAt(style.space, written, at);
  while (offsets.length < value.length) {
    const next = offsets.length;
    const wanted = lengthAt(SPACE, value, next);
    if (wanted === 0) at += lengthAt(style.joint, written, at);
    const length = lengthAt(wanted > 0 ? style.space : style.character, written, at);
    if (length === 0 || (length === 1 && wanted === 0 && written[at] !== value[next])) break;
    const units = wanted > 0 ? wanted : unitsOf(written, at, value, next);
    for (let unit = 0; unit < units; unit += 1) {
      offsets.push(range.start + at + (wanted > 0 ? Math.min(unit, length - 1) : 0));
    }
    at += length;
  }
  return offsets;
}

/** An escape such as \U0001F600 stands for two code units. */
function unitsOf(written: string, at: number, value: string, next: number): number {
  return written.startsWith('\\U', at) && (value.codePointAt(next) ?? 0) > 0xffff ? 2 : 1;
}

function lengthAt(pattern: RegExp, text: string, at: number): number {
  pattern.lastIndex = at;
  return pattern.exec(text)?.[0].length ?? 0;
}
