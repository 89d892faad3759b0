import { describe, expect, test } from 'vitest';
import { openOptimizer } from '../../../training/optimizers/optimizer.ts';
import type { OptimizerOptions } from '../../../training/optimizers/optimizer-options.ts';
import {
  allocateTrainingState,
  type StateTensorSpec,
  type TrainingState,
} from '../../../training/optimizers/training-state.ts';
import { contents, fill, OPTIMIZERS, STEPS } from './filled-state.ts';

/** Several blocks of rows and chunks of the norm, lengths that fill no register, decayed and not. */
const SPECS: readonly StateTensorSpec[] = [
  { name: 'tall', shape: [50_001, 3], isDecayed: true },
  { name: 'wide', shape: [70, 1501], isDecayed: true },
  { name: 'short', shape: [7], isDecayed: false },
  { name: 'cube', shape: [3, 130, 18], isDecayed: true },
  { name: 'long', shape: [70_001], isDecayed: false },
  { name: 'row', shape: [1, 33], isDecayed: false },
  { name: 'column', shape: [33, 1], isDecayed: true },
  { name: 'scalar', shape: [], isDecayed: false },
];

/** Holds the largest of the tensors alone, with two moments or a scratch of each. */
const SMALL_MEMORY = 48 * 65536;

interface Ran {
  readonly state: TrainingState;
  readonly bytes: Buffer;
  readonly norms: readonly number[];
}

async function runSteps(
  options: OptimizerOptions,
  threads: number,
  memoryBytes?: number,
): Promise<Ran> {
  const state = allocateTrainingState(SPECS, options, memoryBytes);
  const optimizer = await openOptimizer(state, options, threads);
  const norms: number[] = [];
  fill(state, 'parameters', 0);
  for (const at of STEPS) {
    fill(state, 'gradients', at.step);
    norms.push(await optimizer.gradientNorm());
    await optimizer.update(at);
  }
  await optimizer.close();
  return { state, bytes: contents(state), norms };
}

describe.each(Object.entries(OPTIMIZERS))('%s', (_, options) => {
  test('the bits are the same on 1, 2, 3 and 4 threads, in one memory and in several', async () => {
    const expected = await runSteps(options, 1);
    for (const threads of [2, 3, 4]) {
      const { bytes, norms } = await runSteps(options, threads);
      expect({ threads, isEqual: bytes.equals(expected.bytes) }).toEqual({
        threads,
        isEqual: true,
      });
      expect(norms).toEqual(expected.norms);
    }
    const shared = await runSteps(options, 1, SMALL_MEMORY);
    expect(shared.state.shards.length).toBeGreaterThan(1);
    expect(shared.bytes.equals(expected.bytes)).toBe(true);
    const parallel = await runSteps(options, 4, SMALL_MEMORY);
    expect(parallel.bytes.equals(expected.bytes)).toBe(true);
    expect(parallel.norms).toEqual(shared.norms);
  });

  test('a tensor without gradient and decay keeps its bits, and a decayed one shrinks', async () => {
    const specs = [
      { name: 'kept', shape: [5, 9], isDecayed: false },
      { name: 'vector', shape: [11], isDecayed: false },
      { name: 'decayed', shape: [9, 5], isDecayed: true },
    ];
    const state = allocateTrainingState(specs, options);
    fill(state, 'parameters', 1);
    const [kept, vector, decayed] = state.tensors.map((tensor) => state.view('parameters', tensor));
    const before = [kept!.slice(), vector!.slice(), decayed!.slice()];
    const optimizer = await openOptimizer(state, options, 2);
    expect(await optimizer.gradientNorm()).toBe(0);
    await optimizer.update({ step: 1, learningRate: 0.1, gradientScale: 1 });
    await optimizer.close();
    expect([kept, vector]).toEqual(before.slice(0, 2));
    const factors = decayed!.map((value, i) => value / before[2]![i]!);
    // 1 - learning rate × weight decay; Nesterov's looks ahead by the momentum.
    const isAhead = options.kind === 'sgd' && options.nesterov;
    for (const factor of factors) expect(factor).toBeCloseTo(isAhead ? 0.981 : 0.99, 6);
  });

  test('a state without tensors, and one of a single number, can be updated', async () => {
    const none = allocateTrainingState([], options);
    const idle = await openOptimizer(none, options, 2);
    await idle.accumulate();
    expect(await idle.gradientNorm()).toBe(0);
    await idle.update(STEPS[0]!);
    await idle.close();

    const one = allocateTrainingState([{ name: 'bias', shape: [1], isDecayed: false }], options);
    const [tensor] = one.tensors;
    one.view('gradients', tensor!).set([-2]);
    const optimizer = await openOptimizer(one, options, 2);
    expect(await optimizer.gradientNorm()).toBe(2);
    await optimizer.update({ step: 1, learningRate: 0.5, gradientScale: 0.5 });
    await optimizer.close();
    // The first update is against the sign, or the scaled gradient of -1, or 1.9 times that.
    const isAhead = options.kind === 'sgd' && options.nesterov;
    expect(one.view('parameters', tensor!)[0]).toBeCloseTo(isAhead ? 0.95 : 0.5, 6);
  });
});

test('the norm is that of all gradients, and shows a single NaN', async () => {
  const options = OPTIMIZERS['sgd']!;
  const state = allocateTrainingState(SPECS, options, SMALL_MEMORY);
  expect(state.shards.length).toBe(2);
  fill(state, 'gradients', 1);
  let sum = 0;
  for (const tensor of state.tensors) for (const g of state.view('gradients', tensor)) sum += g * g;
  const optimizer = await openOptimizer(state, options, 2);
  expect(await optimizer.gradientNorm()).toBeCloseTo(Math.sqrt(sum), 9);
  state.view('gradients', state.tensors[4]!)[70_000] = NaN;
  expect(await optimizer.gradientNorm()).toBeNaN();
  await optimizer.close();
});

test('accumulate adds the gradients of one more pass', async () => {
  const options = OPTIMIZERS['adafactor']!;
  const state = allocateTrainingState(SPECS, options);
  fill(state, 'gradients', 1);
  fill(state, 'passGradients', 2);
  const expected = state.tensors.map((tensor) => {
    const parts = state.view('passGradients', tensor);
    return state.view('gradients', tensor).map((g, i) => g + parts[i]!);
  });
  const optimizer = await openOptimizer(state, options, 2);
  await optimizer.accumulate();
  await optimizer.close();
  for (const [index, tensor] of state.tensors.entries()) {
    const different = state
      .view('gradients', tensor)
      .findIndex((g, i) => g !== expected[index]![i]);
    expect({ tensor: tensor.name, different }).toEqual({ tensor: tensor.name, different: -1 });
  }
});

test('an optimizer is not opened on the state of another', async () => {
  const state = allocateTrainingState(SPECS, OPTIMIZERS['sgd']!);
  await expect(openOptimizer(state, OPTIMIZERS['adamw']!, 1)).rejects.toThrow(
    'internal: adamw on the state of sgd',
  );
});
