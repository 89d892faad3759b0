import { evaluateTemplate, ExpressionError } from '../plan/expressions.ts';
import type { Expression, Reference } from '../plan/expressions.ts';
import type { JsonObject, JsonValue } from '../plan/json.ts';
import { reportExpression } from './checks/expression.ts';
import { referenceType } from './context-schema.ts';
import type { Pipeline } from './pipeline.ts';
import type { Reporter } from './reporter.ts';
import type { ValueSchema } from './schema.ts';
import type { LocatedTemplate } from './template.ts';

/**
 * The value of a template whose expressions read only params, constants of `env` and the
 * pipeline's name, which are known before anything runs.
 *
 * @returns undefined when the value is known at run time only, or was reported
 */
export function knownValue(
  template: LocatedTemplate,
  pipeline: Pipeline,
  contexts: ValueSchema,
  reporter: Reporter,
): JsonValue | undefined {
  const { expressions, isBroken, text, scalar } = template;
  if (isBroken || !expressions.every(({ expression }) => isKnown(expression, pipeline, contexts))) {
    return undefined;
  }
  try {
    return evaluateTemplate(text, knownContexts(pipeline));
  } catch (error) {
    if (!(error instanceof ExpressionError)) throw error;
    const failed = expressions.find(({ expression }) => expression.text.trim() === error.found);
    reportExpression(error, failed?.rangeOf(error) ?? scalar.range, reporter);
    return undefined;
  }
}

function isKnown(
  { references, functions }: Expression,
  pipeline: Pipeline,
  contexts: ValueSchema,
): boolean {
  const isPure = functions.every(
    ({ name }) => !['success', 'failure', 'cancelled', 'always'].includes(name),
  );
  return (
    isPure &&
    references.every(
      (reference) => isKnownReference(reference, pipeline) && referenceType(contexts, reference).ok,
    )
  );
}

function isKnownReference({ context, path }: Reference, pipeline: Pipeline): boolean {
  const [first] = path;
  if (context === 'run') return first?.kind === 'name' && first.name === 'name';
  if (context === 'env') return true;
  if (context !== 'params') return false;
  if (first?.kind === 'name') return pipeline.paramValues.has(first.name);
  return pipeline.paramValues.size === pipeline.params.size;
}

function knownContexts({ paramValues, env, name }: Pipeline): JsonObject {
  return { params: Object.fromEntries(paramValues), env, run: { name } };
}
