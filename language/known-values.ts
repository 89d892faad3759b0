import { evaluateCondition, evaluateTemplate, ExpressionError } from '../plan/expressions.ts';
import type { Expression, Reference } from '../plan/expressions.ts';
import { STATUS_FUNCTIONS } from '../plan/expression-syntax.ts';
import type { JsonObject, JsonValue } from '../plan/json.ts';
import { reportExpression } from './checks/expression.ts';
import { referenceType } from './context-schema.ts';
import type { Condition, Pipeline } from './pipeline.ts';
import type { InputContext } from './step-inputs.ts';
import type { LocatedExpression, LocatedTemplate } from './template.ts';

/**
 * The value of an expression that reads only params, constants of `env` and the pipeline's name,
 * which are known before anything runs.
 *
 * @returns undefined when the value is known at run time only, or cannot be evaluated, which was reported
 */
export function knownValue(
  { expression, rangeOf }: LocatedExpression,
  context: InputContext,
): JsonValue | undefined {
  if (hasStatusFunction(expression) || !readsOnlyKnown(expression, context)) return undefined;
  const { reporter } = context;
  try {
    return evaluateTemplate(`\${{${expression.text}}}`, knownContexts(context));
  } catch (error) {
    if (!(error instanceof ExpressionError)) throw error;
    reportExpression(error, rangeOf(error), reporter);
    return undefined;
  }
}

/** The text in which every expression is known, with their values in it. */
export function knownText({ text }: LocatedTemplate, context: InputContext): JsonValue {
  return evaluateTemplate(text, knownContexts(context));
}

/** What a step may find when its `if` is evaluated. */
const STATUSES = [
  { success: true, failure: false, cancelled: false },
  { success: false, failure: true, cancelled: false },
];

/** Reports an `if` that reads only what is known before anything runs, and cannot be evaluated. */
export function checkKnownCondition(
  { expression: located, text }: Condition,
  context: InputContext,
): void {
  if (located === undefined || !readsOnlyKnown(located.expression, context)) return;
  try {
    for (const status of STATUSES) evaluateCondition(text, knownContexts(context), status);
  } catch (error) {
    if (!(error instanceof ExpressionError)) throw error;
    reportExpression(error, located.rangeOf(error), context.reporter);
  }
}

function hasStatusFunction({ functions }: Expression): boolean {
  return functions.some(({ name }) => STATUS_FUNCTIONS.some((status) => status === name));
}

function readsOnlyKnown({ references }: Expression, context: InputContext): boolean {
  return references.every(
    (reference) =>
      isKnownReference(reference, context) && referenceType(context.contexts, reference).ok,
  );
}

function isKnownReference(
  { context, path }: Reference,
  { pipeline, matrix }: InputContext,
): boolean {
  const [first] = path;
  if (context === 'matrix') return matrix !== undefined;
  if (context === 'run') return first?.kind === 'name' && first.name === 'name';
  if (context === 'env') return true;
  if (context !== 'params') return false;
  if (first?.kind === 'name') return pipeline.paramValues.has(first.name);
  return pipeline.paramValues.size === pipeline.params.size;
}

const contextsOf = new WeakMap<Pipeline, JsonObject>();

function knownContexts({ pipeline, matrix }: InputContext): JsonObject {
  const { paramValues, env, name } = pipeline;
  const known = contextsOf.get(pipeline) ?? {
    params: Object.fromEntries(paramValues),
    env,
    run: { name },
  };
  contextsOf.set(pipeline, known);
  return matrix === undefined ? known : { ...known, matrix };
}
