import type { TrainingProgress } from '../training-progress.ts';

/** What the training loop asks of its checkpoints. */
export interface Checkpoints {
  /** Whether one is to be taken after `step` steps. */
  isDue(step: number): boolean;
  /**
   * Begins a checkpoint of the state as it is. Nothing may change the state before `copied`.
   * @param options.isBest its parameters become the training's best, until another's do
   * @throws what made the one before fail
   */
  begin(progress: TrainingProgress, options?: { readonly isBest?: boolean }): Promise<void>;
  /** Resolves when the state may change. @throws what the copy failed with */
  copied(): Promise<void>;
  /** Resolves when the last checkpoint is published. @throws what it failed with */
  finish(): Promise<void>;
  /**
   * Fills the state's parameters from the best.
   * @throws CorruptArtifact when they are damaged: the next attempt goes on from an older checkpoint
   */
  restoreBest(): Promise<void>;
}
