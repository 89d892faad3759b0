// Retune's side of equal shapes: as steps.py.
// Arguments: BATCH TOKENS STEPS_A_TURN THREADS [DEVICE PRECISION]
import { readSync } from 'node:fs';
import type { Device } from '../../training/devices/device.ts';
import { START_SCALING } from '../../training/loss-scaling.ts';
import type { Precision } from '../../training/models/precision.ts';
import { defineModel } from '../../training/model.ts';
import { dropoutKeys } from '../../training/models/dropout-keys.ts';
import type { Example } from '../../training/pass-tensors.ts';
import { initializeTensor } from '../../training/random/weight-initialization.ts';
import { loadRuntime } from '../../training/runtime/runtime.ts';
import { chooseTrainable } from '../../training/trainable.ts';
import { openTrainingSession } from '../../training/training-session.ts';

const [batch = 1, tokens = 64, pace = 1, threads = 2] = process.argv.slice(2, 6).map(Number);
const [device, precision] = process.argv.slice(6) as [Device?, Precision?];
const model = defineModel({ num_labels: 3, pad_token_id: 50256 });
const trainable = chooseTrainable(model, {});
const session = await openTrainingSession({
  ...{ runtime: loadRuntime(), model, trainable, threads, labelSmoothing: 0, padTokenId: 50256 },
  ...(device !== undefined && { device }),
  ...(precision !== undefined && { precision }),
  limits: { tokensPerPass: batch * tokens, tokensPerRow: tokens },
  optimizer: { kind: 'adamw', beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0 },
});
for (const { name, initializer: rule } of trainable.parameters) {
  await initializeTensor({ seed: 1, name, rule, target: session.weights(name) });
}
await session.upload();
session.lossScale.value = precision === 'float16' ? START_SCALING.scale : 1;
for (let step = 1; ;) {
  console.log('waiting');
  if (readSync(0, Buffer.alloc(64)) === 0) break;
  for (let i = 0; i < pace; i++, step++) {
    const begun = performance.now();
    await session.computeGradients(examples(step));
    const norm = await session.optimizer.gradientNorm();
    const gradientScale = Math.min(1, 1 / (norm + 1e-6));
    await session.optimizer.update({ step, learningRate: 1e-5, gradientScale });
    console.log(`step ${(performance.now() - begun) / 1000}`);
  }
}
process.exit(0);

function examples(epoch: number): readonly Example[] {
  return Array.from({ length: batch }, (_, row) => ({
    inputIds: Int32Array.from(
      { length: tokens },
      (_unused, i) => (7919 * (row * tokens + i)) % 50000,
    ),
    targets: {
      positions: Int32Array.of(tokens - 1),
      labels: Int32Array.of(row % 3),
      weights: 1 / batch,
    },
    dropoutKeys: dropoutKeys({ seed: 1, epoch, rowId: `${row}`, length: tokens }),
  }));
}
