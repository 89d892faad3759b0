import type { TrainingState } from '../optimizers/training-state.ts';
import type { TrainingProgress } from '../training-progress.ts';
import type { Checkpoints } from './checkpoints.ts';

/** Of a training without a store: nothing outlives the process, the best is a copy in memory. */
export class UnsavedCheckpoints implements Checkpoints {
  readonly #state: TrainingState;
  #best: readonly Float32Array[] | undefined;

  constructor(state: TrainingState) {
    this.#state = state;
  }

  isDue(): boolean {
    return false;
  }

  async begin(_: TrainingProgress, { isBest = false } = {}): Promise<void> {
    if (isBest) this.#best = this.#parameters().map((view) => view.slice());
  }

  async copied(): Promise<void> {}

  async finish(): Promise<void> {}

  async restoreBest(): Promise<void> {
    const best = this.#best;
    if (best === undefined) throw new Error('internal: no checkpoint was the best');
    for (const [index, view] of this.#parameters().entries()) view.set(best[index] ?? []);
  }

  #parameters(): readonly Float32Array[] {
    return this.#state.tensors.map((tensor) => this.#state.view('parameters', tensor));
  }
}
