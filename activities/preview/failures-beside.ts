import { hasMatrix } from '../../plan/matrix.ts';
import type { Plan, PlanStep, StepId } from '../../plan/plan.ts';

/** A step that would fail. */
export interface ForeseenFailure {
  readonly id: StepId;
  /** When it is its turn, before it could begin: those behind it in the plan do not start then. */
  readonly isAtOnce: boolean;
}

/** Steps that would fail. Nothing new starts after one, and when it does only the plan's order tells. */
export class FailuresBeside {
  readonly #plan: Plan;
  readonly #failures: readonly Failure[];
  readonly #places: ReadonlyMap<StepId, number>;
  readonly #dependents = new Map<StepId, StepId[]>();

  constructor(plan: Plan, failures: readonly ForeseenFailure[]) {
    const { steps } = plan;
    this.#plan = plan;
    this.#places = new Map(steps.map(({ id }, place) => [id, place]));
    const needs = new Map(steps.map((step) => [step.id, step.needs]));
    for (const { id, needs: above } of steps) {
      for (const need of above) {
        const known = this.#dependents.get(need);
        if (known === undefined) this.#dependents.set(need, [id]);
        else known.push(id);
      }
    }
    this.#failures = failures.map((failure) => {
      const upstream = reached(failure.id, needs);
      return { ...failure, upstream, downstream: reached(failure.id, this.#dependents) };
    });
  }

  /** Those that may fail before the step starts, or after. */
  of(step: PlanStep): readonly StepId[] {
    // Of two that fail beside one another one does: what is told of them does not wait for the other.
    if (this.#failures.some((failure) => failure.id === step.id)) return [];
    return this.#failures.flatMap((failure) =>
      failure.downstream.has(step.id) || this.#startsBefore(step, failure) ? [] : [failure.id],
    );
  }

  #startsBefore(step: PlanStep, failure: Failure): boolean {
    const { id, upstream, isAtOnce } = failure;
    if (upstream.has(step.id)) return true;
    if (!step.needs.every((need) => upstream.has(need))) return false;
    if (this.#placeOf(step.id) < this.#placeOf(id)) return true;
    return !isAtOnce && this.#hasRoom(step, failure);
  }

  /** Whether a step that may start beside a failing one, behind it in the plan, does so whatever runs. */
  #hasRoom({ id }: PlanStep, failure: Failure): boolean {
    const { steps, maxParallel } = this.#plan;
    const failing = steps.find((step) => step.id === failure.id);
    // Entries begin after all steps that can.
    if (failing === undefined || hasMatrix(failing)) return true;
    const after = reached(id, this.#dependents);
    const others = steps.filter(
      (step) =>
        !after.has(step.id) && !failure.upstream.has(step.id) && !failure.downstream.has(step.id),
    );
    const running = others.reduce((sum, step) => sum + placesTaken(step), 1);
    return running < maxParallel;
  }

  #placeOf(id: StepId): number {
    return this.#places.get(id) ?? 0;
  }
}

interface Failure extends ForeseenFailure {
  /** With the step itself. */
  readonly upstream: ReadonlySet<StepId>;
  readonly downstream: ReadonlySet<StepId>;
}

/** How many of `max_parallel` a step takes at most. */
function placesTaken({ strategy }: PlanStep): number {
  return strategy === undefined ? 1 : (strategy.maxParallel ?? Infinity);
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
