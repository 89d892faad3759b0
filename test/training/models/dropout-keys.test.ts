import { expect, test } from 'vitest';
import { dropoutKeys, mix32 } from '../../../training/models/dropout-keys.ts';

const base = { seed: 42, epoch: 0, rowId: 'row-7', length: 4 };

test('keys stay what they are: a resumed training needs the same ones', () => {
  expect([...dropoutKeys(base)]).toEqual([2130445606, 257580584, 2007283273, 1328290120]);
});

test('mix32 is murmur3’s finaliser', () => {
  // From the reference implementation, MurmurHash3.cpp, fmix32.
  expect([0, 1, 0x12345678, 0xffffffff].map(mix32)).toEqual([
    0, 0x514e28b7, 0xe37cd1bc, 0x81f16f39,
  ]);
});

test('a longer example starts with the keys of a shorter one', () => {
  const longer = dropoutKeys({ ...base, length: 9 });
  expect(longer.subarray(0, 4)).toEqual(dropoutKeys(base));
});

test.each([
  { name: 'seed', other: { ...base, seed: 43 } },
  { name: 'high half of the seed', other: { ...base, seed: 42 + 2 ** 32 } },
  { name: 'sign of the seed', other: { ...base, seed: -42 } },
  { name: 'epoch', other: { ...base, epoch: 1 } },
  { name: 'row', other: { ...base, rowId: 'row-8' } },
  { name: 'letters beyond ASCII', other: { ...base, rowId: 'röw-7' } },
])('another $name: other keys', ({ other }) => {
  const known = new Set(dropoutKeys(base));
  expect([...dropoutKeys(other)].filter((key) => known.has(key))).toEqual([]);
});

test('tokens of many examples have distinct keys, bits set half the time', () => {
  const rows = Array.from({ length: 200 }, (_, row) => `${row}`);
  const keys = rows.flatMap((rowId) => [...dropoutKeys({ ...base, rowId, length: 100 })]);
  // Of 20,000 random words, about 0.05 pairs are equal.
  expect(new Set(keys).size).toBe(keys.length);
  for (let bit = 0; bit < 32; bit++) {
    const share = keys.filter((key) => (key >>> bit) & 1).length / keys.length;
    expect(Math.abs(share - 0.5)).toBeLessThan(4 * 0.5 * keys.length ** -0.5);
  }
});
