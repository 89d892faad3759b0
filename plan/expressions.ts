import { Evaluator } from '@actions/expressions';
import type { data } from '@actions/expressions';
import { fromExpressionData, isTruthy, toExpressionData } from './expression-data.ts';
import { boundedFunctions, type EngineFunctions } from './expression-functions.ts';
import { ExpressionError, parseExpression, templateSegments } from './expression-syntax.ts';
import type { Reference } from './expression-references.ts';
import type { Expression } from './expression-syntax.ts';
import type { JsonObject, JsonValue } from './json.ts';
import type { StepStatus, Template } from './plan.ts';
import { TextBudget } from './text-budget.ts';

export { ExpressionError, parseExpression, templateSegments } from './expression-syntax.ts';
export type { Reference } from './expression-references.ts';
export type { Expression, TemplateSegment } from './expression-syntax.ts';

type ExpressionData = ReturnType<Evaluator['evaluate']>;

/** What the status functions of an `if` answer for one step; `always()` is true. */
export interface ConditionStatus {
  readonly success: boolean;
  readonly failure: boolean;
  readonly cancelled: boolean;
}

/** `steps.ID.result`, with GitHub's values. */
export const STEP_RESULTS = ['success', 'failure', 'skipped', 'cancelled'] as const;
export type StepResult = (typeof STEP_RESULTS)[number];

/** What `steps.ID.result` reads for a step that has ended; undefined while it has not. */
export function stepResult(status: StepStatus): StepResult | undefined {
  switch (status) {
    case 'completed':
    case 'cached':
      return 'success';
    case 'failed':
      return 'failure';
    case 'skipped':
      return 'skipped';
    case 'cancelled':
      return 'cancelled';
    case 'pending':
    case 'running':
    case 'paused':
      return undefined;
  }
}

/**
 * Every read of a context in the expressions of a template, in order.
 *
 * @throws ExpressionError when an expression cannot be read
 */
export function references(template: Template): readonly Reference[] {
  if (typeof template === 'string') {
    return templateSegments(template).flatMap((segment) =>
      segment.kind === 'text' ? [] : parseExpression(segment.text).references,
    );
  }
  if (template === null || typeof template !== 'object') return [];
  return Object.values(template).flatMap(references);
}

/**
 * A template with its expressions replaced by their values. A string that is one whole `${{ }}`
 * becomes the value with its type; inside longer text a value is put in as text (null as nothing).
 *
 * @param contexts `{ params, steps, env, run }`; a property that is not there reads null
 * @param budget of the characters that its expressions make
 * @throws ExpressionError naming the expression, when it cannot be evaluated, or reads a secret
 */
export function evaluateTemplate(
  template: Template,
  contexts: JsonObject,
  budget = new TextBudget(),
): JsonValue {
  if (typeof template === 'string') return evaluateText(template, contexts, budget);
  if (template === null || typeof template !== 'object') return template;
  if (Array.isArray(template)) {
    return template.map((item) => evaluateTemplate(item, contexts, budget));
  }
  return Object.fromEntries(
    Object.entries(template).map(([key, value]) => [
      key,
      evaluateTemplate(value, contexts, budget),
    ]),
  );
}

/**
 * Whether an `if` holds. As in GitHub Actions, one without a status function is
 * `success() && (...)`.
 *
 * @param text the expression, with or without `${{ }}`
 * @throws ExpressionError naming the expression, when it cannot be evaluated
 */
export function evaluateCondition(
  text: string,
  contexts: JsonObject,
  status: ConditionStatus,
): boolean {
  const expression = parseExpression(conditionText(text));
  if (!hasStatusFunction(expression) && !status.success) return false;
  return isTruthy(evaluate(expression, contexts, new TextBudget(), status));
}

/** The expression of an `if` without the `${{ }}` around it, which GitHub lets one leave out. */
export function conditionText(text: string): string {
  const trimmed = text.trim();
  const segments = templateSegments(trimmed);
  const [only] = segments;
  const isWhole = segments.length === 1 && only?.kind === 'expression' && only.isClosed;
  return isWhole ? only.text.trim() : trimmed;
}

