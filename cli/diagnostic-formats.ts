import { isAbsolute, relative } from 'node:path';
import { pathToFileURL } from 'node:url';
import { formatDiagnostics, type Diagnostic } from '../language/compile.ts';
import { printable } from '../language/excerpt.ts';
import { RULES } from '../language/rules.ts';
import type { Format } from './formats.ts';
import { printLines } from './output.ts';
import { userPath } from './user-path.ts';

export interface CheckedFile {
  readonly file: string;
  readonly diagnostics: readonly Diagnostic[];
  /** Why it could not be read. */
  readonly problem?: string;
}

/**
 * Prints what was found in files, and on stderr which of them could not be read.
 *
 * @returns the exit code: 0, 1 on errors, 2 when a file could not be read
 */
export function printChecked(checked: readonly CheckedFile[], format: Format): number {
  const problems = checked.flatMap(({ problem = [] }) => problem);
  for (const problem of problems) process.stderr.write(`error: ${problem}\n`);
  const text = renderChecked(checked, format);
  if (text !== '') printLines([text]);
  return problems.length > 0 ? 2 : hasErrors(checked) ? 1 : 0;
}

function hasErrors(checked: readonly CheckedFile[]): boolean {
  return checked.some(({ diagnostics }) =>
    diagnostics.some(({ severity }) => severity === 'error'),
  );
}

/** Ready to print; empty when there is nothing to say. */
export function renderChecked(checked: readonly CheckedFile[], format: Format): string {
  const problems = checked.flatMap(({ problem = [] }) => problem);
  const diagnostics = checked.flatMap((each) => each.diagnostics);
  switch (format) {
    case 'json': {
      const ok = problems.length === 0 && !hasErrors(checked);
      const error = { type: 'Error', message: problems.join('\n') };
      return JSON.stringify({ ok, diagnostics, ...(problems.length > 0 && { error }) });
    }
    case 'github':
      return [
        ...diagnostics.map(workflowCommand),
        ...problems.map((problem) => `::error title=retune::${escapeData(problem)}`),
      ].join('\n');
    case 'sarif':
      return JSON.stringify(sarifLog(diagnostics, problems), null, 2);
    case 'text':
      return checked.flatMap(linesOf).join('\n');
  }
}

function linesOf(checked: CheckedFile): readonly string[] {
  const { file, diagnostics, problem } = checked;
  const found = diagnostics.length === 0 ? [] : [formatDiagnostics(diagnostics)];
  const isGood = problem === undefined && !hasErrors([checked]);
  return isGood ? [...found, `${file}: no errors`] : found;
}

/**
 * An annotation of GitHub Actions, on the line of a pull request.
 * Source: docs.github.com, Workflow commands; escapes as in @actions/core, command.ts.
 */
function workflowCommand(diagnostic: Diagnostic): string {
  const { severity, line, column, length, rule, message } = diagnostic;
  const properties = Object.entries({
    ...{
      file: checkoutPath(diagnostic.file),
      line,
      endLine: line,
      col: column,
      endColumn: column + length,
    },
    title: `retune: ${rule}`,
  }).map(([name, value]) => `${name}=${escapeProperty(String(value))}`);
  const command = severity === 'error' ? 'error' : 'notice';
  return `::${command} ${properties.join(',')}::${escapeData(printable(message))}`;
}

function escapeData(text: string): string {
  return text.replaceAll('%', '%25').replaceAll('\r', '%0D').replaceAll('\n', '%0A');
}

function escapeProperty(text: string): string {
  return escapeData(text).replaceAll(':', '%3A').replaceAll(',', '%2C');
}

const RULE_NAMES = Object.keys(RULES);
const SARIF_RULES = Object.entries(RULES).map(([id, { summary }]) => ({
  id,
  shortDescription: { text: summary },
  help: { text: `${summary} Examples: docs/diagnostics.md#${id}` },
}));

/** Source: SARIF 2.1.0, docs.oasis-open.org/sarif/sarif/v2.1.0. */
function sarifLog(diagnostics: readonly Diagnostic[], problems: readonly string[]): object {
  return {
    $schema: 'https://json.schemastore.org/sarif-2.1.0.json',
    version: '2.1.0',
    runs: [
      {
        tool: { driver: { name: 'retune', rules: SARIF_RULES } },
        ...(problems.length > 0 && {
          invocations: [
            {
              executionSuccessful: false,
              toolExecutionNotifications: problems.map((text) => ({
                level: 'error',
                message: { text: sarifMessage(text) },
              })),
            },
          ],
        }),
        columnKind: 'unicodeCodePoints',
        results: diagnostics.map((diagnostic) => ({
          ruleId: diagnostic.rule,
          ruleIndex: RULE_NAMES.indexOf(diagnostic.rule),
          level: diagnostic.severity === 'error' ? 'error' : 'note',
          message: { text: sarifMessage(diagnostic.message) },
          locations: [
            {
              physicalLocation: {
                artifactLocation: { uri: uriOf(diagnostic.file) },
                region: {
                  startLine: diagnostic.line,
                  startColumn: diagnostic.column,
                  endColumn: diagnostic.column + diagnostic.length,
                },
              },
            },
          ],
        })),
      },
    ],
  };
}

/**
 * Text that readers show as it is: nothing in it is a placeholder, or a link. Source: SARIF 2.1.0, 3.11.5 and
 * 3.11.6; braces without a number in them are left, for no reader takes them for a placeholder, and few undouble.
 */
function sarifMessage(text: string): string {
  return text.replaceAll(/\{(\d+)\}/g, '{{$1}}').replaceAll(/\[([^[\]]*)\](?=\()/g, '\\[$1\\]');
}

function uriOf(file: string): string {
  const path = checkoutPath(file);
  return isAbsolute(path)
    ? pathToFileURL(path).href
    : path.split('/').map(encodeURIComponent).join('/');
}

/** A file's path in the checkout, which is where GitHub Actions says or where the person stands. */
function checkoutPath(file: string): string {
  const root = process.env['GITHUB_WORKSPACE'] || userPath('.');
  const path = relative(root, userPath(file));
  return path.startsWith('..') || isAbsolute(path) ? userPath(file) : path;
}
