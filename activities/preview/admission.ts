import type { JsonObject } from '../../plan/json.ts';
import type { PlanStep, StepId } from '../../plan/plan.ts';
import type { Circumstances } from '../../plan/run-progress.ts';
import { admit, type Admission } from '../../plan/scheduling.ts';
import type { Reads, UnknownValues } from './unknown-values.ts';

/** How far a run can be told, before a step of it. */
export interface Foresight {
  /** Steps whose end cannot be told are taken to complete. */
  readonly circumstances: Circumstances;
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
  const { circumstances, contexts, unknown, maybeSkipped } = foresight;
  const { unmet, failedAbove, failed } = circumstances;
  const unsure = step.needs.filter((id) => maybeSkipped.has(id));
  const [skipped] = unsure;
  // What is not above the step may fail before it starts or after.
  const beside = failedAbove === undefined ? failed : [];
  const possible: readonly Circumstances[] = [
    circumstances,
    ...(skipped === undefined
      ? []
      : [{ ...circumstances, unmet: unmet ?? ({ id: skipped, status: 'skipped' } as const) }]),
    ...(beside.length === 0 ? [] : [{ ...circumstances, failed: [] }]),
  ];
  const { result: admissions, reads } = unknown.during(() =>
    possible.map((each) => admit(step, each, contexts)),
  );
  const [first] = admissions;
  if (first === undefined) throw new Error('internal: a step was decided over in no state');
  const isAlike = admissions.every(({ kind }) => kind === first.kind);
  const isKnown = reads.steps.size === 0 && reads.facts.size === 0;
  if (isAlike && isKnown) return first;
  return { kind: 'unknown', reads, ends: isAlike ? [] : [...unsure, ...beside] };
}
