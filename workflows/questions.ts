import { condition } from '@temporalio/workflow';
import type { Decision, Question } from '../plan/interventions.ts';
import type { StepId } from '../plan/plan.ts';

/** Steps that wait for a person's decision. */
export class Questions {
  readonly #decisions = new Map<StepId, Decision>();

  /** The decision, or that of the question itself once its time is over. */
  async ask(step: StepId, { timeoutMs, onTimeout }: Question): Promise<Decision> {
    this.#decisions.delete(step);
    await condition(() => this.#decisions.has(step), timeoutMs);
    const late = { decision: onTimeout, by: '', comment: 'nobody decided in time' } as const;
    return this.#decisions.get(step) ?? late;
  }

  decide(step: StepId, decision: Decision): void {
    this.#decisions.set(step, decision);
  }
}
