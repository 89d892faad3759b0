import type { Plan, PlanStep, StepId } from '../../plan/plan.ts';

/** Steps that would fail. Nothing new starts after one, and when it does only the plan's order tells. */
export class FailuresBeside {
  readonly #failures: readonly Failure[];

  constructor({ steps }: Plan, failures: readonly StepId[]) {
    const needs = new Map(steps.map((step) => [step.id, step.needs]));
    const dependents = new Map<StepId, StepId[]>();
    for (const { id, needs: above } of steps) {
      for (const need of above) {
        const known = dependents.get(need);
        if (known === undefined) dependents.set(need, [id]);
        else known.push(id);
      }
    }
    this.#failures = failures.map((id) => {
      const upstream = reached(id, needs);
      return { id, upstream, downstream: reached(id, dependents) };
    });
  }

  /** Those that may fail before the step starts, or after. */
  of({ id, needs }: PlanStep): readonly StepId[] {
    // Of two that fail beside one another one does: what is told of them does not wait for the other.
    if (this.#failures.some((failure) => failure.id === id)) return [];
    return this.#failures.flatMap(({ id: failure, upstream, downstream }) => {
      const startsBefore = upstream.has(id) || needs.every((need) => upstream.has(need));
      return startsBefore || downstream.has(id) ? [] : [failure];
    });
  }
}

interface Failure {
  readonly id: StepId;
  /** With the step itself. */
  readonly upstream: ReadonlySet<StepId>;
  readonly downstream: ReadonlySet<StepId>;
}

function reached(from: StepId, next: ReadonlyMap<StepId, readonly StepId[]>): ReadonlySet<StepId> {
  const found = new Set<StepId>();
  const open = [from];
  for (let id = open.pop(); id !== undefined; id = open.pop()) {
    if (found.has(id)) continue;
    found.add(id);
    open.push(...(next.get(id) ?? []));
  }
  return found;
}
