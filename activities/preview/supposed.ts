import type { JsonObject } from '../../plan/json.ts';
import type { PlanStep, StepId } from '../../plan/plan.ts';
import { admit } from '../../plan/scheduling.ts';
import { stepsRead } from './changes.ts';
import type { StepPreview } from './outcome.ts';
import type { UnknownValues } from './unknown-values.ts';

/**
 * Of the steps that a step waits for, and that may run and so fail, those that have to succeed for
 * what is told of it: it reads them, or its `if` is not true otherwise.
 */
export function supposedToSucceed(
  step: PlanStep,
  previews: ReadonlyMap<StepId, StepPreview>,
  contextsOf: () => JsonObject,
  unknown: UnknownValues,
): readonly StepId[] {
  const before = step.needs.filter((id) => {
    const kind = previews.get(id)?.outcome.kind;
    return kind === 'run' || kind === 'unknown';
  });
  if (step.if === undefined || before.length === 0) return before;
  const contexts = contextsOf();
  const { strategy } = step;
  const templates = [
    step.with,
    step.runsOn,
    strategy?.matrix,
    strategy?.include,
    strategy?.exclude,
  ];
  const read = new Set(templates.flatMap((template) => stepsRead(template ?? null)));
  return before.filter((id) => {
    const failed = { unmet: { id, status: 'failed' }, failedAbove: id, failed: [id] } as const;
    const { result, reads } = unknown.during(() => admit(step, failed, contexts));
    const isSure = reads.steps.size === 0 && reads.facts.size === 0;
    return read.has(id) || !isSure || result.kind !== 'run';
  });
}
