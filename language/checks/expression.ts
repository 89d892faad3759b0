import type { ExpressionError } from '../../plan/expressions.ts';
import { CONTEXTS, FUNCTIONS, STATUS_FUNCTIONS } from '../../plan/expression-syntax.ts';
import type { Located, LocatedEntry } from '../located.ts';
import { quote, scalars } from '../located.ts';
import type { Reporter } from '../reporter.ts';
import { kindsOf, type ValueSchema } from '../schema.ts';
import type { Range } from '../source-text.ts';
import { closest, oneOf, suggestion } from '../suggestion.ts';
import type { LocatedExpression } from '../template.ts';

/** What people coming from GitHub Actions, Python or YAML 1.1 write, in lower case. */
const NAMES_ELSEWHERE: ReadonlyMap<string, string> = new Map([
  ['inputs', 'params'],
  ['vars', 'env'],
  ['needs', 'steps'],
  ['jobs', 'steps'],
  ['github', 'run'],
  ['true', 'true'],
  ['yes', 'true'],
  ['false', 'false'],
  ['no', 'false'],
  ['null', 'null'],
  ['none', 'null'],
]);

/** Rule `expression`: text in `${{ }}` that the engine cannot read. */
export function reportExpression(error: ExpressionError, range: Range, reporter: Reporter): void {
  reporter.error('expression', range, messageOf(error));
}

function messageOf({ problem, found, message }: ExpressionError): string {
  if (problem === 'unknown-context') {
    const near = NAMES_ELSEWHERE.get(found.toLowerCase()) ?? closest(found, CONTEXTS);
    const remedy =
      near === undefined
        ? `expected ${oneOf(CONTEXTS)}, or text in single quotes`
        : `did you mean ${quote(near)}?`;
    return `unknown name ${quote(found)} in an expression; ${remedy}`;
  }
  if (problem === 'unknown-function') {
    return `unknown function ${quote(found)}; ${suggestion(found, [...FUNCTIONS, ...STATUS_FUNCTIONS])}`;
  }
  return message;
}

/** Rule `expression`: without `}}` nobody can know where the expression ends. */
export function reportUnclosed(range: Range, reporter: Reporter): void {
  reporter.error('expression', range, "'${{' without '}}'; close the expression");
}

/** Rule `expression`: inside longer text a list or a map has no text to give. */
export function checkStandsInText(
  { expression, rangeOf }: LocatedExpression,
  schemas: readonly ValueSchema[],
  reporter: Reporter,
): boolean {
  const kinds = [...new Set(schemas.flatMap((schema) => [...kindsOf(schema)]))];
  if (!kinds.every((kind) => kind === 'list' || kind === 'map')) return true;
  const { text } = expression;
  const found = `${quote(text.trim())} is a ${kinds.join(' or ')}`;
  const message = `${found}, which cannot stand inside text; use toJSON() or join()`;
  reporter.error('expression', rangeOf({ start: 0, end: text.length }), message);
  return false;
}

/** Rule `expression`: the status functions speak of the steps before one, so only an `if` has them. */
export function checkStatusFunctions(
  { expression, rangeOf }: LocatedExpression,
  reporter: Reporter,
): void {
  for (const { name, ...place } of expression.functions) {
    if (!STATUS_FUNCTIONS.some((status) => status === name)) continue;
    reporter.error('expression', rangeOf(place), `${name}() can be used only in an 'if'`);
  }
}

/** Rule `expression`: a place where `${{ }}` would stay text. */
export function checkNoExpressions(entry: LocatedEntry | undefined, reporter: Reporter): boolean {
  if (entry === undefined) return true;
  let isFree = true;
  for (const { value, range } of scalars(entry.value)) {
    if (typeof value !== 'string' || !value.includes('${{')) continue;
    isFree = false;
    const message = `${quote(entry.key)} cannot hold an expression; with, if, runs_on and outputs can`;
    reporter.error('expression', range, message);
  }
  return isFree;
}

export function checkNoExpressionKeys(value: Located, reporter: Reporter): void {
  if (value.kind === 'scalar') return;
  if (value.kind === 'list') {
    for (const item of value.items) checkNoExpressionKeys(item, reporter);
    return;
  }
  for (const entry of value.entries.values()) {
    if (entry.key.includes('${{')) {
      const message = 'a key cannot hold an expression; write the expression as a value';
      reporter.error('expression', entry.keyRange, message);
    }
    checkNoExpressionKeys(entry.value, reporter);
  }
}
