import { expect } from 'vitest';
import { renderChecked } from '../../cli/diagnostic-formats.ts';
import { type Format, FORMATS } from '../../cli/formats.ts';
import { compile, type CheckOptions, type Diagnostic } from '../../language/compile.ts';
import type { Plan } from '../../plan/plan.ts';

/** A small input that takes longer hangs, on any machine. */
const HANG_MS = 2000;

/**
 * What holds for any input at all: it is refused with diagnostics that have a place in its text, in
 * order, and print in every format, or it compiles to a plan that can be run. And soon.
 *
 * @returns whether it compiles
 */
export function expectSound(options: CheckOptions, hangMs = HANG_MS): boolean {
  const compiled = timed(() => compile(options));
  const result = compiled.value;
  const found = result.ok ? result.hints : result.diagnostics;
  const lines = linesOf(options.source);
  const isRefused = found.some(({ severity }) => severity === 'error');
  // One assertion for all: thousands of inputs are looked at.
  const problems = [
    compiled.cpuMs > hangMs && `compile() took ${compiled.cpuMs} ms`,
    result.ok === isRefused && 'errors do not agree with the result',
    ...problemsOf(found, lines),
    ...(result.ok ? problemsOfPlan(result.plan) : []),
  ].filter((problem) => problem !== false);
  expect(problems).toEqual([]);
  return result.ok;
}

/** Time of this process on a processor: what else the machine does at the same time is not in it. */
export function timed<T>(work: () => T): { readonly value: T; readonly cpuMs: number } {
  const before = process.cpuUsage();
  const value = work();
  const { user, system } = process.cpuUsage(before);
  return { value, cpuMs: (user + system) / 1000 };
}

type Problem = string | false;

/** The lines that places are in; undefined for an object, whose text is made of it. */
function linesOf(source: CheckOptions['source']): readonly string[] | undefined {
  if (typeof source !== 'string' && !(source instanceof Uint8Array)) return undefined;
  const text = typeof source === 'string' ? source : new TextDecoder().decode(source);
  return text.replace(/^\uFEFF/, '').split(/\r\n|\r|\n/);
}

function problemsOf(
  found: readonly Diagnostic[],
  lines: readonly string[] | undefined,
): readonly Problem[] {
  const isOrdered = found.every(({ line, column }, index) => {
    const before = found[index - 1];
    return (
      before === undefined ||
      before.line < line ||
      (before.line === line && before.column <= column)
    );
  });
  return [
    !isOrdered && 'diagnostics out of order',
    ...found.flatMap((diagnostic) => problemsOfPlace(diagnostic, lines)),
    ...FORMATS.map((format) => problemOfFormat(found, format)),
  ];
}

function problemsOfPlace(
  { line, column, length, message, excerpt: [shown, marks] }: Diagnostic,
  lines: readonly string[] | undefined,
): readonly Problem[] {
  const text = lines?.[line - 1] ?? '';
  // Long lines are counted once, by the test that makes them.
  const characters = text.length > 10_000 ? text.length : [...text].length;
  const isInside =
    lines === undefined ||
    (line <= lines.length &&
      column <= characters + 1 &&
      column + length - 1 <= Math.max(characters, column));
  return [
    Math.min(line, column, length) < 1 && `no place: ${message}`,
    !isInside && `outside the text: ${line}:${column}+${length}: ${message}`,
    (message === '' || message.startsWith('internal')) && `message: ${message}`,
    message.length > 2000 && `a message of ${message.length} characters`,
    /[\r\n]/.test(shown) && `more than one line: ${shown}`,
    !/^[ \t]*\^~*$/.test(marks) && `marks: ${marks}`,
  ];
}

/** No control character of the input reaches a terminal, and a program can read what is for it. */
function problemOfFormat(found: readonly Diagnostic[], format: Format): Problem {
  const text = renderChecked([{ file: 'p.yaml', diagnostics: found }], format);
  if (format === 'json' || format === 'sarif') {
    return typeof JSON.parse(text) !== 'object' && `${format} is no object`;
  }
  return /[^\P{Cc}\n\t]/u.test(text) && `control characters in ${format}: ${JSON.stringify(text)}`;
}

function problemsOfPlan(plan: Plan): readonly Problem[] {
  const ids = new Set(plan.steps.map(({ id }) => id));
  const missing = plan.steps.flatMap(({ needs }) => needs).filter((need) => !ids.has(need));
  const text = JSON.stringify(plan);
  return [
    ids.size < plan.steps.length && 'two steps of one name',
    ...missing.map((need) => `no step for the need '${need}'`),
    JSON.stringify(JSON.parse(text)) !== text && 'the plan does not survive JSON',
  ];
}
