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
  /** Steps that would fail, before the step starts or after. */
  readonly beside: readonly StepId[];
}

export type ForeseenAdmission =
  | Admission
  | {
      readonly kind: 'unknown';
      readonly reads: Reads;
      /** Steps that decide by being skipped or not. */
      readonly unsure: readonly StepId[];
      /** Steps that decide by having failed by then or not. */
      readonly failures: readonly StepId[];
    };

/** `admit`, as far as what it decides from is known: it has to decide alike however steps end. */
export function foresee(step: PlanStep, foresight: Foresight): ForeseenAdmission {
  const { circumstances, contexts, unknown, maybeSkipped } = foresight;
  const { unmet, failedAbove, failed } = circumstances;
  const unsure = step.needs.filter((id) => maybeSkipped.has(id));
  const [skipped] = unsure;
  const isDoomed = failedAbove !== undefined;
  const failures = isDoomed ? [] : [...new Set([...failed, ...foresight.beside])];
  const possible: readonly Circumstances[] = [
    circumstances,
    ...(skipped === undefined
      ? []
      : [{ ...circumstances, unmet: unmet ?? ({ id: skipped, status: 'skipped' } as const) }]),
    ...(failures.length === 0
      ? []
      : [
          { ...circumstances, failed: [] },
          { ...circumstances, failed: failures },
        ]),
  ];
  const { result: admissions, reads } = unknown.during(() =>
    possible.map((each) => admit(step, each, contexts)),
  );
  const [first] = admissions;
  if (first === undefined) throw new Error('internal: a step was decided over in no state');
  const isAlike = admissions.every(({ kind }) => kind === first.kind);
  const isKnown = reads.steps.size === 0 && reads.facts.size === 0;
  if (isAlike && isKnown) return first;
  if (isAlike) return { kind: 'unknown', reads, unsure: [], failures: [] };
  return { kind: 'unknown', reads, unsure, failures };
}