/** The value of one expression that is not an `if`. */
function evaluateExpression(
  expression: Expression,
  contexts: JsonObject,
  budget: TextBudget,
): JsonValue {
  return guarded(expression, () => fromExpressionData(evaluate(expression, contexts, budget)));
}

function hasStatusFunction(expression: Expression): boolean {
  return expression.functions.some(({ name }) => STATUS_VALUES.has(name));
}

function evaluateText(text: string, contexts: JsonObject, budget: TextBudget): JsonValue {
  if (!text.includes('${{')) return text;
  const segments = templateSegments(text);
  const [only] = segments;
  if (segments.length === 1 && only?.kind === 'expression') {
    return evaluateExpression(parseSegment(only, text), contexts, budget);
  }
  return evaluateAsText(text, contexts, budget);
}

/**
 * A text with the values of its expressions in it, also where it is one expression and no more.
 *
 * @throws ExpressionError as `evaluateTemplate`
 */
export function evaluateAsText(
  text: string,
  contexts: JsonObject,
  budget = new TextBudget(),
): string {
  return templateSegments(text)
    .map((segment) => {
      if (segment.kind === 'text') return segment.text;
      const expression = parseSegment(segment, text);
      return guarded(expression, () => {
        const value = asText(evaluate(expression, contexts, budget));
        budget.take(value.length);
        return value;
      });
    })
    .join('');
}

function parseSegment(segment: { text: string; isClosed: boolean }, whole: string): Expression {
  if (segment.isClosed) return parseExpression(segment.text);
  const place = { found: whole, start: 0, end: whole.length };
  throw new ExpressionError('syntax', `'${whole}' has '\${{' without '}}'`, place);
}

/** GitHub writes `Object` and `Array` here, which nobody wants in a path or a name. */
function asText(value: ExpressionData): string {
  if (value.primitive) return value.coerceString();
  const kind = value.coerceString() === 'Array' ? 'list' : 'map';
  throw new Error(`its value is a ${kind}, which cannot stand inside text; use toJSON() or join()`);
}

const STATUS_VALUES: ReadonlyMap<string, (status: ConditionStatus) => boolean> = new Map([
  ['success', (status: ConditionStatus) => status.success],
  ['failure', (status: ConditionStatus) => status.failure],
  ['cancelled', (status: ConditionStatus) => status.cancelled],
  ['always', () => true],
]);

function evaluate(
  expression: Expression,
  contexts: JsonObject,
  budget: TextBudget,
  status?: ConditionStatus,
): ExpressionData {
  return guarded(expression, () => {
    if (expression.references.some(({ context }) => context === 'secrets')) {
      throw new Error('only the worker that runs a step knows secrets');
    }
    const all = { params: {}, steps: {}, env: {}, run: {}, ...contexts };
    // A JSON object is always converted to a dictionary.
    const dictionary = toExpressionData(all) as data.Dictionary;
    return new Evaluator(expression.tree, dictionary, engineFunctions(budget, status)).evaluate();
  });
}

/** The functions of every expression, and the status functions. */
function engineFunctions(budget: TextBudget, status: ConditionStatus | undefined): EngineFunctions {
  const functions = boundedFunctions(budget);
  for (const [name, answer] of STATUS_VALUES) {
    const call = (): ExpressionData => {
      if (status === undefined) throw new Error(`${name}() can be used only in an if`);
      return toExpressionData(answer(status));
    };
    functions.set(name, { name, minArgs: 0, maxArgs: 0, call });
  }
  return functions;
}

/** What `work` gives; an error in it becomes an ExpressionError that names the expression. */
export function guarded<T>(expression: Expression, work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (error instanceof ExpressionError || !(error instanceof Error)) throw error;
    const text = expression.text.trim();
    const place = { found: text, start: 0, end: expression.text.length };
    const message = `cannot evaluate '\${{ ${text} }}': ${error.message}`;
    throw new ExpressionError('evaluation', message, place, { cause: error });
  }
}
