import type { JsonObject } from '../../plan/json.ts';
import type { Plan, PlanStep, RunState, StepId, StepState } from '../../plan/plan.ts';
import { stepState } from '../../plan/run-state.ts';
import { admit, upstreamOf, type Admission } from '../../plan/scheduling.ts';
import type { Reads, UnknownValues } from './unknown-values.ts';

/** How far a run can be told, in the middle of it. */
export interface Foresight {
  readonly plan: Plan;
  /** A step whose end cannot be told stands in it as completed. */
  readonly state: RunState;
  readonly contexts: JsonObject;
  readonly unknown: UnknownValues;
  /** Steps of which it cannot be told whether they are skipped. */
  readonly maybeSkipped: ReadonlySet<StepId>;
}

export type ForeseenAdmission =
  | Admission
  | {
      readonly kind: 'unknown';
      readonly reads: Reads;
      /** Steps whose end decides: skipped or not, failed by then or not. */
      readonly ends: readonly StepId[];
    };

/** `admit`, as far as what it decides from is known: it has to decide alike however steps end. */
export function foresee(step: PlanStep, foresight: Foresight): ForeseenAdmission {
  const { plan, state, contexts, unknown, maybeSkipped } = foresight;
  const unsure = step.needs.filter((id) => maybeSkipped.has(id));
  const failed = failedBeside(step, plan, state);
  const states = [
    state,
    ...(unsure.length === 0 ? [] : [withSteps(state, unsure.slice(0, 1), 'skipped')]),
    ...(failed.length === 0 ? [] : [withSteps(state, failed, 'completed')]),
  ];
  const { result: admissions, reads } = unknown.during(() =>
    states.map((possible) => admit(step, plan, possible, contexts)),
  );
  const [first] = admissions;
  if (first === undefined) throw new Error('internal: a step was decided over in no state');
  const isAlike = admissions.every(({ kind }) => kind === first.kind);
  const isKnown = reads.steps.size === 0 && reads.facts.size === 0;
  if (isAlike && isKnown) return first;
  return { kind: 'unknown', reads, ends: isAlike ? [] : [...unsure, ...failed] };
}

/** Steps that fail, but not what `step` waits for: it may start before or after. */
function failedBeside(step: PlanStep, plan: Plan, state: RunState): readonly StepId[] {
  const failed = plan.steps.filter(({ id }) => stepState(state, id).status === 'failed');
  if (failed.length === 0) return [];
  const upstream = new Set(upstreamOf(step, plan));
  const ids = failed.map(({ id }) => id);
  return ids.some((id) => upstream.has(id)) ? [] : ids;
}

function withSteps(state: RunState, ids: readonly StepId[], status: StepState['status']): RunState {
  const changed = ids.map((id) => [id, { ...stepState(state, id), status }] as const);
  return { ...state, steps: { ...state.steps, ...Object.fromEntries(changed) } };
}
