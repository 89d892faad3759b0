import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { permutation } from '../../data/shuffle.ts';

interface ShuffleCase {
  readonly n: number;
  readonly seed: number;
  readonly first: readonly number[];
  readonly last: readonly number[];
  readonly sha256: string;
}

const cases = readFileSync(new URL('../fixtures/data/shuffle.jsonl', import.meta.url), 'utf8')
  .trim()
  .split('\n')
  .map((line) => JSON.parse(line) as ShuffleCase);

test.each(cases)('puts $n rows in the order of Dataset.shuffle(seed=$seed)', (expected) => {
  const { n, seed } = expected;
  const order = permutation(n, seed);
  expect({
    n,
    seed,
    first: [...order.slice(0, 5)],
    last: [...order.slice(-5)],
    sha256: createHash('sha256').update(order).digest('hex'),
  }).toEqual(expected);
});

test('has no rows to shuffle in an empty dataset', () => {
  expect(permutation(0, 42)).toEqual(new Uint32Array(0));
});

test.each([-1, 0.5, 2 ** 53, Number.NaN])('refuses the seed %d', (seed) => {
  expect(() => permutation(10, seed)).toThrow(
    `shuffle_seed ${seed} is not a seed: expected an integer from 0 to 9007199254740991`,
  );
});
