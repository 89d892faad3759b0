import { expect, test } from 'vitest';
import { adamWScalars } from '../../../training/optimizers/adamw.ts';
import type {
  AdamWOptions,
  OptimizerStep,
} from '../../../training/optimizers/optimizer-options.ts';
import { openOptimizer } from '../../../training/optimizers/optimizer.ts';
import {
  allocateTrainingState,
  type StateTensorSpec,
  type TrainingState,
} from '../../../training/optimizers/training-state.ts';
import { contents, fill, OPTIMIZERS, STEPS } from './filled-state.ts';

const OPTIONS = OPTIMIZERS['adamw'] as AdamWOptions;

const SPECS: readonly StateTensorSpec[] = [
  { name: 'a', shape: [3, 50_001], isDecayed: true },
  { name: 'b', shape: [7], isDecayed: false },
];

/** The same update in float32, one operation at a time. */
function reference(state: TrainingState, options: AdamWOptions, at: OptimizerStep): void {
  const f = Math.fround;
  const scalars = Object.entries(adamWScalars(options, at)).map(([k, x]) => [k, f(x)]);
  const { scale, keep, rate1, beta2, rate2, root, epsilon, step } = Object.fromEntries(scalars);
  for (const tensor of state.tensors) {
    const [p, m, v, gradients] = (
      ['parameters', 'firstMoments', 'secondMoments', 'gradients'] as const
    ).map((region) => state.view(region, tensor)) as [
      Float32Array,
      Float32Array,
      Float32Array,
      Float32Array,
    ];
    for (let i = 0; i < p.length; i++) {
      const g = f(gradients[i]! * scale);
      m[i] = f(m[i]! + f(rate1 * f(g - m[i]!)));
      v[i] = f(f(v[i]! * beta2) + f(f(rate2 * g) * g));
      const decayed = tensor.isDecayed ? f(p[i]! * keep) : p[i]!;
      p[i] = f(decayed + f(f(step * m[i]!) / f(f(f(Math.sqrt(v[i]!)) / root) + epsilon)));
    }
  }
}

test('AdamW equals the same float32 operations one at a time, bit for bit', async () => {
  const [expected, found] = [0, 1].map(() => allocateTrainingState(SPECS, OPTIONS));
  const optimizer = await openOptimizer(found!, OPTIONS, 1);
  for (const state of [expected!, found!]) fill(state, 'parameters', 0);
  for (const at of STEPS) {
    for (const state of [expected!, found!]) fill(state, 'gradients', at.step);
    reference(expected!, OPTIONS, at);
    await optimizer.update(at);
  }
  await optimizer.close();
  expect(contents(found!).equals(contents(expected!))).toBe(true);
});
