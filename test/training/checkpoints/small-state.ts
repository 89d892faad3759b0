import { createHash } from 'node:crypto';
import { openOptimizer, type Optimizer } from '../../../training/optimizers/optimizer.ts';
import {
  allocateTrainingState,
  SAVED_REGIONS,
  type StateTensorSpec,
  type TrainingState,
} from '../../../training/optimizers/training-state.ts';
import type { Platform } from '../../../training/platform.ts';
import { startProgress, type TrainingProgress } from '../../../training/training-progress.ts';
import { fill, OPTIMIZERS } from '../optimizers/filled-state.ts';

export const PLATFORM: Platform = { library: 'lib', provider: 'cpu', instructionSet: 'x64' };

/** Two tensors with segments of their own, and small ones that share one. */
export const SPECS: readonly StateTensorSpec[] = [
  { name: 'embedding', shape: [600, 500], isDecayed: false },
  { name: 'weight', shape: [530, 500], isDecayed: true },
  { name: 'bias', shape: [500], isDecayed: false },
  { name: 'scale', shape: [], isDecayed: false },
];

/** A state and its optimizer; the embedding's gradient is zero, as that of a frozen tensor. */
export class SmallState {
  readonly state: TrainingState;
  readonly progress: TrainingProgress = startProgress([]);
  readonly #optimizer: Promise<Optimizer>;

  constructor(name = 'adamw', specs: readonly StateTensorSpec[] = SPECS) {
    const options = OPTIMIZERS[name]!;
    this.state = allocateTrainingState(specs, options);
    this.#optimizer = openOptimizer(this.state, options, 1);
    fill(this.state, 'parameters', 0);
  }

  /** One optimizer step, with gradients that follow from its number. */
  async step(): Promise<void> {
    fill(this.state, 'gradients', this.progress.step + 1);
    const embedding = this.state.tensors.find(({ name }) => name === 'embedding');
    if (embedding !== undefined) this.state.view('gradients', embedding).fill(0);
    this.progress.step += 1;
    const { step } = this.progress;
    await (await this.#optimizer).update({ step, learningRate: 0.01, gradientScale: 1 });
  }

  async close(): Promise<void> {
    await (await this.#optimizer).close();
  }

  /** Digest of all that a checkpoint keeps, or of some regions. */
  saved(regions: readonly (typeof SAVED_REGIONS)[number][] = SAVED_REGIONS): string {
    const views = this.state.tensors.flatMap((tensor) =>
      regions.map((region) => this.state.view(region, tensor)),
    );
    const hash = createHash('sha256');
    for (const view of views) hash.update(view);
    return hash.digest('hex');
  }
}
