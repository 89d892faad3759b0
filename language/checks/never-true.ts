import type { Expression } from '../../plan/expressions.ts';
import type { StepId } from '../../plan/plan.ts';
import { quote } from '../located.ts';
import type { Pipeline, Step } from '../pipeline.ts';
import type { Reporter } from '../reporter.ts';
import type { ValueSchema } from '../schema.ts';
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
  const isPossible = (assumed: Partial<Before>): boolean =>
    canBeTrue(expression, { ...before, ...assumed }, pipeline, contexts);
  if (isPossible({})) return true;
  const reason = reasonOf(expression, isPossible);
  reporter.error('never-true', rangeOf(whole), `'if' can never be true${reason}`);
  return false;
}

/** The assumption without which it could be true. */
function reasonOf(
  expression: Expression,
  isPossible: (assumed: Partial<Before>) => boolean,
): string {
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
  return ': its parts rule one another out; remove one of them';
}
