import type { Comparison } from '../../plan/expression-references.ts';
import { conjunctsOf } from '../../plan/expression-truth.ts';
import type { Expression } from '../../plan/expressions.ts';
import type { StepId } from '../../plan/plan.ts';
import { referenceType } from '../context-schema.ts';
import { plainText, quote } from '../located.ts';
import type { Pipeline, Step } from '../pipeline.ts';
import type { Reporter } from '../reporter.ts';
import { describeSchemas, kindsOf, type ValueSchema } from '../schema.ts';
import { type Before, canBeTrue, hasStatusFunction, isSwitchedOff } from '../step-conditions.ts';

/**
 * Rule `never-true`: an `if` that no run finds true, whatever its params. One that is false by what
 * is written out, as in `if: false`, is a switch and worth a hint; any other is a mistake.
 *
 * @param needCount steps that this one waits for
 * @returns whether the `if` can be true
 */
export function checkNeverTrue(
  step: Step,
  needCount: number,
  pipeline: Pipeline,
  contexts: ValueSchema,
  reporter: Reporter,
): boolean {
  const { condition } = step;
  if (condition?.expression === undefined) return true;
  const { expression, rangeOf } = condition.expression;
  const whole = { start: 0, end: expression.text.length };
  if (isSwitchedOff(expression, pipeline)) {
    const message = `'if' is always false: step ${quote(step.id)} never runs; remove the 'if' to switch it on`;
    reporter.hint('never-true', rangeOf(whole), message);
    return false;
  }
  const before = { canSucceed: true, canFail: needCount > 0, skipped: new Set<StepId>() };
  const isPossible = (assumed: Partial<Before>, part: Expression = expression): boolean =>
    canBeTrue(part, { ...before, ...assumed }, pipeline, contexts);
  if (isPossible({})) return true;
  const reason =
    reasonOf(expression, isPossible) ??
    comparisonReason(expression, contexts, (part) =>
      isPossible({ isAlways: true, canFail: true }, part),
    ) ??
    ': its parts rule one another out; remove one of them';
  reporter.error('never-true', rangeOf(whole), `'if' can never be true${reason}`);
  return false;
}

/** The assumption without which it could be true. */
function reasonOf(
  expression: Expression,
  isPossible: (assumed: Partial<Before>) => boolean,
): string | undefined {
  if (!hasStatusFunction(expression) && isPossible({ isAlways: true })) {
    return ': without a status function it asks that every need succeeded; write always() && (...)';
  }
  if (isPossible({ canFail: true })) {
    return ': failure() asks for a failed step before this one, which needs none; add it to needs';
  }
  if (isPossible({ canBeCancelled: true })) {
    return ': after a cancellation no step starts, so cancelled() is never true; remove it';
  }
  if (isPossible({ canAlwaysBeFalse: true })) {
    return ': always() is true whatever became of the needs, and this asks that it is false; remove that, or write if: false to switch the step off';
  }
  return undefined;
}

/** A comparison that never holds by itself, and that all depends on. */
function comparisonReason(
  expression: Expression,
  contexts: ValueSchema,
  isPossible: (part: Expression) => boolean,
): string | undefined {
  const parts = conjunctsOf(expression.tree);
  const comparison = expression.comparisons.find(
    ({ tree }) => parts.includes(tree) && !isPossible({ ...expression, tree }),
  );
  return comparison && neverHolds(comparison, expression.text, contexts);
}

function neverHolds(
  { reference, operator, value, ...place }: Comparison,
  text: string,
  contexts: ValueSchema,
): string | undefined {
  const type = referenceType(contexts, reference);
  if (!type.ok) return undefined;
  const read = text.slice(reference.start, reference.end);
  const compared = text.slice(
    Math.min(reference.start, place.start),
    Math.max(reference.end, place.end),
  );
  const isOne = type.schemas.length === 1;
  const [kind] = isOne ? type.schemas.flatMap((schema) => [...kindsOf(schema)]) : [];
  const known = `${quote(read)} is ${describeSchemas(type.schemas)}`;
  if (kind === 'boolean' && operator === '==') {
    const what = typeof value === 'string' ? 'a text' : plainText(value);
    const isNegated = value === 'false';
    return `: ${known} and never equals ${what}; write ${isNegated ? '!' : ''}${read}`;
  }
  return `: ${known}, so ${quote(compared)} never holds; compare it with a value that it can have`;
}
