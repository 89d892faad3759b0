import { expect, test } from 'vitest';
import {
  allocateTrainingState,
  STATE_REGIONS,
  type StateTensorSpec,
} from '../../../training/optimizers/training-state.ts';
import { OPTIMIZERS } from './filled-state.ts';

const SPECS: readonly StateTensorSpec[] = [
  { name: 'matrix', shape: [12, 20], isDecayed: true },
  { name: 'cube', shape: [2, 3, 5], isDecayed: true },
  { name: 'vector', shape: [20], isDecayed: false },
];

const GRADIENTS = ['gradients', 'passGradients'];

test.each([
  { name: 'adamw', moments: { firstMoments: [240, 30, 20], secondMoments: [240, 30, 20] } },
  { name: 'sgd', moments: {} },
  { name: 'sgd_momentum', moments: { firstMoments: [240, 30, 20] } },
  {
    name: 'adafactor',
    moments: { secondMoments: [0, 0, 20], rowMoments: [12, 6, 0], columnMoments: [20, 10, 0] },
  },
])('$name keeps of each tensor what it needs', ({ name, moments }) => {
  const state = allocateTrainingState(SPECS, OPTIMIZERS[name]!);
  const lengths = STATE_REGIONS.filter((region) => !GRADIENTS.includes(region)).map((region) => [
    region,
    state.tensors.map((tensor) => state.view(region, tensor).length),
  ]);
  const none = [0, 0, 0];
  expect(Object.fromEntries(lengths)).toEqual({
    parameters: [240, 30, 20],
    ...{ firstMoments: none, secondMoments: none, rowMoments: none, columnMoments: none },
    ...moments,
  });
});

test('no two tensors, regions or scratches overlap, in any memory', () => {
  for (const options of Object.values(OPTIMIZERS)) {
    const state = allocateTrainingState([...SPECS, ...SPECS], options, 65536);
    for (const [index, { memory }] of state.shards.entries()) {
      const tensors = state.tensors.filter(({ shard }) => shard === index);
      const parts = tensors.flatMap((tensor) =>
        STATE_REGIONS.map((region) => state.view(region, tensor)),
      );
      const ends = parts
        .filter(({ length }) => length > 0)
        .map(({ byteOffset, byteLength }) => [byteOffset, byteOffset + byteLength] as const)
        .sort(([a], [b]) => a - b);
      for (const [i, [start]] of ends.entries()) {
        expect(start % 64).toBe(0);
        expect(start).toBeGreaterThanOrEqual(ends[i - 1]?.[1] ?? 8);
      }
      const last = ends.at(-1)?.[1] ?? 0;
      for (const { scratch } of tensors) expect(scratch).toBeGreaterThanOrEqual(last);
      expect(last).toBeLessThanOrEqual(memory.buffer.byteLength);
    }
  }
});

test('a tensor that no memory holds is refused by name', () => {
  const spec = { name: 'wte.weight', shape: [100, 100], isDecayed: true };
  expect(() => allocateTrainingState([spec], OPTIMIZERS['adamw']!, 3 * 65536)).toThrow(
    'tensor wte.weight of shape [100, 100] needs 262144 bytes with its gradients and moments; expected at most 196608, what one WebAssembly memory holds: train a smaller model',
  );
  // Without moments it fits.
  expect(allocateTrainingState([spec], OPTIMIZERS['sgd']!, 3 * 65536).shards).toHaveLength(1);
});
