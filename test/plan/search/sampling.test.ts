import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import type { JsonValue } from '../../../plan/json.ts';
import { parzen } from '../../../plan/search/parzen.ts';
import { randomNumbers } from '../../../plan/search/random.ts';
import { batchSize, sampling, trialCount } from '../../../plan/search/sampling.ts';
import type { SearchParameter, SearchStrategy, Trial } from '../../../plan/search/strategy.ts';
import { searchOf, valueOfTrial } from './searches.ts';

const RATE: SearchParameter = {
  path: ['args', 'learning_rate'],
  ...{ kind: 'range', min: 1e-5, max: 1e-1, distribution: 'log_uniform' },
};
const SIZE: SearchParameter = {
  path: ['size'],
  kind: 'range',
  min: 1,
  max: 4,
  distribution: 'int',
};
const DECAY: SearchParameter = {
  path: ['decay'],
  ...{ kind: 'range', min: 0, max: 0.1, distribution: 'uniform' },
};
const WORD: SearchParameter = { path: ['word'], kind: 'values', values: ['a', null, [1]] };

const draws = (search: SearchStrategy, count: number): JsonValue[][] =>
  Array.from({ length: count }, (_, number) => [...sampling(search, [])(number)]);

test('random numbers follow from their key, and are even and independent', () => {
  const draw = randomNumbers(1, 2, 'x');
  const numbers = Array.from({ length: 4 }, draw);
  expect(Array.from({ length: 4 }, randomNumbers(1, 2, 'x'))).toEqual(numbers);
  expect(Array.from({ length: 4 }, randomNumbers(1, 3, 'x'))).not.toEqual(numbers);
  // One number of each of many keys, as a search draws them.
  const first = Array.from({ length: 20_000 }, (_, i) => randomNumbers(42, i, 'lr')());
  const counts = Array.from({ length: 20 }, () => 0);
  for (const x of first) counts[Math.floor(x * 20)]! += 1;
  // Chi-squared of 19 degrees of freedom: 43.8 is passed once in a thousand.
  expect(counts.reduce((sum, n) => sum + (n - 1000) ** 2 / 1000, 0)).toBeLessThan(43.8);
  const products = first.slice(1).map((x, i) => (x - 0.5) * (first[i]! - 0.5));
  const correlation = (12 * products.reduce((sum, x) => sum + x, 0)) / products.length;
  expect(Math.abs(correlation)).toBeLessThan(0.025);
});

test('the values of a trial do not hang on how many trials or parameters there are', () => {
  const all = draws(searchOf({ parameters: [RATE, SIZE, WORD] }), 5);
  const others = draws(searchOf({ parameters: [WORD, RATE], maxTrials: 100 }), 5);
  expect(others).toEqual(all.map(([rate, , word]) => [word, rate]));
  expect(draws(searchOf({ parameters: [RATE, SIZE, WORD], seed: 1 }), 5)).not.toEqual(all);
});

test('random values lie as their distribution says, in six digits', () => {
  const found = draws(searchOf({ parameters: [RATE, SIZE, DECAY, WORD] }), 2000);
  const rates = found.map(([rate]) => rate as number);
  expect(rates.every((rate) => rate >= 1e-5 && rate <= 1e-1)).toBe(true);
  expect(rates.every((rate) => Number(rate.toPrecision(6)) === rate)).toBe(true);
  // Half of the logarithms lie on either side of the middle, 1e-3.
  const below = rates.filter((rate) => rate < 1e-3).length;
  expect(Math.abs(below - 1000)).toBeLessThan(100);
  const decays = found.map(([, , decay]) => decay as number);
  expect(Math.abs(decays.filter((decay) => decay < 0.05).length - 1000)).toBeLessThan(100);
  for (const [index, values] of [
    [1, [1, 2, 3, 4]],
    [3, ['a', null, [1]]],
  ] as const) {
    const counts = values.map(
      (value) =>
        found.filter((point) => JSON.stringify(point[index]) === JSON.stringify(value)).length,
    );
    expect(counts.reduce((sum, n) => sum + n, 0)).toBe(2000);
    for (const count of counts) {
      expect(Math.abs(count - 2000 / values.length)).toBeLessThan(100);
    }
  }
});

