import { fromBinary } from '@bufbuild/protobuf';
import { ModelProtoSchema } from 'onnx-buf';
import { expect, test } from 'vitest';
import { Graph, type Value } from '../../../training/graph/graph.ts';
import { toOnnx } from '../../../training/graph/onnx-file.ts';
import * as ops from '../../../training/graph/ops.ts';
import type { Shape } from '../../../training/graph/tensor-type.ts';
import { evaluate } from './evaluation.ts';

test.each<{ name: string; of: (x: Value) => Value; shape: Shape }>([
  { name: 'reshape that merges', of: (x) => ops.reshape(x, ['R*T', 6]), shape: ['R*T', 6] },
  {
    name: 'reshape that splits',
    of: (x) => ops.reshape(x, ['R', 'T', 2, 3]),
    shape: ['R', 'T', 2, 3],
  },
  { name: 'reshape of one axis', of: (x) => ops.reshape(x, ['R', '6*T']), shape: ['R', '6*T'] },
  { name: 'rows', of: ops.flattenRows, shape: ['R*T', 6] },
  { name: 'transpose', of: (x) => ops.transpose(x, [2, 0, 1]), shape: [6, 'R', 'T'] },
  { name: 'product', of: (x) => ops.matMul(x, ops.transposeMatrices(x)), shape: ['R', 'T', 'T'] },
  { name: 'sum', of: (x) => ops.reduceSum(x, [1]), shape: ['R', 6] },
  { name: 'zeros', of: (x) => ops.zeros(x.graph, ['R*T', 2]), shape: ['R*T', 2] },
])('$name keeps named lengths', async ({ of, shape }) => {
  const graph = new Graph();
  const y = of(graph.input('x', 'float32', ['R', 'T', 6]));
  graph.output('y', y);
  expect(y.shape).toEqual(shape);
  const { y: values } = await evaluate(graph, {
    x: { shape: [2, 3, 6], data: new Float32Array(36).fill(1) },
  });
  expect(values).toHaveLength(
    shape.reduce<number>((n, axis) => {
      const lengths: { readonly [name: string]: number } = { R: 2, T: 3, 'R*T': 6, '6*T': 18 };
      return n * (typeof axis === 'number' ? axis : (lengths[axis] ?? 0));
    }, 1),
  );
});

test.each<{ name: string; of: (graph: Graph) => unknown; message: string }>([
  {
    name: 'shapes that do not broadcast',
    of: (graph) => ops.add(matrix(graph, 'a', [2, 3]), matrix(graph, 'b', [4])),
    message: 'internal: Add(float32 [2,3], float32 [4]): shapes do not broadcast',
  },
  {
    name: 'a named length is not taken for 1',
    of: (graph) => ops.mul(matrix(graph, 'a', ['T', 3]), matrix(graph, 'b', [2, 3])),
    message: 'internal: Mul(float32 [T,3], float32 [2,3]): shapes do not broadcast',
  },
  {
    name: 'element types that differ',
    of: (graph) => ops.add(matrix(graph, 'a', [2]), graph.input('b', 'int32', [2])),
    message: 'internal: Add(float32 [2], int32 [2]): element types differ',
  },
  {
    name: 'matrices that do not chain',
    of: (graph) => ops.matMul(matrix(graph, 'a', [2, 3]), matrix(graph, 'b', [2, 3])),
    message: 'internal: MatMul(float32 [2,3], float32 [2,3]): inner lengths differ',
  },
  {
    name: 'a shape with other elements',
    of: (graph) => ops.reshape(matrix(graph, 'a', [2, 3]), [4, 2]),
    message: 'internal: Reshape(float32 [2,3], int64 [2]): does not fill [4,2]',
  },
  {
    name: 'an axis that is not there',
    of: (graph) => ops.reduceSum(matrix(graph, 'a', [2, 3]), [2]),
    message: 'internal: ReduceSum(float32 [2,3], int64 [1]): has no axis 2',
  },
  {
    name: 'parts that are not the whole',
    of: (graph) => ops.split(matrix(graph, 'a', [2, 3]), [1, 1], 1),
    message: 'internal: Split(float32 [2,3], int64 [2]): axis 1 is not the sum of 1 + 1',
  },
  {
    name: 'a length that no input has',
    of: (graph) => ops.zeros(graph, ['T']),
    message: 'internal: no input has an axis named T',
  },
  {
    name: 'two inputs of one name',
    of: (graph) => [matrix(graph, 'a', [2]), matrix(graph, 'a', [2])],
    message: 'internal: the graph has two inputs named a',
  },
  {
    name: 'two outputs of one name',
    of: (graph) => {
      const a = matrix(graph, 'a', [2]);
      graph.output('y', a);
      graph.output('y', ops.neg(a));
    },
    message: 'internal: the graph has two outputs named y',
  },
])('refuses $name', ({ of, message }) => {
  expect(() => of(new Graph())).toThrow(expect.objectContaining({ message }));
});

test('equal nodes and constants exist once', () => {
  const graph = new Graph();
  const x = matrix(graph, 'x', [2, 3]);
  expect(ops.mul(x, 2)).toBe(ops.mul(x, 2));
  expect(ops.mul(x, 2)).not.toBe(ops.mul(x, 3));
  expect(ops.reduceSum(x, [0])).not.toBe(ops.reduceSum(x, [0], { keepDims: true }));
  expect(ops.scalar(graph, 'int32', 1)).not.toBe(ops.scalar(graph, 'uint32', 1));
  expect(graph.nodes.map(({ op }) => op)).toEqual(['Mul', 'Mul', 'ReduceSum', 'ReduceSum']);
});

test('a file holds what its outputs need, under their names', () => {
  const graph = new Graph();
  const x = matrix(graph, 'x', ['N', 3]);
  const unused = graph.input('unused', 'int32', ['N']);
  ops.exp(x);
  ops.mul(ops.cast(unused, 'float32'), 7);
  const y = ops.neg(x);
  graph.output('y', y);
  graph.output('y again', y);
  graph.output('x as it came', x);
  const { graph: file, opsetImport } = fromBinary(ModelProtoSchema, toOnnx(graph));
  expect(opsetImport.map(({ domain, version }) => [domain, version])).toEqual([['', 21n]]);
  expect(file?.node.map(({ opType, input, output }) => [opType, input, output])).toEqual([
    ['Neg', ['x'], ['y']],
    ['Identity', ['y'], ['y again']],
    ['Identity', ['x'], ['x as it came']],
  ]);
  expect(file?.input.map(({ name }) => name)).toEqual(['x', 'unused']);
  expect(file?.initializer).toEqual([]);
});

test('every kind of attribute and constant reaches ONNX Runtime', async () => {
  const graph = new Graph();
  const x = graph.input('x', 'uint32', [3]);
  graph.output('shifted', ops.shiftRight(x, 4));
  graph.output('mixed', ops.bitwiseXor(ops.mul(x, 0x9e3779b1), 0xffffffff));
  graph.output('chosen', ops.where(ops.lessOrEqual(x, 20), 1.5, -2.5));
  const data = [16, 255, 20];
  const outputs = await evaluate(graph, { x: { shape: [3], data } });
  expect(outputs).toEqual({
    shifted: Uint32Array.of(1, 15, 1),
    mixed: Uint32Array.from(data, (value) => ~Math.imul(value, 0x9e3779b1)),
    chosen: Float32Array.of(1.5, -2.5, 1.5),
  });
});

function matrix(graph: Graph, name: string, shape: Shape): Value {
  return graph.input(name, 'float32', shape);
}
