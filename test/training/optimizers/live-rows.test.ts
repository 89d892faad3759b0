import { expect, test } from 'vitest';
import { findLiveRows, liveRows } from '../../../training/optimizers/live-rows.ts';
import type { AdamWOptions } from '../../../training/optimizers/optimizer-options.ts';
import { openOptimizer } from '../../../training/optimizers/optimizer.ts';
import {
  allocateTrainingState,
  NORM_CHUNK,
  type TrainingState,
} from '../../../training/optimizers/training-state.ts';
import { contents, fill, OPTIMIZERS } from './filled-state.ts';

const ADAMW = OPTIMIZERS['adamw'] as AdamWOptions;
const COLUMNS = 12;
const ROWS = 20_000;
/** In every step, in some, and at the bounds of a chunk of the norm and of the table. */
const READ = [
  [0, 5, 6, 19_999],
  [5, 5461, 5462],
  [5, 777],
] as const;

function table(isSparse: boolean, isDecayed: boolean): TrainingState {
  const state = allocateTrainingState(
    [
      { name: 'before', shape: [100], isDecayed: false },
      { name: 'table', shape: [ROWS, COLUMNS], isDecayed, isSparse },
      { name: 'after', shape: [300, 301], isDecayed: true },
    ],
    ADAMW,
  );
  fill(state, 'parameters', 0);
  return state;
}

/** A step whose gradients are 0 but in the rows that it reads. */
function readRows(state: TrainingState, step: number): void {
  fill(state, 'gradients', step);
  const [, tensor] = state.tensors;
  const gradients = state.view('gradients', tensor!);
  const live = liveRows(state, tensor!);
  const rows = READ[step - 1]!;
  for (let row = 0; row < ROWS; row++) {
    const isRead = (rows as readonly number[]).includes(row);
    if (!isRead) gradients.fill(0, row * COLUMNS, (row + 1) * COLUMNS);
    else if (live !== undefined) live[row] = 1;
  }
}

async function train(
  state: TrainingState,
  steps: readonly number[],
  threads: number,
): Promise<readonly number[]> {
  const optimizer = await openOptimizer(state, ADAMW, threads);
  const norms: number[] = [];
  for (const step of steps) {
    readRows(state, step);
    norms.push(await optimizer.gradientNorm());
    await optimizer.update({ step, learningRate: 1e-3, gradientScale: 0.5 });
  }
  await optimizer.close();
  return norms;
}

test.each([
  ['decayed', true],
  ['not decayed', false],
])('rows that no step has read stay out of a %s update without changing a bit', async (_, is) => {
  expect(NORM_CHUNK % COLUMNS).not.toBe(0);
  const dense = table(false, is);
  const norms = await train(dense, [1, 2, 3], 1);
  for (const threads of [1, 2, 3]) {
    const sparse = table(true, is);
    expect(liveRows(sparse, sparse.tensors[1]!)).toHaveLength(ROWS);
    expect(await train(sparse, [1, 2, 3], threads)).toEqual(norms);
    expect(contents(sparse).equals(contents(dense))).toBe(true);
  }
});

test('the live rows of a state that was filled are found by its moments', async () => {
  const whole = table(true, true);
  await train(whole, [1, 2, 3], 2);
  const first = table(true, true);
  await train(first, [1, 2], 2);
  const resumed = table(true, true);
  for (const region of ['parameters', 'firstMoments', 'secondMoments'] as const) {
    for (const [i, tensor] of first.tensors.entries()) {
      resumed.view(region, resumed.tensors[i]!).set(first.view(region, tensor));
    }
  }
  await findLiveRows(resumed);
  const live = liveRows(resumed, resumed.tensors[1]!)!;
  const rows = [...live.keys()].filter((row) => live[row] === 1);
  expect(rows).toEqual([0, 5, 6, 5461, 5462, 19_999]);
  await train(resumed, [3], 2);
  expect(contents(resumed).equals(contents(whole))).toBe(true);
});

test('a moment of −0 makes a row live, and one of +0 does not', async () => {
  const state = table(true, true);
  const moments = state.view('firstMoments', state.tensors[1]!);
  moments[3 * COLUMNS] = -0;
  moments[4 * COLUMNS] = 0;
  await findLiveRows(state);
  expect(liveRows(state, state.tensors[1]!)!.indexOf(1)).toBe(3);
  expect(liveRows(state, state.tensors[1]!)!.lastIndexOf(1)).toBe(3);
});

test.each([
  ['its rows are no whole vectors', [50, 6], ADAMW],
  ['ε is 0, and an update is no number', [50, 8], { ...ADAMW, epsilon: 0 }],
  ['ε is 0 as a float32', [50, 8], { ...ADAMW, epsilon: 1e-46 }],
  ['the optimizer is another', [50, 8], OPTIMIZERS['sgd']!],
])('a sparse tensor is updated whole where %s', (_, shape, options) => {
  const spec = { name: 'table', shape, isDecayed: true, isSparse: true };
  const state = allocateTrainingState([spec], options);
  expect(liveRows(state, state.tensors[0]!)).toBeUndefined();
});
