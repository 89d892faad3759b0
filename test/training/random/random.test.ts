import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { dataOrder } from '../../../training/random/data-order.ts';
import { normalQuantile } from '../../../training/random/normal-quantile.ts';
import { initializeTensor } from '../../../training/random/weight-initialization.ts';

interface OrderCase {
  readonly rows: number;
  readonly seed: number;
  readonly epochs: readonly number[][];
}

test('every epoch visits the rows in the order of Hugging Face Trainer', async () => {
  const file = new URL('../../fixtures/data-order.json', import.meta.url);
  const cases = JSON.parse(await readFile(file, 'utf8')) as readonly OrderCase[];
  for (const { rows, seed, epochs } of cases) {
    const orders = epochs.map((_, epoch) => [...dataOrder({ rows, seed, epoch })]);
    expect(orders).toEqual(epochs);
  }
});

test('more rows than torch draws 32 bits for are refused', () => {
  expect(() => dataOrder({ rows: 214_748_364, seed: 1, epoch: 0 })).toThrow(
    'the training split has 214748364 rows; expected at most 214748363: take a subset',
  );
});

test.each([
  [0.5, 0],
  [0.1, -1.2815515655446008],
  [0.975, 1.9599639845400536],
  [1e-4, -3.71901648545568],
  [2 ** -33, -6.337957754553789],
  [1 - 1e-9, 5.997807019601638],
])("the normal quantile of %s is Python's statistics.NormalDist().inv_cdf", (p, expected) => {
  expect(Math.abs(normalQuantile(p) - expected)).toBeLessThanOrEqual(1e-14 * Math.abs(expected));
});

const normal = { kind: 'normal', std: 0.02 } as const;

async function initialized(seed: number, name: string, length: number): Promise<Float32Array> {
  const target = new Float32Array(length);
  await initializeTensor({ seed, name, rule: normal, target });
  return target;
}

test('fresh weights have the moments and the tails of their distribution', async () => {
  const x = await initialized(42, 'transformer.wte.weight', 1_000_000);
  const moment = (power: number): number =>
    x.reduce((sum, value) => sum + (value / 0.02) ** power, 0) / x.length;
  // Four standard errors of each sample moment of a million draws.
  expect(Math.abs(moment(1))).toBeLessThan(0.004);
  expect(Math.abs(moment(2) - 1)).toBeLessThan(0.0057);
  expect(Math.abs(moment(3))).toBeLessThan(0.0155);
  expect(Math.abs(moment(4) - 3)).toBeLessThan(0.039);
  const beyond3 = x.filter((value) => Math.abs(value) > 0.06).length;
  expect(Math.abs(beyond3 - 2700)).toBeLessThan(208);
  const lag = x.subarray(1).reduce((sum, value, i) => sum + value * (x[i] ?? 0), 0) / 0.0004 / 1e6;
  expect(Math.abs(lag)).toBeLessThan(0.004);
});

test('fresh weights are the same bits everywhere, part by part and as one', async () => {
  const whole = await initialized(42, 'score.weight', 300_000);
  const part = new Float32Array(1000);
  await initializeTensor({
    seed: 42,
    name: 'score.weight',
    rule: normal,
    target: part,
    offset: 200_123,
  });
  expect(part).toEqual(whole.subarray(200_123, 201_123));
  expect(createHash('sha256').update(new Uint8Array(whole.buffer)).digest('hex')).toBe(
    'c6726f9ef17899e3076fdf7f29c5d655a9aa9222317812d520e582159d97d501',
  );
});

test('another seed or another name gives other weights', async () => {
  const [a, b, c] = await Promise.all([
    initialized(42, 'score.weight', 8),
    initialized(43, 'score.weight', 8),
    initialized(42, 'wte.weight', 8),
  ]);
  const common = [...a].filter((x) => b.includes(x) || c.includes(x));
  expect(common).toEqual([]);
});

test.each([
  [{ kind: 'ones' } as const, 1],
  [{ kind: 'zeros' } as const, 0],
])('%o fills with %i', async (rule, expected) => {
  const target = new Float32Array(3).fill(7);
  await initializeTensor({ seed: 1, name: 'ln_f.weight', rule, target });
  expect([...target]).toEqual([expected, expected, expected]);
});
