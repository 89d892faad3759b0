import { isAbsolute, relative } from 'node:path';
import { pathToFileURL } from 'node:url';
import { formatDiagnostics, type Diagnostic } from '../language/compile.ts';
import { RULES } from '../language/diagnostic.ts';
import { printable } from '../language/excerpt.ts';
import type { UnreadableFile } from './commands/pipeline-file.ts';
import type { Format } from './formats.ts';
import { printLines } from './output.ts';
import { userPath } from './user-path.ts';

/** What was found in a file, ready to print; empty when there is nothing to say. */
export function renderDiagnostics(
  file: string,
  diagnostics: readonly Diagnostic[],
  format: Format,
): string {
  const hasErrors = diagnostics.some(({ severity }) => severity === 'error');
  switch (format) {
    case 'json':
      return JSON.stringify({ ok: !hasErrors, diagnostics });
    case 'github':
      return diagnostics.map(workflowCommand).join('\n');
    case 'sarif':
      return JSON.stringify(sarifLog(diagnostics), null, 2);
    case 'text': {
      const found = diagnostics.length === 0 ? [] : [formatDiagnostics(diagnostics)];
      return [...found, ...(hasErrors ? [] : [`${file}: no errors`])].join('\n');
    }
  }
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

/** Source: SARIF 2.1.0, docs.oasis-open.org/sarif/sarif/v2.1.0. */
function sarifLog(diagnostics: readonly Diagnostic[], failure?: string): object {
  return {
    $schema: 'https://json.schemastore.org/sarif-2.1.0.json',
    version: '2.1.0',
    runs: [
      {
        tool: { driver: { name: 'retune', rules: RULES.map((id) => ({ id })) } },
        ...(failure !== undefined && {
          invocations: [
            {
              executionSuccessful: false,
              toolExecutionNotifications: [{ level: 'error', message: { text: failure } }],
            },
          ],
        }),
        columnKind: 'unicodeCodePoints',
        results: diagnostics.map((diagnostic) => ({
          ruleId: diagnostic.rule,
          ruleIndex: RULES.indexOf(diagnostic.rule),
          level: diagnostic.severity === 'error' ? 'error' : 'note',
          message: { text: diagnostic.message },
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

/** Says that a file could not be read, on stderr and to what reads `format`. @returns the exit code */
export function endUnread({ message }: UnreadableFile, format: Format): number {
  process.stderr.write(`error: ${message}\n`);
  const failure = renderFailure(message, format);
  if (failure !== undefined) printLines([failure]);
  return 2;
}

/** For what reads `format`; undefined where stderr is enough. */
function renderFailure(message: string, format: Format): string | undefined {
  switch (format) {
    case 'text':
      return undefined;
    case 'json':
      return JSON.stringify({ ok: false, error: { type: 'Error', message } });
    case 'github':
      return `::error title=retune::${escapeData(message)}`;
    case 'sarif':
      return JSON.stringify(sarifLog([], message), null, 2);
  }
}
