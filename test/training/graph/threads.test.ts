import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import { differentiate } from '../../../training/graph/gradients/differentiate.ts';
import { RULES } from '../../../training/graph/gradients/rules.ts';
import { Graph, type Value } from '../../../training/graph/graph.ts';
import * as ops from '../../../training/graph/ops.ts';
import { evaluator, onnxGraph, randomNumbers, type NamedNumbers } from './evaluation.ts';
import { apply } from './gradient-case.ts';

/** Where ONNX Runtime shares work out among threads, in shares that are no whole vectors. */
const SHAPE = [173, 1031];

const axis = (value: number): NonNullable<Parameters<typeof apply>[2]> => ({
  axis: { kind: 'int', value },
});
const reduced = (
  op: 'ReduceMax' | 'ReduceMin' | 'ReduceMean' | 'ReduceSum',
  x: Value,
  along: number,
): Value =>
  apply(op, [x, ops.intVector(x.graph, [along])], { keepdims: { kind: 'int', value: 1 } });

const UNARIES = [
  'Abs',
  'Cos',
  'Erf',
  'Exp',
  'Neg',
  'Reciprocal',
  'Relu',
  'Sigmoid',
  'Sin',
  'Sqrt',
  'Tanh',
] as const;

const CASES: readonly { readonly name: string; readonly of: (x: Value, w: Value) => Value }[] = [
  ...UNARIES.map((op) => ({ name: op, of: (x: Value) => apply(op, [x]) })),
  ...(['Add', 'Div', 'Max', 'Min', 'Mul', 'Sub'] as const).map((op) => ({
    name: op,
    of: (x: Value, w: Value) => apply(op, [x, w]),
  })),
  { name: 'Pow', of: (x) => ops.pow(x, 1.7) },
  { name: 'Where', of: (x, w) => ops.where(ops.less(x, w), x, w) },
  {
    name: 'Clip',
    of: (x) =>
      apply('Clip', [x, ...[0.7, 1.2].map((bound) => ops.scalar(x.graph, 'float32', bound))]),
  },
  ...[0, 1].flatMap((along) => [
    { name: `Softmax of axis ${along}`, of: (x: Value) => apply('Softmax', [x], axis(along)) },
    {
      name: `LogSoftmax of axis ${along}`,
      of: (x: Value) => apply('LogSoftmax', [x], axis(along)),
    },
    {
      name: `CumSum of axis ${along}`,
      of: (x: Value) =>
        ops.cumSum(x, ops.scalar(x.graph, 'int64', along), { exclusive: false, reverse: false }),
    },
    ...(['ReduceMax', 'ReduceMean', 'ReduceMin', 'ReduceSum'] as const).map((op) => ({
      name: `${op} of axis ${along}`,
      of: (x: Value) => reduced(op, x, along),
    })),
  ]),
  { name: 'LayerNormalization', of: (x, w) => ops.layerNormalization(x, w, w, 1e-5) },
  { name: 'MatMul', of: (x) => ops.matMul(x, ops.transposeMatrices(x)) },
  { name: 'Gemm', of: (x) => ops.gemm(x, x, { transB: true }) },
  { name: 'Transpose', of: (x) => ops.transpose(x, [1, 0]) },
  { name: 'Reshape', of: (x) => ops.reshape(x, [1031, 173]) },
  { name: 'Expand', of: (x, w) => ops.add(x, ops.expand(w, SHAPE)) },
  { name: 'Identity', of: (x) => apply('Identity', [x]) },
  { name: 'Split', of: (x) => ops.split(x, [31, 1000], 1)[1] ?? x },
  { name: 'Concat', of: (x, w) => ops.concat([x, ops.expand(w, SHAPE)], 0) },
  {
    name: 'Slice by steps',
    of: (x) => {
      const [starts, ends, axes, steps] = [1, 1030, 1, 3].map((value) =>
        ops.intVector(x.graph, [value]),
      );
      if (!starts || !ends || !axes || !steps) throw new Error('there are four');
      return ops.slice(x, [starts, ends, axes, steps]);
    },
  },
  { name: 'Gather of few rows many times', of: (x) => ops.gather(x, indices(x.graph, 2000, 7), 0) },
  {
    name: 'GatherElements',
    of: (x) =>
      ops.gatherElements(x, ops.expand(ops.reshape(indices(x.graph, 173, 9), [173, 1]), SHAPE), 1),
  },
  {
    name: 'ScatterElements',
    of: (x, w) =>
      ops.scatterAdd(
        x,
        ops.expand(ops.reshape(indices(x.graph, 173, 9), [173, 1]), SHAPE),
        ops.expand(w, SHAPE),
        1,
      ),
  },
];

function indices(graph: Graph, count: number, below: number): Value {
  return graph.constant(
    'int32',
    [count],
    Int32Array.from({ length: count }, (_, i) => (i * 5) % below),
  );
}

test.each(CASES)(
  '$name and its gradients have the same bits on 1, 2 and 4 threads',
  async ({ of }) => {
    const graph = new Graph();
    const x = graph.input('x', 'float32', SHAPE);
    const w = graph.input('w', 'float32', [1031]);
    const y = of(x, w);
    graph.output('y', y);
    const axes = y.shape.map((_, along) => along);
    const loss = ops.reduceSum(ops.mul(y, y), axes);
    const names = ['x', 'w'].filter((name) => isReached(graph, name));
    for (const [name, gradient] of differentiate(graph, loss, names))
      graph.output(`grad.${name}`, gradient);
    const inputs: NamedNumbers = {
      x: randomNumbers(SHAPE, 1, [0.5, 1.5]),
      w: randomNumbers([1031], 2, [0.5, 1.5]),
    };
    const on = async (threads: number): Promise<unknown> => {
      const compiled = evaluator(onnxGraph(graph), threads);
      const outputs = await compiled.run(inputs);
      compiled.release();
      return Object.fromEntries(
        Object.entries(outputs).map(([name, { buffer, byteOffset, byteLength }]) => [
          name,
          createHash('sha256')
            .update(Buffer.from(buffer, byteOffset, byteLength))
            .digest('hex'),
        ]),
      );
    };
    const one = await on(1);
    expect(await on(2)).toEqual(one);
    expect(await on(4)).toEqual(one);
  },
);

test('every operator that has a derivative is among the cases', () => {
  const tested = new Set<string>(CASES.map(({ name }) => name.split(' ')[0] ?? ''));
  const differentiable = Object.entries(RULES).filter(([, rule]) => rule.kind === 'derivative');
  expect(differentiable.map(([op]) => op).filter((op) => !tested.has(op))).toEqual([]);
});

function isReached(graph: Graph, name: string): boolean {
  return graph.nodes.some(({ inputs }) => inputs.some((input) => input.name === name));
}
