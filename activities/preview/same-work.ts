import type { StepId } from '../../plan/plan.ts';
import type { Foreseen } from './foreseen.ts';
import type { ReasonFinder } from './reasons.ts';

/** Of steps that would do the same work the first: the others find what it did. */
export class SameWork {
  readonly #reasons: ReasonFinder;
  /** The step that would do the work of a fingerprint, or bring an artifact back. */
  readonly #workers = new Map<string, StepId>();

  constructor(reasons: ReasonFinder) {
    this.#reasons = reasons;
  }

  /**
   * What is foreseen of a step, after the steps before it.
   *
   * @param isCertain whether it works whatever others have done
   */
  async after(step: StepId, foreseen: Foreseen, isCertain: boolean): Promise<Foreseen> {
    const answer = foreseen.preparation?.answer;
    if (foreseen.outcome.kind !== 'run' || answer?.kind !== 'miss') return foreseen;
    const keys = await this.#reasons.resultKeys(answer);
    const first = keys.map((key) => this.#workers.get(key)).find((id) => id !== undefined);
    if (first === undefined || isCertain) {
      for (const key of keys) if (!this.#workers.has(key)) this.#workers.set(key, step);
      return foreseen;
    }
    const reasons = [`step '${first}' does the same work`];
    return { ...foreseen, outcome: { kind: 'unknown', until: [first], reasons } };
  }
}
