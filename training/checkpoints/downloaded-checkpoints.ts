import type { TrainingProgress } from '../training-progress.ts';
import type { Checkpoints } from './checkpoints.ts';

/** Checkpoints of a state that may be that of a device: it is brought into our memory first. */
export class DownloadedCheckpoints implements Checkpoints {
  readonly #checkpoints: Checkpoints;
  readonly #memory: { download(): Promise<void>; upload(): Promise<void> };

  /** @param memory where the training's tensors lie. @see StateMemory */
  constructor(
    checkpoints: Checkpoints,
    memory: { download(): Promise<void>; upload(): Promise<void> },
  ) {
    this.#checkpoints = checkpoints;
    this.#memory = memory;
  }

  isDue(step: number): boolean {
    return this.#checkpoints.isDue(step);
  }

  async begin(progress: TrainingProgress, options?: { readonly isBest?: boolean }): Promise<void> {
    // A copy that is still read must not change: in a device's case it is ours, not the device's.
    await this.#checkpoints.copied();
    await this.#memory.download();
    await this.#checkpoints.begin(progress, options);
  }

  copied(): Promise<void> {
    return this.#checkpoints.copied();
  }

  finish(): Promise<void> {
    return this.#checkpoints.finish();
  }

  async restoreBest(): Promise<void> {
    await this.#checkpoints.restoreBest();
    await this.#memory.upload();
  }
}
