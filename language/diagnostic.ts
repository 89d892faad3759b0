import { printable } from './excerpt.ts';

/** The rules that a pipeline is checked against; each but the first two is a file in checks/. */
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
  'secret',
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
  /** The line, cut when it is long, and the marks under it. */
  readonly excerpt: readonly [line: string, marks: string];
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
  const { file, line, column, severity, message, rule, excerpt } = diagnostic;
  const label = severity === 'hint' ? 'hint: ' : '';
  const head = `${file}:${line}:${column}: ${label}${message} [${rule}]`;
  return [printable(head), ...excerpt].join('\n');
}
