import { expect, test } from 'vitest';
import { differentiate } from '../../../training/graph/gradients/differentiate.ts';
import { Graph, type Value } from '../../../training/graph/graph.ts';
import * as ops from '../../../training/graph/ops.ts';
import { evaluate } from './evaluation.ts';

/** loss = Σ σ(x·w)·v, of a frozen x [2,3], w [3,2] and v [2]. */
function smallLoss(graph: Graph): Value {
  const x = graph.input('x', 'float32', [2, 3]);
  const w = graph.input('w', 'float32', [3, 2]);
  const v = graph.input('v', 'float32', [2]);
  return ops.reduceSum(ops.mul(ops.sigmoid(ops.matMul(x, w)), v), [0, 1]);
}

test.each([
  { wrt: ['v'], backward: ['Expand', 'Mul', 'ReduceSum'] },
  { wrt: ['w'], backward: ['Expand', 'Mul', 'Mul', 'Sub', 'Mul', 'Gemm'] },
  { wrt: ['w', 'v'], backward: ['Expand', 'Mul', 'Mul', 'ReduceSum', 'Mul', 'Sub', 'Mul', 'Gemm'] },
])('only what leads to $wrt is computed', ({ wrt, backward }) => {
  const graph = new Graph();
  const loss = smallLoss(graph);
  const before = graph.nodes.length;
  const gradients = differentiate(graph, loss, wrt);
  expect([...gradients].map(([name, { shape }]) => [name, shape])).toEqual(
    wrt.map((name) => [name, name === 'v' ? [2] : [3, 2]]),
  );
  const added = graph.nodes.slice(before).map(({ op }) => op);
  expect(added.filter((op) => op !== 'Reshape').toSorted()).toEqual(backward.toSorted());
});

test('a value used in several places gets the sum of their gradients', async () => {
  const graph = new Graph();
  const x = graph.input('x', 'float32', [2]);
  const tripled = ops.add(ops.add(x, x), x);
  const loss = ops.reduceSum(ops.mul(tripled, x), [0]);
  graph.output('dx', required(differentiate(graph, loss, ['x']).get('x')));
  const { dx } = await evaluate(graph, { x: { shape: [2], data: [5, -1] } });
  // d 3x² / dx = 6x
  expect(dx).toEqual(Float32Array.of(30, -6));
});

test.each<{ name: string; of: (x: Value) => Value; wrt: string; message: string }>([
  {
    name: 'an operator that has no derivative',
    of: (x) => ops.reduceSum(required(x.graph.apply('Log', [x])[0]), [0]),
    wrt: 'x',
    message:
      'internal: Log cannot be differentiated: ONNX Runtime rounds it differently with each number of threads, so training would not repeat',
  },
  {
    name: 'an input that the loss ignores',
    of: (x) => ops.reduceSum(ops.cast(ops.lessOrEqual(x, 0), 'float32'), [0]),
    wrt: 'x',
    message: 'internal: the loss does not depend on x',
  },
  {
    name: 'an input that is not there',
    of: (x) => ops.reduceSum(x, [0]),
    wrt: 'y',
    message: 'internal: the graph has no input named y',
  },
  {
    name: 'a loss that is not one number',
    of: (x) => x,
    wrt: 'x',
    message: 'internal: the loss is not a scalar',
  },
])('refuses $name', ({ of, wrt, message }) => {
  const graph = new Graph();
  const loss = of(graph.input('x', 'float32', [2]));
  expect(() => differentiate(graph, loss, [wrt])).toThrow(expect.objectContaining({ message }));
});

test('a frozen branch may hold operators without a derivative', () => {
  const graph = new Graph();
  const x = graph.input('x', 'float32', [2]);
  const w = graph.input('w', 'float32', [2]);
  const frozen = required(graph.apply('Log', [x])[0]);
  const loss = ops.reduceSum(ops.mul(frozen, w), [0]);
  expect([...differentiate(graph, loss, ['w']).keys()]).toEqual(['w']);
});

function required<T>(value: T | undefined): T {
  if (value === undefined) throw new Error('the test lacks a value');
  return value;
}
