import { expect, test } from 'vitest';
import { Graph } from '../../../training/graph/graph.ts';
import { toOnnx } from '../../../training/graph/onnx-file.ts';
import { importGraph } from '../../../training/onnx/import-graph.ts';
import { LOWERINGS } from '../../../training/onnx/lowerings.ts';
import { readOnnxModel } from '../../../training/onnx/model-file.ts';
import {
  evaluator,
  randomNumbers,
  relativeDeviation,
  type NamedNumbers,
} from '../graph/evaluation.ts';
import { ARITHMETIC } from './lowering-arithmetic-cases.ts';
import { logical } from './lowering-case.ts';
import { MOVES, SHAPE_CHAINS } from './lowering-move-cases.ts';
import { onnxFile, type FileSpec } from './onnx-builder.ts';

const CASES = [...ARITHMETIC, ...MOVES];

const RUNS = [...CASES, ...SHAPE_CHAINS].flatMap(({ opsets, ...example }) =>
  opsets.map((opset) => ({ ...example, opset })),
);

test.each(RUNS)('$name in opset $opset', async ({ nodes, initializers = [], opset }) => {
  const spec: FileSpec = {
    opset,
    inputs: { x: ['float32', 'N', 3, 4], i: ['int64', 'N'] },
    initializers,
    nodes,
  };
  const graph = new Graph();
  const inputs = new Map([
    ['x', graph.input('x', 'float32', ['N', 3, 4])],
    ['i', graph.input('i', 'int64', ['N'])],
  ]);
  const model = readOnnxModel(onnxFile(spec));
  const y = importGraph({ model, graph, inputs, parameters: new Set(), output: 'y' });
  graph.output('y', y);
  const given: NamedNumbers = {
    x: randomNumbers([2, 3, 4], 1),
    i: { shape: [2], data: [4, 5] },
  };
  // The file itself, with the type of y that we inferred: what is inferred is checked by that too.
  const outputs = [{ name: 'y', dtype: y.dtype, shape: y.shape }];
  const file = onnxFile({ ...spec, outputs: { y: [y.dtype, ...y.shape] } });
  const expected = await run({ onnx: file, inputs: graph.inputs, outputs }, given);
  const found = await run({ onnx: toOnnx(graph), inputs: graph.inputs, outputs }, given);
  const isPlain = expected.every(Number.isFinite) && expected.some((value) => value !== 0);
  if (!isPlain) expect(found).toEqual(expected);
  else expect(relativeDeviation(found, expected)).toBeLessThan(5e-7);
});

async function run(
  graph: Parameters<typeof evaluator>[0],
  inputs: NamedNumbers,
): Promise<readonly number[]> {
  const compiled = evaluator(graph);
  try {
    const { y = [] } = await compiled.run(inputs);
    return Array.from(y, Number);
  } finally {
    compiled.release();
  }
}

test('Where of truth values, which ONNX Runtime does not have on every device', async () => {
  const { initializers = [], nodes } = logical('Where', ['f', 'f', 't']);
  const spec: FileSpec = { inputs: { x: ['float32', 4] }, initializers, nodes };
  const graph = new Graph();
  const inputs = new Map([['x', graph.input('x', 'float32', [4])]]);
  const model = readOnnxModel(onnxFile(spec));
  const y = importGraph({ model, graph, inputs, parameters: new Set(), output: 'y' });
  graph.output('y', y);
  const outputs = [{ name: 'y', dtype: y.dtype, shape: y.shape }];
  const data = [0.25, -1, 2, 4];
  const found = await run(
    { onnx: toOnnx(graph), inputs: graph.inputs, outputs },
    { x: { shape: [4], data } },
  );
  // x < b ? x < b : x > 0
  expect(found).toEqual([1, 0, 1, 1]);
});

test('every operator that is read is among the cases', () => {
  const tested = new Set(
    [...CASES, ...SHAPE_CHAINS].flatMap(({ nodes }) => nodes.map(({ op }) => op)),
  );
  expect(Object.keys(LOWERINGS).filter((op) => !tested.has(op))).toEqual([]);
});
