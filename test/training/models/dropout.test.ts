import { expect, test } from 'vitest';
import { Graph, type Value } from '../../../training/graph/graph.ts';
import { dropoutKeys } from '../../../training/models/dropout-keys.ts';
import { dropAttention, dropFeatures } from '../../../training/models/dropout.ts';
import { evaluate } from '../graph/evaluation.ts';

const T = 256;
const C = 256;
const H = 4;

/** An example's tokens: [1,T]. */
function keysOf(rowId: string, epoch = 0): { shape: readonly number[]; data: Uint32Array } {
  return { shape: [1, T], data: dropoutKeys({ seed: 42, epoch, rowId, length: T }) };
}

/** What is left of a [T,C] of ones at each site. */
async function featuresLeft(
  keys: { shape: readonly number[]; data: Uint32Array },
  sites: readonly number[],
  probability: number,
): Promise<readonly Float32Array[]> {
  const graph = new Graph();
  const input = graph.input('keys', 'uint32', ['R', 'T']);
  const ones = graph.input('ones', 'float32', ['R*T', C]);
  for (const site of sites) {
    graph.output(`${site}`, dropFeatures(ones, { keys: input, site, probability }));
  }
  const outputs = await evaluate(graph, {
    keys,
    ones: { shape: [T, C], data: new Float32Array(T * C).fill(1) },
  });
  return sites.map((site) => outputs[`${site}`] as Float32Array);
}

/** What is left of probabilities of 1, for each head: [T,T], query by key. */
async function attentionLeft(
  keys: { shape: readonly number[]; data: Uint32Array },
  site: number,
  probability: number,
): Promise<readonly Float32Array[]> {
  const graph = new Graph();
  const input = graph.input('keys', 'uint32', ['R', 'T']);
  const ones = graph.input('ones', 'float32', ['R', H, 'T', 'T']);
  const identity = graph.input('identity', 'float32', ['R', H, 'T', T]);
  graph.output(
    'left',
    dropAttention(ones, identity, { queries: input, keys: input, site, probability }),
  );
  const shape = [1, H, T, T];
  const diagonal = (_: unknown, i: number): number => (i % T === Math.floor(i / T) % T ? 1 : 0);
  const { left } = await evaluate(graph, {
    keys,
    ones: { shape, data: new Float32Array(H * T * T).fill(1) },
    identity: { shape, data: Float32Array.from({ length: H * T * T }, diagonal) },
  });
  const all = left as Float32Array;
  return Array.from({ length: H }, (_, head) => all.subarray(head * T * T, (head + 1) * T * T));
}

/** Kept or not as ±, with mean 0 and variance 1 if the keep rate is 1 − p. */
function standardized(left: Float32Array, probability: number): Float32Array {
  const deviation = Math.sqrt(probability * (1 - probability));
  return left.map((value) => ((value > 0 ? 1 : 0) - (1 - probability)) / deviation);
}

/** Σ of products over √n: N(0,1) for independent masks. */
function correlation(a: Float32Array, b: Float32Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += (a[i] ?? 0) * (b[i] ?? 0);
  return sum / Math.sqrt(a.length);
}

/**
 * Mean square of the correlations between all pairs of columns of a [T,width] mask: 1 for
 * independent elements. Squaring a pair's sum multiplies elements (t₁,d₁)(t₁,d₂)(t₂,d₁)(t₂,d₂), so
 * it also shows masks that are a combination of a word a row and a word a column.
 */
function pairwise(mask: Float32Array, width: number): { meanSquare: number; largest: number } {
  const columns = Array.from({ length: width }, (_, column) =>
    Float32Array.from({ length: T }, (_, row) => mask[row * width + column] ?? 0),
  );
  let sum = 0;
  let largest = 0;
  let pairs = 0;
  columns.forEach((a, i) => {
    for (const b of columns.slice(0, i)) {
      const z = correlation(a, b);
      sum += z * z;
      largest = Math.max(largest, Math.abs(z));
      pairs++;
    }
  });
  return { meanSquare: sum / pairs, largest };
}

/** Bounds in standard deviations: 65,536 elements a mask, 32,640 pairs of columns. */
const SINGLE = 4;
const LARGEST_PAIR = 6;
const MEAN_SQUARE = 0.05;

