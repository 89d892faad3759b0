import type { ModelDefinition } from '../../../training/model.ts';
import { PACKING, type PackingLimits } from '../../../training/packing.ts';
import { initializeTensor } from '../../../training/random/weight-initialization.ts';
import { loadRuntime } from '../../../training/runtime/runtime.ts';
import { chooseTrainable, type TrainableOptions } from '../../../training/trainable.ts';
import { openTrainingSession, type TrainingSession } from '../../../training/training-session.ts';

export interface SessionOptions extends TrainableOptions {
  readonly limits?: PackingLimits;
  readonly threads?: number;
}

/** A session of a model with fresh weights. */
export async function initializedSession(
  model: ModelDefinition,
  { limits = PACKING, threads = 1, ...options }: SessionOptions = {},
): Promise<TrainingSession> {
  const trainable = chooseTrainable(model, options);
  const session = await openTrainingSession({
    ...{ runtime: loadRuntime(), model, trainable, limits, threads },
    optimizer: { kind: 'adamw', beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0 },
    labelSmoothing: 0,
    padTokenId: 0,
  });
  for (const { name, initializer: rule } of [...trainable.frozen, ...trainable.parameters]) {
    await initializeTensor({ seed: 1, name, rule, target: session.weights(name) });
  }
  return session;
}
