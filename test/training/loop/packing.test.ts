import { expect, test } from 'vitest';
import { limitedTo, packExamples, passesOf, type Pass } from '../../../training/packing.ts';
import { MersenneTwister } from '../../../training/random/mersenne-twister.ts';
import { train, type TrainResult } from '../../../training/train.ts';
import { modelDigests, smallTraining, temporaryFolder } from './small-training.ts';

test.each([
  {
    what: 'a small batch in rows of little padding and little attention',
    lengths: [28, 20, 35, 29],
    limits: { tokensPerPass: 1024, tokensPerRow: 256 },
    shapes: [[2, 57]],
  },
  {
    what: 'a few short ones in one row without padding',
    lengths: [3, 6, 5],
    limits: { tokensPerPass: 1024, tokensPerRow: 256 },
    shapes: [[1, 14]],
  },
  {
    what: 'the longest first, each into the shortest row',
    lengths: [3, 6, 5, 4, 2],
    limits: { tokensPerPass: 100, tokensPerRow: 10 },
    shapes: [[3, 7]],
  },
  {
    what: 'as few passes as the budget allows',
    lengths: [10, 10, 10, 10, 10],
    limits: { tokensPerPass: 25, tokensPerRow: 10 },
    shapes: [
      [2, 10],
      [2, 10],
      [1, 10],
    ],
  },
  {
    what: 'an example longer than a row and a pass, alone',
    lengths: [2, 50],
    limits: { tokensPerPass: 20, tokensPerRow: 10 },
    shapes: [
      [1, 50],
      [1, 2],
    ],
  },
])('packs $what', ({ lengths, limits, shapes }) => {
  const passes = packExamples(lengths, limits);
  expect(passes.map(({ rows, tokens }) => [rows, tokens])).toEqual(shapes);
});

/** Every token's cell as `pass/row/column`. */
function cells(passes: readonly Pass[], lengths: readonly number[]): string[] {
  return passes.flatMap(({ placements, rows, tokens }, pass) =>
    placements.flatMap(({ example, row, start }) => {
      expect(row).toBeLessThan(rows);
      expect(start + lengths[example]!).toBeLessThanOrEqual(tokens);
      return Array.from({ length: lengths[example]! }, (_, i) => `${pass}/${row}/${start + i}`);
    }),
  );
}

test('every example is placed once, without overlap, within the limits', () => {
  const random = new MersenneTwister(3);
  for (let round = 0; round < 200; round++) {
    const lengths = Array.from(
      { length: 1 + (random.next() % 40) },
      () => 1 + (random.next() % 90),
    );
    const limits = {
      tokensPerPass: 1 + (random.next() % 300),
      tokensPerRow: 1 + (random.next() % 120),
    };
    const passes = packExamples(lengths, limits);
    const placed = passes.flatMap(({ placements }) => placements.map(({ example }) => example));
    expect(placed.toSorted((a, b) => a - b)).toEqual([...lengths.keys()]);
    const taken = cells(passes, lengths);
    expect(new Set(taken).size).toBe(taken.length);
    for (const { rows, tokens } of passes) {
      expect(rows === 1 || rows * tokens <= limits.tokensPerPass).toBe(true);
    }
    expect(packExamples(lengths, limits)).toEqual(passes);
  }
});

test('unpacked, each example has a row of its own as long as the longest of its pass', () => {
  const limits = { tokensPerPass: 100, tokensPerRow: 50, isUnpacked: true };
  const passes = passesOf([10, 30, 28, 31, 9], limits, undefined);
  expect(passes.map(({ rows, tokens }) => [rows, tokens])).toEqual([
    [3, 31],
    [2, 10],
  ]);
  const places = passes.flatMap(({ placements }) => placements);
  expect(places.every(({ start }) => start === 0)).toBe(true);
  expect(places.map(({ example }) => example)).toEqual([3, 1, 2, 0, 4]);
  // Less memory still means smaller passes of single examples.
  const smaller = passesOf([10, 30, 28, 31, 9], limitedTo(limits, 40), undefined);
  expect(smaller.map(({ rows }) => rows)).toEqual([1, 1, 1, 2]);
});

test('a training without packing has the same curve, with padding', async () => {
  const folder = await temporaryFolder();
  const input = await smallTraining(folder, { logging_steps: 1 });
  const packed = await train(input);
  const outputDirectory = await temporaryFolder();
  const unpacked = await train({ ...input, outputDirectory, pack: false });
  const losses = ({ history }: TrainResult): readonly number[] =>
    history.flatMap((row) => ('loss' in row ? [row.loss] : []));
  expect(losses(packed).length).toBeGreaterThan(3);
  for (const [i, loss] of losses(packed).entries()) {
    expect(losses(unpacked)[i]).toBeCloseTo(loss, 5);
  }
  const [with_, without] = [unpacked, packed].map(({ metrics }) => metrics['padding_fraction']);
  expect(with_).toBeGreaterThan(without ?? NaN);
  expect(await modelDigests(unpacked)).not.toEqual(await modelDigests(packed));
});
