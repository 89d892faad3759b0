import { expect, test } from 'vitest';
import { layoutDigest, stateSegments } from '../../../training/checkpoints/state-segments.ts';
import {
  allocateTrainingState,
  SAVED_REGIONS,
  type StateTensorSpec,
} from '../../../training/optimizers/training-state.ts';
import { OPTIMIZERS } from '../optimizers/filled-state.ts';
import { SPECS } from './small-state.ts';

/** Shapes as of GPT-2 124M. */
const GPT2: readonly StateTensorSpec[] = [
  [50257, 768],
  [1024, 768],
  ...Array.from({ length: 12 }, () => [
    ...[[768], [768], [768, 2304], [2304], [768, 768], [768]],
    ...[[768], [768], [768, 3072], [3072], [3072, 768], [768]],
  ]).flat(),
].map((shape, index) => ({ name: `tensor ${index}`, shape, isDecayed: false }));

test.each(Object.keys(OPTIMIZERS))(
  'segments hold every element of a state of %s once, in at most 200 blobs of 16 MiB',
  (name) => {
    const state = allocateTrainingState(GPT2, OPTIMIZERS[name]!);
    const segments = stateSegments(state);
    const parts = segments.flatMap((segment) => segment.parts);
    const expected = state.tensors.flatMap((tensor) =>
      SAVED_REGIONS.map((region) => state.view(region, tensor).length),
    );
    const sum = (lengths: readonly number[]): number => lengths.reduce((a, b) => a + b, 0);
    expect(sum(parts.map(({ length }) => length))).toBe(sum(expected));
    const starts = new Set(
      parts.map(({ buffer, byteOffset }) => `${buffer.byteLength}:${byteOffset}`),
    );
    expect(starts.size).toBe(parts.length);
    expect(new Set(segments.map(({ path }) => path)).size).toBe(segments.length);
    expect(segments.length).toBeLessThanOrEqual(200);
    for (const { path, elements } of segments) {
      expect({ path, isSmall: elements <= 2 ** 22 }).toEqual({ path, isSmall: true });
    }
  },
);

test('a layout is that of an optimizer and of tensors, not of places in memory', () => {
  const adamw = OPTIMIZERS['adamw']!;
  const layout = layoutDigest(allocateTrainingState(SPECS, adamw));
  const shared = allocateTrainingState(SPECS, adamw, 100 * 65536);
  expect(shared.shards.length).toBeGreaterThan(1);
  expect(layoutDigest(shared)).toBe(layout);
  const [first, ...rest] = SPECS;
  const others = [
    allocateTrainingState(SPECS, OPTIMIZERS['adafactor']!),
    allocateTrainingState(SPECS, OPTIMIZERS['sgd']!),
    allocateTrainingState(SPECS, OPTIMIZERS['sgd_momentum']!),
    allocateTrainingState(rest, adamw),
    allocateTrainingState([{ ...first!, name: 'other' }, ...rest], adamw),
    allocateTrainingState([{ ...first!, shape: [500, 600] }, ...rest], adamw),
  ];
  const layouts = others.map(layoutDigest);
  expect(new Set([layout, ...layouts]).size).toBe(7);
});
