import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { openOptimizer } from '../../../training/optimizers/optimizer.ts';
import {
  allocateTrainingState,
  SAVED_REGIONS,
  type StateTensorSpec,
} from '../../../training/optimizers/training-state.ts';
import { fill, OPTIMIZERS } from './filled-state.ts';

/** Made by test/fixtures/make-optimizer-reference.py. */
interface Reference {
  readonly shapes: Readonly<Record<string, readonly number[]>>;
  readonly decayed: readonly string[];
  readonly learning_rates: readonly number[];
  readonly gradient_scales: readonly number[];
  readonly samples: number;
  readonly steps: Readonly<Record<string, readonly ReferenceStep[]>>;
}

type ReferenceStep = {
  readonly norm: number;
  /** Coefficient of the clipping. */
  readonly clip: number;
} & { readonly [region in (typeof SAVED_REGIONS)[number]]?: Readonly<Record<string, number[]>> };

const file = new URL('../../fixtures/optimizers.json', import.meta.url);
const reference = JSON.parse(await readFile(file, 'utf8')) as Reference;
const specs: readonly StateTensorSpec[] = Object.entries(reference.shapes).map(([name, shape]) => {
  return { name, shape, isDecayed: reference.decayed.includes(name) };
});

/** Largest difference of the elements that were kept, relative to `scale` or the largest of them. */
function difference(found: Float32Array, expected: readonly number[], scale: number): number {
  const stride = Math.ceil(found.length / reference.samples);
  const largest = Math.max(scale, ...expected.map(Math.abs));
  const errors = expected.map((value, i) => Math.abs(value - (found[i * stride] ?? NaN)));
  return Math.max(...errors) / largest;
}

// In units in the last place of 1. torch fuses some products with sums, and takes Adafactor's means
// and root mean squares in float32.
test.each([
  { name: 'adamw', units: 2 },
  { name: 'sgd', units: 1 },
  { name: 'sgd_momentum', units: 2 },
  { name: 'sgd_nesterov', units: 2 },
  { name: 'adafactor', units: 4 },
])('$name as Trainer creates it, to the last bits of float32', async ({ name, units }) => {
  const options = OPTIMIZERS[name]!;
  const state = allocateTrainingState(specs, options);
  fill(state, 'parameters', 0);
  const optimizer = await openOptimizer(state, options, 2);
  const worst: Record<string, number> = {};
  for (const [index, kept] of reference.steps[name]!.entries()) {
    const step = index + 1;
    fill(state, 'gradients', step, reference.gradient_scales[index]);
    const norm = await optimizer.gradientNorm();
    expect(Math.abs(norm / kept.norm - 1)).toBeLessThan(1e-13);
    const learningRate = reference.learning_rates[index]!;
    await optimizer.update({ step, learningRate, gradientScale: kept.clip });
    for (const region of SAVED_REGIONS) {
      for (const [tensorName, expected] of Object.entries(kept[region] ?? {})) {
        const tensor = state.tensors.find((tensor) => tensor.name === tensorName)!;
        // Parameters start as numbers up to 1, and may end near 0.
        const scale = region === 'parameters' ? 1 : 0;
        const error = difference(state.view(region, tensor), expected, scale);
        worst[region] = Math.max(worst[region] ?? 0, error);
      }
    }
  }
  await optimizer.close();
  const kept = Object.keys(reference.steps[name]![0]!).filter((key) => !/norm|clip/.test(key));
  expect(Object.keys(worst).sort()).toEqual(kept.sort());
  expect(Object.entries(worst).filter(([, error]) => !(error <= units * 2 ** -23))).toEqual([]);
});