test.each([{ probability: 0.1 }, { probability: 0.5 }])(
  'features: p = $probability drops its share, independently',
  async ({ probability }) => {
    const left = await featuresLeft(keysOf('a'), [0, 1, 2], probability);
    const [others] = await featuresLeft(keysOf('b'), [0], probability);
    const [later] = await featuresLeft(keysOf('a', 1), [0], probability);
    const scale = Math.fround(1 / (1 - probability));
    expect(new Set(left[0])).toEqual(new Set([0, scale]));

    const masks = left.map((values) => standardized(values, probability));
    const first = required(masks[0]);
    for (const mask of masks) {
      expect(Math.abs(correlation(mask, new Float32Array(T * C).fill(1)))).toBeLessThan(SINGLE);
    }
    const pairs = {
      'next feature': [first.subarray(1), first.subarray(0, -1)],
      'next token': [first.subarray(C), first.subarray(0, -C)],
      'next site': [first, required(masks[1])],
      'site after': [first, required(masks[2])],
      'other example': [first, standardized(required(others), probability)],
      'next epoch': [first, standardized(required(later), probability)],
    };
    for (const [name, [a, b]] of Object.entries(pairs)) {
      const z = correlation(required(a), required(b));
      expect([name, Math.abs(z) < SINGLE]).toEqual([name, true]);
    }
    const { meanSquare, largest } = pairwise(first, C);
    expect(Math.abs(meanSquare - 1)).toBeLessThan(MEAN_SQUARE);
    expect(largest).toBeLessThan(LARGEST_PAIR);
  },
);

test.each([{ probability: 0.1 }, { probability: 0.5 }])(
  'attention: p = $probability drops its share, independently',
  async ({ probability }) => {
    const left = await attentionLeft(keysOf('a'), 1, probability);
    const [otherSite] = await attentionLeft(keysOf('a'), 4, probability);
    const scale = Math.fround(1 / (1 - probability));
    expect(new Set(left[0])).toEqual(new Set([0, scale]));

    const masks = left.map((values) => standardized(values, probability));
    const first = required(masks[0]);
    for (const mask of masks) {
      expect(Math.abs(correlation(mask, new Float32Array(T * T).fill(1)))).toBeLessThan(SINGLE);
    }
    const mirrored = first.map((_, i) => first[(i % T) * T + Math.floor(i / T)] ?? 0);
    const below = (mask: Float32Array): Float32Array =>
      mask.filter((_, i) => i % T < Math.floor(i / T));
    const pairs = {
      'next key': [first.subarray(1), first.subarray(0, -1)],
      'next query': [first.subarray(T), first.subarray(0, -T)],
      'query and key swapped': [below(first), below(mirrored)],
      'next head': [first, required(masks[1])],
      'last head': [first, required(masks[H - 1])],
      'next layer': [first, standardized(required(otherSite), probability)],
    };
    for (const [name, [a, b]] of Object.entries(pairs)) {
      const z = correlation(required(a), required(b));
      expect([name, Math.abs(z) < SINGLE]).toEqual([name, true]);
    }
    const { meanSquare, largest } = pairwise(first, T);
    expect(Math.abs(meanSquare - 1)).toBeLessThan(MEAN_SQUARE);
    expect(largest).toBeLessThan(LARGEST_PAIR);
  },
);

test('p = 0 adds no nodes', () => {
  const graph = new Graph();
  const keys = graph.input('keys', 'uint32', ['R', 'T']);
  const x = graph.input('x', 'float32', ['R*T', C]);
  expect(dropFeatures(x, { keys, site: 0, probability: 0 })).toBe(x);
  const probabilities: Value = graph.input('p', 'float32', ['R', H, 'T', 'T']);
  const values: Value = graph.input('v', 'float32', ['R', H, 'T', 8]);
  dropAttention(probabilities, values, { queries: keys, keys, site: 1, probability: 0 });
  expect(graph.nodes.map(({ op }) => op)).toEqual(['MatMul']);
});

function required<V>(value: V | undefined): V {
  if (value === undefined) throw new Error('the test lacks a value');
  return value;
}
