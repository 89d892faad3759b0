import { expect, test } from 'vitest';
import { differentiate } from '../../../training/graph/gradients/differentiate.ts';
import { Graph } from '../../../training/graph/graph.ts';
import { withMatrixPrecision } from '../../../training/graph/matrix-precision.ts';
import * as ops from '../../../training/graph/ops.ts';

/** Loss and gradients of sum(tanh(x·w + b) · v). */
function smallGraph(): Graph {
  const graph = new Graph();
  const x = graph.input('x', 'float32', ['N', 4]);
  const [w, v] = [graph.input('w', 'float32', [4, 3]), graph.input('v', 'float32', [3, 2])];
  const hidden = ops.tanh(ops.gemm(x, w, { c: graph.input('b', 'float32', [3]) }));
  const loss = ops.reduceSum(ops.matMul(hidden, v), [0, 1]);
  graph.output('loss', loss);
  for (const [name, gradient] of differentiate(graph, loss, ['w', 'v', 'b'])) {
    graph.output(`grad.${name}`, gradient);
  }
  return graph;
}

test.each(['float16', 'bfloat16'] as const)(
  'every matrix product, forward and backward, is in %s, and nothing else',
  (precision) => {
    const original = smallGraph();
    const lowered = withMatrixPrecision(original, precision);
    const products = lowered.nodes.filter(({ op }) => op === 'Gemm' || op === 'MatMul');
    expect(products.length).toBe(
      original.nodes.filter(({ op }) => op === 'Gemm' || op === 'MatMul').length,
    );
    expect(products.length).toBeGreaterThan(3);
    for (const { inputs, outputs } of products) {
      expect(new Set([...inputs, ...outputs].map(({ dtype }) => dtype))).toEqual(
        new Set([precision]),
      );
    }
    const others = lowered.nodes.filter((node) => !products.includes(node) && node.op !== 'Cast');
    const halves = others.flatMap(({ inputs, outputs }) =>
      [...inputs, ...outputs].filter(({ dtype }) => dtype === precision),
    );
    expect(halves).toEqual([]);
    // Parameters go in and gradients come out as they did: the master weights are float32.
    const facts = ({ inputs, outputs }: Graph): unknown => [
      inputs.map(({ name, dtype, shape }) => [name, dtype, shape]),
      [...outputs].map(([name, { dtype, shape }]) => [name, dtype, shape]),
    ];
    expect(facts(lowered)).toEqual(facts(original));
  },
);

test('an operand of several products is cast once', () => {
  const graph = new Graph();
  const [x, w] = [graph.input('x', 'float32', [2, 2]), graph.input('w', 'float32', [2, 2])];
  graph.output('y', ops.gemm(ops.gemm(x, w), w));
  const lowered = withMatrixPrecision(graph, 'float16');
  const casts = lowered.nodes.filter(({ op, inputs }) => op === 'Cast' && inputs[0]?.name === 'w');
  expect(casts.length).toBe(1);
});
