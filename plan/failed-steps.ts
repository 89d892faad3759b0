import { isFailing } from './matrix.ts';
import type { PlanStep, RunState, StepId } from './plan.ts';
import { stepState } from './run-state.ts';

/** What failed in a run, and what depends on it: found once for all steps that ask. */
export class FailedSteps {
  readonly #steps: ReadonlyMap<StepId, PlanStep>;
  #all: readonly StepId[] | undefined;
  #above = new Map<StepId, StepId | undefined>();

  constructor(steps: readonly PlanStep[]) {
    this.#steps = new Map(steps.map((step) => [step.id, step]));
  }

  /** Another step has failed, or one that had starts over. */
  forget(): void {
    this.#all = undefined;
    this.#above = new Map();
  }

  /** Steps that failed, and those with a matrix that are about to, in the plan's order. */
  all(state: RunState): readonly StepId[] {
    this.#all ??= [...this.#steps.values()]
      .filter((step) => stepState(state, step.id).status === 'failed' || isFailing(step, state))
      .map(({ id }) => id);
    return this.#all;
  }

  /** A step that failed, of those that `step` depends on, directly or through others. */
  above(step: PlanStep, state: RunState): StepId | undefined {
    if (this.all(state).length === 0) return undefined;
    // No recursion: a chain may be longer than the stack.
    const open = [step];
    for (let next = open.at(-1); next !== undefined; next = open.at(-1)) {
      const unknown = next.needs.flatMap((id) =>
        this.#above.has(id) ? [] : (this.#steps.get(id) ?? []),
      );
      if (unknown.length > 0) {
        open.push(...unknown);
        continue;
      }
      open.pop();
      this.#above.set(next.id, this.#nearest(next, state));
    }
    return this.#above.get(step.id);
  }

  #nearest({ needs }: PlanStep, state: RunState): StepId | undefined {
    const failed = needs
      .toReversed()
      .map((id) => (stepState(state, id).status === 'failed' ? id : this.#above.get(id)));
    return failed.find((id) => id !== undefined);
  }
}
