import type { Value } from '../../../training/graph/graph.ts';
import * as ops from '../../../training/graph/ops.ts';
import { int32 } from './evaluation.ts';
import { apply, broadcastPairs, required, type GradientCase } from './gradient-case.ts';

const perms = [
  [0, 1, 2],
  [0, 2, 1],
  [1, 0, 2],
  [1, 2, 0],
  [2, 0, 1],
  [2, 1, 0],
];

/** Starts, ends, axes, steps. */
const slices = [
  [[1], [3], [0], [1]],
  [[0], [2], [1], [1]],
  [[-2], [2 ** 40], [2], [1]],
  [
    [0, 1],
    [-1, 5],
    [1, 2],
    [1, 2],
  ],
  [
    [3, 0],
    [-9, 1],
    [2, 0],
    [-1, 1],
  ],
  [[4], [0], [-1], [-2]],
].map(([starts = [], ends = [], axes = [], steps = []]): GradientCase => ({
  name: `Slice ${starts.join()}:${ends.join()}:${steps.join()} of axes ${axes.join()}`,
  inputs: [[3, 3, 5]],
  of: (x) => {
    const vector = (values: readonly number[]): Value => ops.intVector(x.graph, values);
    return ops.slice(x, [vector(starts), vector(ends), vector(axes), vector(steps)]);
  },
}));

/** Operators that move elements. */
export const MOVES: readonly GradientCase[] = [
  ...perms.map((perm): GradientCase => ({
    name: `Transpose ${perm.join()}`,
    inputs: [[2, 3, 4]],
    of: (x) => ops.transpose(x, perm),
  })),
  ...[[3, 4], [12], [2, 3, 2, 1], [1, 12]].map((shape): GradientCase => ({
    name: `Reshape to [${shape.join()}]`,
    inputs: [[2, 6]],
    of: (x) => ops.reshape(x, shape),
  })),
  ...broadcastPairs(2).flatMap(([a, b]): readonly GradientCase[] =>
    a.length > b.length
      ? []
      : [
          {
            name: `Expand [${a.join()}] to [${b.join()}]`,
            inputs: [a],
            of: (x) => apply('Expand', [x, ops.intVector(x.graph, b)]),
          },
        ],
  ),
  ...[0, 1, -1].map((axis): GradientCase => ({
    name: `Split along ${axis} with a part unused`,
    inputs: [[6, 6]],
    of: (x) => {
      const [a, , c] = ops.split(x, [2, 1, 3], axis);
      return ops.mul(ops.reduceSum(required(a), [0, 1]), required(c));
    },
  })),
  ...[0, 1, 2, -2].map((axis): GradientCase => ({
    name: `Concat along ${axis}`,
    inputs: [1, 3, 2].map((length) => [2, 2, 2].with(axis, length)),
    of: (...parts) => ops.concat(parts, axis),
  })),
  ...slices,
  {
    name: 'Gather of rows, some of them twice',
    inputs: [[4, 3]],
    of: (x) => ops.gather(x, int32(x.graph, [2, 3], [1, 0, 1, 3, 1, 0]), 0),
  },
  {
    name: 'Gather of one',
    inputs: [[2, 4, 3]],
    of: (x) => ops.gather(x, int32(x.graph, [], [2]), 1),
  },
  {
    name: 'Gather from the end',
    inputs: [[2, 4, 3]],
    of: (x) => ops.gather(x, int32(x.graph, [3], [-1, -1, 0]), -1),
  },
  ...[0, 1, -1].map((axis): GradientCase => ({
    name: `GatherElements along ${axis}, some of them twice`,
    inputs: [[4, 4]],
    of: (x) => ops.gatherElements(x, int32(x.graph, [3, 2], [0, 0, 3, 1, 3, -1]), axis),
  })),
  {
    name: 'ScatterElements with duplicates',
    inputs: [
      [3, 4],
      [3, 2],
    ],
    of: (x, u) => ops.scatterAdd(x, int32(x.graph, [3, 2], [0, 0, 3, 1, 2, 2]), required(u), 1),
  },
  {
    name: 'Where with broadcast branches',
    inputs: [[3], [2, 1]],
    of: (a, b) => {
      const pattern = ops.equal(int32(a.graph, [2, 3], [1, 0, 1, 0, 0, 1]), 1);
      return ops.where(pattern, a, required(b));
    },
  },
];
