import { CancellationScope } from '@temporalio/workflow';
import type { StepId } from '../plan/plan.ts';

/** What goes on for each step, so that it can be ended. */
export class StepScopes {
  readonly #scopes = new Map<StepId, CancellationScope>();
  /** Somebody has taken these steps out of the run's hands: how their work ends does not count. */
  readonly #abandoned = new WeakSet<CancellationScope>();

  /**
   * Runs a step's work. Neither callback is called once the step was abandoned.
   *
   * @param onError told what ended the work early, a cancellation too
   */
  async run<T>(
    id: StepId,
    work: () => Promise<T>,
    { onEnd, onError }: { onEnd: (result: T) => void; onError: (error: unknown) => void },
  ): Promise<void> {
    const scope = new CancellationScope();
    this.#scopes.set(id, scope);
    try {
      const result = await scope.run(work);
      if (!this.#abandoned.has(scope)) onEnd(result);
    } catch (error) {
      if (!this.#abandoned.has(scope)) onError(error);
    } finally {
      if (this.#scopes.get(id) === scope) this.#scopes.delete(id);
    }
  }

  /** The step ends as cancelled. */
  cancel(id: StepId): void {
    this.#scopes.get(id)?.cancel();
  }

  /** Ends the work, of which nothing is heard any more. */
  abandon(id: StepId): void {
    const scope = this.#scopes.get(id);
    if (scope === undefined) return;
    this.#abandoned.add(scope);
    scope.cancel();
  }
}
