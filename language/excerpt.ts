/** Characters of a line that are shown. */
const MAX_WIDTH = 120;
const BEFORE = 40;
/** UTF-16 code units in which more than that many characters are found. */
const WINDOW = 300;

/**
 * A line of source and the marks under a part of it, ready to print: `^~~~`. A long line is cut
 * around the part.
 *
 * @param start of the part, in UTF-16 code units of the line
 */
export function excerptOf(
  line: string,
  start: number,
  length: number,
): readonly [line: string, marks: string] {
  const from = line.length > WINDOW ? Math.max(0, start - WINDOW / 2) : 0;
  const before = [...printable(line.slice(from, start))];
  const marked = [...printable(line.slice(start, start + Math.min(length, WINDOW)))];
  const after = [...printable(line.slice(start + length, start + length + WINDOW))];
  const isLong = from > 0 || before.length + marked.length + after.length > MAX_WIDTH;
  const shownBefore = isLong ? before.slice(-BEFORE) : before;
  const room = isLong ? MAX_WIDTH - shownBefore.length : Infinity;
  const shownMarked = marked.slice(0, room);
  const shownAfter = after.slice(0, room - shownMarked.length);
  const isCutBefore = from > 0 || shownBefore.length < before.length;
  const isCutAfter = shownMarked.length + shownAfter.length < marked.length + after.length;
  const shown = [...shownBefore, ...shownMarked, ...shownAfter].join('');
  const width = shownMarked.reduce((sum, character) => sum + displayWidth(character), 0);
  return [
    `${isCutBefore ? '…' : ''}${shown}${isCutAfter ? '…' : ''}`,
    `${isCutBefore ? ' ' : ''}${shownBefore.map(blank).join('')}^${'~'.repeat(Math.max(0, width - 1))}`,
  ];
}

/** Control characters as pictures, so that a pipeline cannot drive the reader's terminal. */
export function printable(text: string): string {
  return text.replaceAll(/[\p{Cc}\p{Zl}\p{Zp}\u202A-\u202E\u2066-\u2069]/gu, (character) => {
    if (character === '\t') return character;
    const code = character.charCodeAt(0);
    return code < 0x20 ? String.fromCharCode(0x2400 + code) : '\uFFFD';
  });
}

function blank(character: string): string {
  return character === '\t' ? '\t' : ' '.repeat(displayWidth(character));
}

const WIDE =
  /^[\u1100-\u115F\u2E80-\uA4CF\uAC00-\uD7A3\uF900-\uFAFF\uFE30-\uFE6F\uFF00-\uFF60\uFFE0-\uFFE6]|^\p{Emoji_Presentation}/u;

/** Columns of a terminal: two for East Asian wide characters and emoji, none for combining marks. */
function displayWidth(character: string): number {
  if (/^[\p{M}\p{Cf}]/u.test(character)) return 0;
  return WIDE.test(character) ? 2 : 1;
}
