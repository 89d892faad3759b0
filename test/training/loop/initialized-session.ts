import type { Device } from '../../../training/devices/device.ts';
import type { Precision } from '../../../training/models/precision.ts';
import type { OptimizerOptions } from '../../../training/optimizers/optimizer-options.ts';
import type { ModelDefinition } from '../../../training/model.ts';
import { PACKING, type PackingLimits } from '../../../training/packing.ts';
import { initializeTensor } from '../../../training/random/weight-initialization.ts';
import { loadRuntime } from '../../../training/runtime/runtime.ts';
import { chooseTrainable, type TrainableOptions } from '../../../training/trainable.ts';
import { openTrainingSession, type TrainingSession } from '../../../training/training-session.ts';

export interface SessionOptions extends TrainableOptions {
  readonly limits?: PackingLimits;
  readonly threads?: number;
  readonly device?: Device;
  readonly optimizer?: OptimizerOptions;
  readonly precision?: Precision;
}

const ADAMW: OptimizerOptions = {
  ...{ kind: 'adamw', beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0 },
};

/** A session of a model with fresh weights. */
export async function initializedSession(
  model: ModelDefinition,
  options: SessionOptions = {},
): Promise<TrainingSession> {
  const { limits = PACKING, threads = 1, optimizer = ADAMW, device, precision } = options;
  const trainable = chooseTrainable(model, options);
  const session = await openTrainingSession({
    ...{ runtime: loadRuntime(), model, trainable, limits, threads },
    ...(device !== undefined && { device }),
    ...(precision !== undefined && { precision }),
    optimizer,
    labelSmoothing: 0,
    padTokenId: 0,
  });
  for (const { name, initializer: rule } of [...trainable.frozen, ...trainable.parameters]) {
    await initializeTensor({ seed: 1, name, rule, target: session.weights(name) });
  }
  await session.upload();
  return session;
}
