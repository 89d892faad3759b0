import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import { differentiate } from '../../../training/graph/gradients/differentiate.ts';
import { Graph } from '../../../training/graph/graph.ts';
import * as ops from '../../../training/graph/ops.ts';
import { evaluator, onnxGraph, randomNumbers, relativeDeviation } from './evaluation.ts';

const RUNS = 20;
const [ROWS, TOKENS, CHANNELS] = [8, 128, 768];
const VOCABULARY = 300;

/** Every seventh token is the same one; the others come about three times each. */
const ids = Int32Array.from({ length: ROWS * TOKENS }, (_, i) =>
  i % 7 === 0 ? 5 : (Math.imul(i, 0x9e3779b1) >>> 8) % VOCABULARY,
);
const table = randomNumbers([VOCABULARY, CHANNELS], 1);
const weights = randomNumbers([ROWS * TOKENS, CHANNELS], 2);

/** The embedding's gradient, of loss = Σ weights × table[ids]. */
function embeddingGradient(): Graph {
  const graph = new Graph();
  const embedding = graph.input('table', 'float32', table.shape);
  const tokens = graph.input('ids', 'int32', [ROWS * TOKENS]);
  const factors = graph.input('weights', 'float32', weights.shape);
  const loss = ops.reduceSum(ops.mul(ops.gather(embedding, tokens, 0), factors), [0, 1]);
  const gradient = differentiate(graph, loss, ['table']).get('table');
  if (gradient === undefined) throw new Error('no gradient');
  graph.output('gradient', gradient);
  return graph;
}

/** The same in float64. */
function expected(): Float64Array {
  const sums = new Float64Array(VOCABULARY * CHANNELS);
  for (const [i, id] of ids.entries()) {
    for (let c = 0; c < CHANNELS; c++) {
      const at = id * CHANNELS + c;
      sums[at] = (sums[at] ?? 0) + (weights.data[i * CHANNELS + c] ?? NaN);
    }
  }
  return sums;
}

// ScatterND(add) loses updates here, in most runs; ScatterElements(add) must not, in any.
test('gradients of duplicate ids are whole, with the same bits on 1, 2 and 4 threads', async () => {
  const graph = onnxGraph(embeddingGradient());
  const inputs = { table, ids: { shape: [ROWS * TOKENS], data: ids }, weights };
  const digests = new Set<string>();
  for (const threads of [1, 2, 4]) {
    const compiled = evaluator(graph, threads);
    for (let run = 0; run < RUNS; run++) {
      const { gradient } = await compiled.run(inputs);
      if (digests.size === 0) {
        expect(relativeDeviation(gradient!, expected())).toBeLessThan(1e-6);
      }
      digests.add(createHash('sha256').update(gradient!).digest('hex'));
    }
    compiled.release();
  }
  expect(digests.size).toBe(1);
});
