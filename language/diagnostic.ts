/** The rules that a pipeline is checked against; each but the first two has a file in checks/. */
export const RULES = [
  'source',
  'yaml',
  'condition',
  'cycle',
  'duplicate-key',
  'duration',
  'expression',
  'limit',
  'missing-key',
  'name',
  'not-built',
  'param',
  'param-value',
  'reference',
  'runs-on',
  'schedule',
  'unknown-key',
  'uses',
  'value-type',
  'wire',
  'with',
] as const;
export type Rule = (typeof RULES)[number];

/** What is wrong with a pipeline and where, or worth knowing about it; plain JSON. */
export interface Diagnostic {
  readonly rule: Rule;
  /** An error refuses the pipeline, a hint does not. */
  readonly severity: 'error' | 'hint';
  /** Found, expected, remedy; in lower case, quoting the user's text. */
  readonly message: string;
  readonly file: string;
  /** From 1. */
  readonly line: number;
  /** From 1, in characters of the line. */
  readonly column: number;
  /** Characters underlined in that line, at least 1. */
  readonly length: number;
  /** The line as it stands in the source. */
  readonly sourceLine: string;
}

export interface FormatOptions {
  /** The rest is counted in a last line. Default 100. */
  readonly maxDiagnostics?: number;
}

/**
 * Diagnostics as text, for a terminal or a failure's message:
 *
 * ```text
 * tweets.yaml:3:5: unknown key 'use' in step 'data'; did you mean 'uses'? [unknown-key]
 *     use: download-dataset@1
 *     ^~~
 * ```
 */
export function formatDiagnostics(
  diagnostics: readonly Diagnostic[],
  { maxDiagnostics = 100 }: FormatOptions = {},
): string {
  const shown = diagnostics.slice(0, maxDiagnostics).map(formatDiagnostic);
  const rest = diagnostics.length - shown.length;
  if (rest > 0) shown.push(`... and ${rest} more`);
  return shown.join('\n');
}

function formatDiagnostic(diagnostic: Diagnostic): string {
  const { file, line, column, severity, message, rule } = diagnostic;
  const label = severity === 'hint' ? 'hint: ' : '';
  const head = `${file}:${line}:${column}: ${label}${message} [${rule}]`;
  return [visible(head), ...underlined(diagnostic)].join('\n');
}

const MAX_WIDTH = 120;
const CONTEXT_BEFORE = 40;

/** The source line and the marks under it; a long line is cut around the marked text. */
function underlined({ sourceLine, column, length }: Diagnostic): readonly string[] {
  const characters = [...visible(sourceLine)];
  const start = column - 1;
  const isLong = characters.length > MAX_WIDTH;
  const from = isLong ? Math.max(0, start - CONTEXT_BEFORE) : 0;
  const to = isLong ? from + MAX_WIDTH : characters.length;
  const before = characters.slice(from, start);
  const marked = characters.slice(start, Math.min(start + length, to));
  const text = `${from > 0 ? '…' : ''}${characters.slice(from, to).join('')}${to < characters.length ? '…' : ''}`;
  const indent = `${from > 0 ? ' ' : ''}${before.map(blank).join('')}`;
  const width = marked.reduce((sum, character) => sum + displayWidth(character), 0);
  return [text, `${indent}^${'~'.repeat(Math.max(0, width - 1))}`];
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

/** Control characters as pictures, so that a pipeline cannot drive the reader's terminal. */
function visible(text: string): string {
  return text.replaceAll(/[\p{Cc}\p{Zl}\p{Zp}\u202A-\u202E\u2066-\u2069]/gu, (character) => {
    if (character === '\t') return character;
    const code = character.charCodeAt(0);
    return code < 0x20 ? String.fromCharCode(0x2400 + code) : '\uFFFD';
  });
}
