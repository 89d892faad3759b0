import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import {
  adamWScalars,
  openAdamW,
  type AdamWOptions,
  type AdamWStep,
} from '../../../training/optimizers/adamw.ts';
import {
  allocateTrainingState,
  STATE_REGIONS,
  type StateTensorSpec,
  type TrainingState,
} from '../../../training/optimizers/training-state.ts';

const OPTIONS: AdamWOptions = { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0.1 };

/** More than one chunk of the norm, lengths that fill no register, decayed and not. */
const SPECS: readonly StateTensorSpec[] = [
  { name: 'a', shape: [3, 50_001], isDecayed: true },
  { name: 'b', shape: [7], isDecayed: false },
  { name: 'c', shape: [33], isDecayed: false },
  { name: 'd', shape: [70_000], isDecayed: true },
];

const STEPS: readonly AdamWStep[] = [
  { step: 1, learningRate: 1e-3, gradientScale: 1 },
  { step: 2, learningRate: 7e-4, gradientScale: 0.37 },
  { step: 3, learningRate: 1e-5, gradientScale: 0.9 },
];

/** A different, fixed number in [-1, 1) for every element, region and step. */
function fill(state: TrainingState, region: 'parameters' | 'gradients', seed: number): void {
  for (const [index, tensor] of state.tensors.entries()) {
    const view = state.view(region, tensor);
    for (let i = 0; i < view.length; i++) {
      view[i] = Math.imul(i + 1, 0x9e3779b1 + 2 * (seed * 31 + index)) / 2 ** 31;
    }
  }
}

/** The same update in float32, one operation at a time. */
function reference(state: TrainingState, options: AdamWOptions, at: AdamWStep): void {
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

function contents(state: TrainingState): Buffer {
  return Buffer.concat(
    STATE_REGIONS.flatMap((region) =>
      state.tensors.map((tensor) => {
        const view = state.view(region, tensor);
        return Buffer.from(view.buffer, view.byteOffset, view.byteLength);
      }),
    ),
  );
}

async function runSteps(threads: number, shardElements?: number): Promise<[Buffer, number[]]> {
  const state = allocateTrainingState(SPECS, shardElements);
  const optimizer = await openAdamW(state, OPTIONS, threads);
  const norms: number[] = [];
  fill(state, 'parameters', 0);
  for (const at of STEPS) {
    fill(state, 'gradients', at.step);
    norms.push(await optimizer.gradientNorm());
    await optimizer.update(at);
  }
  await optimizer.close();
  return [contents(state), norms];
}

test('AdamW equals the same float32 operations one at a time, bit for bit', async () => {
  const state = allocateTrainingState(SPECS);
  fill(state, 'parameters', 0);
  for (const at of STEPS) {
    fill(state, 'gradients', at.step);
    reference(state, OPTIONS, at);
  }
  const [bytes] = await runSteps(1);
  expect(bytes.equals(contents(state))).toBe(true);
});

test.each([
  { threads: 2, shardElements: undefined },
  { threads: 3, shardElements: undefined },
  { threads: 4, shardElements: 150_016 },
])(
  'the bits are the same on $threads threads, in shards of $shardElements elements',
  async ({ threads, shardElements }) => {
    const [bytes, norms] = await runSteps(threads, shardElements);
    const [expected, expectedNorms] = await runSteps(1, shardElements);
    expect(bytes.equals(expected)).toBe(true);
    expect(norms).toEqual(expectedNorms);
    const [unsharded] = await runSteps(1);
    expect(bytes.equals(unsharded)).toBe(true);
  },
);

test('the norm is that of all gradients, and shows a single NaN', async () => {
  const state = allocateTrainingState(SPECS, 150_016);
  expect(state.shards.length).toBe(2);
  fill(state, 'gradients', 1);
  let sum = 0;
  for (const tensor of state.tensors) for (const g of state.view('gradients', tensor)) sum += g * g;
  const optimizer = await openAdamW(state, OPTIONS, 2);
  expect(await optimizer.gradientNorm()).toBeCloseTo(Math.sqrt(sum), 9);
  state.view('gradients', state.tensors[3]!)[69_999] = NaN;
  expect(await optimizer.gradientNorm()).toBeNaN();
  await optimizer.close();
});

test('accumulate adds the gradients of one more pass', async () => {
  const state = allocateTrainingState(SPECS);
  fill(state, 'gradients', 1);
  for (const tensor of state.tensors) {
    state.view('passGradients', tensor).set(state.view('gradients', tensor).map((g) => g / 2));
  }
  const expected = state.tensors.map((tensor) =>
    state.view('gradients', tensor).map((g) => g + g / 2),
  );
  const optimizer = await openAdamW(state, OPTIONS, 2);
  await optimizer.accumulate();
  await optimizer.close();
  for (const [index, tensor] of state.tensors.entries()) {
    const different = state
      .view('gradients', tensor)
      .findIndex((g, i) => g !== expected[index]![i]);
    expect({ tensor: tensor.name, different }).toEqual({ tensor: tensor.name, different: -1 });
  }
});

interface TorchReference {
  readonly shapes: Record<string, number[]>;
  readonly max_norm: number;
  readonly initial: Record<string, number[]>;
  readonly steps: readonly {
    readonly learning_rate: number;
    readonly gradients: Record<string, number[]>;
    readonly grad_norm: number;
    readonly parameters: Record<string, number[]>;
    readonly exp_avg: Record<string, number[]>;
    readonly exp_avg_sq: Record<string, number[]>;
  }[];
}

test('AdamW with clipping equals torch to the last bits of float32', async () => {
  const file = new URL('../../fixtures/adamw.json', import.meta.url);
  const torch = JSON.parse(await readFile(file, 'utf8')) as TorchReference;
  const specs = Object.entries(torch.shapes).map(([name, shape]) => ({
    name,
    shape,
    isDecayed: name === 'weight',
  }));
  const state = allocateTrainingState(specs);
  for (const tensor of state.tensors) {
    state.view('parameters', tensor).set(torch.initial[tensor.name]!);
  }
  const optimizer = await openAdamW(state, OPTIONS, 2);
  let worst = 0;
  for (const [index, step] of torch.steps.entries()) {
    for (const tensor of state.tensors) {
      state.view('gradients', tensor).set(step.gradients[tensor.name]!);
    }
    const norm = await optimizer.gradientNorm();
    expect(Math.abs(norm / step.grad_norm - 1)).toBeLessThan(1e-7);
    const gradientScale = Math.min(1, torch.max_norm / (norm + 1e-6));
    await optimizer.update({ step: index + 1, learningRate: step.learning_rate, gradientScale });
    for (const tensor of state.tensors) {
      for (const [region, expected] of [
        ['parameters', step.parameters],
        ['firstMoments', step.exp_avg],
        ['secondMoments', step.exp_avg_sq],
      ] as const) {
        const reference = expected[tensor.name]!;
        const largest = Math.max(...reference.map(Math.abs));
        state.view(region, tensor).forEach((value, i) => {
          worst = Math.max(worst, Math.abs(value - reference[i]!) / largest);
        });
      }
    }
  }
  await optimizer.close();
  // One unit in the last place of float32 is 1.2e-7.
  expect(worst).toBeLessThan(2e-7);
});

test('a tensor that no memory holds is refused by name', () => {
  const spec = { name: 'wte.weight', shape: [100, 100], isDecayed: true };
  expect(() => allocateTrainingState([spec], 9984)).toThrow(
    'tensor wte.weight has 10000 elements; expected at most 9984, what one WebAssembly memory holds with its gradients and moments: train a smaller model',
  );
});