test('a grid is every combination, the last parameter fastest, up to max_trials', () => {
  const search = searchOf({ sampler: 'grid', parameters: [WORD, SIZE], maxTrials: 1000 });
  expect(trialCount(search)).toBe(12);
  expect(draws(search, 12).map((point) => JSON.stringify(point))).toEqual(
    ['"a"', 'null', '[1]'].flatMap((word) => [1, 2, 3, 4].map((size) => `[${word},${size}]`)),
  );
  expect(trialCount({ ...search, maxTrials: 5 })).toBe(5);
  expect(batchSize(search)).toBe(Infinity);
});

interface Case {
  readonly values?: readonly JsonValue[];
  readonly min: number;
  readonly max: number;
  readonly distribution: 'uniform' | 'log_uniform' | 'int';
  readonly tried: readonly JsonValue[];
  readonly at: readonly JsonValue[];
  readonly gain: readonly number[];
}

test('densities of TPE are those of Optuna', async () => {
  const file = new URL('../../fixtures/parzen.json', import.meta.url);
  const cases = JSON.parse(await readFile(file, 'utf8')) as readonly Case[];
  expect(cases).toHaveLength(7);
  for (const { values, min, max, distribution, tried, at, gain } of cases) {
    const parameter: SearchParameter =
      values === undefined
        ? { path: ['x'], kind: 'range', min, max, distribution }
        : { path: ['x'], kind: 'values', values };
    const [density, prior] = [parzen(parameter, tried), parzen(parameter, [])];
    for (const [index, value] of at.entries()) {
      const found = density.logDensity(value) - prior.logDensity(value);
      expect(Math.abs(found - gain[index]!)).toBeLessThan(1e-9);
    }
  }
});

test('tpe is random for ten trials, and then nearer to the best than chance', () => {
  const search = searchOf({ sampler: 'tpe', parameters: [RATE, WORD], maxTrials: 60 });
  expect(batchSize(search)).toBe(search.maxParallel);
  // Best at a rate of 3e-3 and the word null.
  const loss = ([rate, word]: readonly JsonValue[]): number =>
    Math.abs(Math.log10((rate as number) / 3e-3)) + (word === null ? 0 : 1);
  const run = (sampler: 'tpe' | 'random', seed: number): readonly number[] => {
    const trials: Trial[] = [];
    for (let number = 0; number < 60; number++) {
      const known = trials.slice(0, number - (number % search.maxParallel));
      const values = sampling({ ...search, sampler, seed }, known)(number);
      trials.push(valueOfTrial(number, values, loss(values)));
    }
    return trials.map(({ values }) => loss(values));
  };
  expect(run('tpe', 1).slice(0, 10)).toEqual(run('random', 1).slice(0, 10));
  expect(run('tpe', 1)).toEqual(run('tpe', 1));
  const mean = (losses: readonly number[]): number =>
    losses.slice(20).reduce((sum, x) => sum + x, 0) / 40;
  for (const seed of [1, 2, 3, 4, 5]) {
    expect(mean(run('tpe', seed))).toBeLessThan(0.6 * mean(run('random', seed)));
  }
});

test('tpe leaves trials that failed out', () => {
  const search = searchOf({ sampler: 'tpe', parameters: [SIZE] });
  const good = Array.from({ length: 10 }, (_, i) => valueOfTrial(i, [2], i));
  const failed: Trial = { number: 10, values: [4], rungs: [], failure: 'Diverged: the loss' };
  expect(sampling(search, [...good, failed])(11)).toEqual(sampling(search, good)(11));
});
