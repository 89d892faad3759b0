import { expect, test } from 'vitest';
import {
  bestTrial,
  promoted,
  rungCount,
  rungSteps,
  stepsOfRung,
  trialInputs,
} from '../../../plan/search/halving.ts';
import type { SearchScheduler, Trial } from '../../../plan/search/strategy.ts';
import { searchOf, valueOfTrial } from './searches.ts';

const scheduler = (minSteps: number, maxSteps: number, eta: number): SearchScheduler => ({
  ...{ minSteps, maxSteps, eta },
  ...{ lengthInput: ['args', 'max_steps'], stopInput: ['stop_at_step'] },
});

test.each([
  [10, 90, 3, [10, 30, 90]],
  // Of Hyperband's table 1: R = 81, eta = 3.
  [1, 81, 3, [1, 3, 9, 27, 81]],
  [10, 100, 3, [11, 33, 100]],
  [60, 100, 2, [100]],
  [100, 100, 4, [100]],
  [1, 3, 2, [1, 3]],
])('rungs of %i to %i steps by %i end at %j', (min, max, eta, steps) => {
  expect(rungSteps(scheduler(min, max, eta))).toEqual(steps);
});

const search = searchOf({ scheduler: scheduler(10, 90, 3), parameters: [] });

/** Trials by their number, each with what it came to at the rungs that it has ended. */
const trialsOf = (...results: readonly (readonly number[])[]): readonly Trial[] =>
  results.map((values, number) => valueOfTrial(number, [], ...values));

const numbersOf = (trials: readonly Trial[]): number[] => trials.map(({ number }) => number);

test('one in eta goes on, the best first, of equal ones the first', () => {
  const trials = trialsOf([5], [3], [4], [3], [9], [1], [7], [8], [6]);
  expect(numbersOf(promoted(search, trials, 0))).toEqual([5, 1, 3]);
  const maximized = { ...search, goal: 'maximize' } as const;
  expect(numbersOf(promoted(maximized, trials, 0))).toEqual([4, 7, 6]);
});

test('who failed counts among those that entered a rung, and goes no further', () => {
  const failed = (number: number, ...results: readonly number[]): Trial => ({
    ...valueOfTrial(number, [], ...results),
    failure: 'Diverged: the loss',
  });
  const trials = [...trialsOf([5], [3], [4]), failed(3), failed(4), failed(5)];
  expect(numbersOf(promoted(search, trials, 0))).toEqual([1, 2]);
  // The third failed at the first rung, so only two entered the second.
  const later = [valueOfTrial(0, [], 5, 2), failed(1, 3), failed(2)];
  expect(numbersOf(promoted(search, later, 1))).toEqual([0]);
  expect(promoted(search, [failed(0)], 0)).toEqual([]);
});

test('the best is of the highest rung, whatever a lower one gave', () => {
  expect(bestTrial(search, trialsOf([1], [5, 4], [6, 3], [7]))?.number).toBe(2);
  expect(bestTrial(search, trialsOf([5], [1], [1]))?.number).toBe(1);
  expect(bestTrial(search, [{ number: 0, values: [], rungs: [], failure: 'x' }])).toBeUndefined();
});

test('inputs of a rung: the whole course, a stop, and at the last rung no stop', () => {
  const inputs = { model: 'm', args: { seed: 1, learning_rate: 1 } };
  const path = ['args', 'learning_rate'];
  const strategy = { ...search, parameters: [{ path, kind: 'values', values: [2, 3] } as const] };
  const at = (rung: number): unknown => trialInputs(inputs, strategy, { values: [3] }, rung);
  const args = { seed: 1, learning_rate: 3, max_steps: 90 };
  expect(rungCount(strategy)).toBe(3);
  expect(at(0)).toEqual({ model: 'm', args, stop_at_step: 10 });
  expect(at(1)).toEqual({ model: 'm', args, stop_at_step: 30 });
  expect(at(2)).toEqual({ model: 'm', args });
  const { scheduler: _, ...plain } = strategy;
  expect(trialInputs({ model: 'm' }, plain, { values: [3] }, 0)).toEqual({
    model: 'm',
    args: { learning_rate: 3 },
  });
});

test('steps of a rung are those beyond the one before, or what args says', () => {
  expect([0, 1, 2].map((rung) => stepsOfRung(search, {}, rung))).toEqual([10, 20, 60]);
  const plain = searchOf({ lengthInput: ['args', 'max_steps'] });
  expect(stepsOfRung(plain, { args: { max_steps: 40 } }, 0)).toBe(40);
  expect(() => stepsOfRung(plain, { args: { max_steps: -1 } }, 0)).toThrow(
    new Error(
      'the search has a budget of steps, and args.max_steps is -1; set it to how many a trial has, or add a scheduler',
    ),
  );
});
