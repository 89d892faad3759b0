import type {
  OptimizerOptions,
  OptimizerStep,
} from '../../../training/optimizers/optimizer-options.ts';
import {
  STATE_REGIONS,
  type StateRegion,
  type TrainingState,
} from '../../../training/optimizers/training-state.ts';

/** One of each optimizer, with every option that changes its arithmetic. */
export const OPTIMIZERS: Readonly<Record<string, OptimizerOptions>> = {
  adamw: { kind: 'adamw', beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0.1 },
  sgd: { kind: 'sgd', weightDecay: 0.1, momentum: 0, dampening: 0, nesterov: false },
  sgd_momentum: { kind: 'sgd', weightDecay: 0.1, momentum: 0.9, dampening: 0.25, nesterov: false },
  sgd_nesterov: { kind: 'sgd', weightDecay: 0.1, momentum: 0.9, dampening: 0, nesterov: true },
  adafactor: { kind: 'adafactor', weightDecay: 0.1 },
};

export const STEPS: readonly OptimizerStep[] = [
  { step: 1, learningRate: 1e-3, gradientScale: 1 },
  { step: 2, learningRate: 7e-4, gradientScale: 0.37 },
  { step: 3, learningRate: 1e-5, gradientScale: 0.9 },
];

/** A different, fixed float32 in [-1, 1) for every element, tensor and seed, times `scale`. */
export function fill(state: TrainingState, region: StateRegion, seed: number, scale = 1): void {
  for (const [index, tensor] of state.tensors.entries()) {
    const view = state.view(region, tensor);
    const factor = 0x9e3779b1 + 2 * (seed * 31 + index);
    for (let i = 0; i < view.length; i++) {
      view[i] = Math.fround(Math.imul(i + 1, factor) / 2 ** 31) * Math.fround(scale);
    }
  }
}

/** All that the state holds of its tensors, without what lies between them. */
export function contents(state: TrainingState): Buffer {
  return Buffer.concat(
    STATE_REGIONS.flatMap((region) =>
      state.tensors.map((tensor) => {
        const view = state.view(region, tensor);
        return Buffer.from(view.buffer, view.byteOffset, view.byteLength);
      }),
    ),
  );
}
