import { create } from '@bufbuild/protobuf';
import { FunctionProtoSchema, OperatorSetIdProtoSchema } from 'onnx-buf';
import { expect, test } from 'vitest';
import { Failure } from '../../../plan/failures.ts';
import { importClassifier } from '../../../training/onnx/classifier.ts';
import {
  bools,
  floats,
  int64s,
  onnxFile,
  type FileNodeSpec,
  type FileSpec,
} from './onnx-builder.ts';
import { classifier, node } from './small-classifier.ts';

const REMEDY =
  'export the model in terms of operators that can be trained (torch.onnx.export, no optimization ' +
  'afterwards), or train the Hugging Face folder that it was exported from';
const EXPORT_AGAIN =
  'export the model with torch.onnx.export(model.eval(), ..., opset_version=17), without optimizing it afterwards';

test('the classifier of these tests is one that can be trained', () => {
  const { parameters, classes, vocabulary } = importClassifier(onnxFile(classifier([])));
  expect(parameters.map(({ name, shape, isDecayed }) => [name, shape, isDecayed])).toEqual([
    ['table', [3, 4], true],
    ['head', [4, 2], true],
  ]);
  expect([classes, vocabulary]).toEqual([2, 3]);
});

test.each<{
  name: string;
  between: readonly FileNodeSpec[];
  message: string;
  more?: Partial<FileSpec>;
}>([
  {
    name: 'an operator without a rule',
    between: [node('Det', ['mean'], 'y', { name: '/model/Det' })],
    message: `node "/model/Det" (Det) has no rule for training; ${REMEDY}`,
  },
  {
    name: 'a node without a name',
    between: [node('LSTM', ['mean'], 'y', { name: '' })],
    message: `node "y" (LSTM) has no rule for training; ${REMEDY}`,
  },
  {
    name: 'an operator of a runtime',
    between: [node('FastGelu', ['mean'], 'y', { domain: 'com.microsoft' })],
    message:
      'node "FastGelu node" (com.microsoft.FastGelu) is not one of ONNX\'s own operators: the file was ' +
      `made for one runtime alone; ${REMEDY}`,
  },
  {
    name: 'control flow',
    between: [node('Loop', ['mean'], 'y')],
    message: `node "Loop node" (Loop) is control flow, which training cannot follow; ${REMEDY}`,
  },
  {
    name: 'an operator that must not be differentiated, between loss and a parameter',
    between: [node('Abs', ['mean'], 'a'), node('Log', ['a'], 'y', { name: '/loss/Log' })],
    message:
      'node "/loss/Log" (Log) cannot be differentiated: ONNX Runtime rounds it differently with each ' +
      `number of threads, so training would not repeat; ${REMEDY}`,
  },
  {
    name: 'an exponent that depends on a parameter',
    between: [node('Abs', ['mean'], 'a'), node('Pow', ['a', 'mean'], 'y')],
    message: `node "Pow node" (Pow) cannot be differentiated: there is no derivative by its input 2; ${REMEDY}`,
  },
  {
    name: 'updates by indices',
    between: [node('ScatterND', ['mean', 'places', 'mean'], 'y')],
    more: { initializers: [...(classifier([]).initializers ?? []), int64s('places', [1, 1], [0])] },
    message:
      'node "ScatterND node" (ScatterND) cannot be differentiated: ONNX Runtime loses updates of elements ' +
      `that several indices name, so training would not be exact; ${REMEDY}`,
  },
  {
    name: 'operands that do not fit',
    between: [node('Add', ['mean', 'table'], 'y')],
    message: `node "Add node" (Add), applied to float32 [R,4], float32 [3,4], shapes do not broadcast; ${REMEDY}`,
  },
  {
    name: 'a dropout that drops',
    between: [node('Dropout', ['mean', '', 'yes'], 'y')],
    more: { initializers: [...(classifier([]).initializers ?? []), bools('yes', [], [1])] },
    message:
      'node "Dropout node" (Dropout), applied to float32 [R,4], nothing, bool [], drops out at random: export the ' +
      `model in evaluation mode, after model.eval(); ${REMEDY}`,
  },
  {
    name: 'a shape that only a run can tell',
    between: [
      node('ReduceMax', ['input_ids'], 'most', { attributes: { keepdims: 0 } }),
      node('Unsqueeze', ['most', 'zero'], 'shape'),
      node('Expand', ['mean', 'shape'], 'y'),
    ],
    more: { initializers: [...(classifier([]).initializers ?? []), int64s('zero', [1], [0])] },
    message: `node "Expand node" (Expand), applied to float32 [R,4], int64 [1], has a shape that only a run can tell; ${REMEDY}`,
  },
  {
    name: 'a length without a name',
    between: [
      node('Slice', ['embedded', 'one', 'far', 'one'], 'rest'),
      node('ReduceMean', ['rest', 'one'], 'y', { attributes: { keepdims: 0 } }),
    ],
    more: {
      initializers: [...(classifier([]).initializers ?? []), int64s('far', [1], [2n ** 63n - 1n])],
    },
    message:
      'node "Slice node" (Slice), applied to float32 [R,T,4], int64 [1], int64 [1], int64 [1], has no name ' +
      `for the length of 1::1 of T; ${REMEDY}`,
  },
  {
    name: 'a value that nothing computes',
    between: [node('Add', ['mean', 'lost'], 'y')],
    message:
      'the ONNX file reads "lost" in node "Add node" (Add), and nothing before it computes that',
  },
  {
    name: 'elements of a type that is not read',
    between: [node('Cast', ['mean'], 'y', { attributes: { to: 14 } })],
    message:
      'node "Cast node" (Cast), applied to float32 [R,4], has elements of type 14; expected float32, uint8, ' +
      `int8, uint16, int16, int32, int64, bool, float16, float64, uint32, bfloat16; ${REMEDY}`,
  },
])('refuses $name', ({ between, more, message }) => {
  const bytes = onnxFile(classifier(between, more));
  expect(() => importClassifier(bytes)).toThrow(new Failure('InvalidInput', message));
});

test.each<{ name: string; bytes: Uint8Array; message: string }>([
  {
    name: 'text',
    bytes: new TextEncoder().encode('version https://git-lfs.github.com/spec/v1\n'),
    message:
      'the ONNX file is not an ONNX model: its bytes are no ModelProto; check that it was downloaded whole',
  },
  {
    name: 'nothing',
    bytes: new Uint8Array(),
    message:
      'the ONNX file is not an ONNX model: it has no graph; check that it was downloaded whole',
  },
  {
    name: 'half a file',
    bytes: onnxFile(classifier([])).subarray(0, 200),
    message:
      'the ONNX file is not an ONNX model: its bytes are no ModelProto; check that it was downloaded whole',
  },
  {
    name: 'functions',
    bytes: onnxFile(classifier([]), {
      functions: [create(FunctionProtoSchema, { name: 'aten_gelu' })],
    }),
    message: `the ONNX file defines functions of its own (aten_gelu); ${EXPORT_AGAIN}`,
  },
  {
    name: 'no opset',
    bytes: onnxFile(classifier([]), {
      opsetImport: [create(OperatorSetIdProtoSchema, { domain: 'ai.onnx.ml', version: 3n })],
    }),
    message: `the ONNX file does not say its opset; expected 11 to 23: ${EXPORT_AGAIN}`,
  },
])('refuses $name', ({ bytes, message }) => {
  expect(() => importClassifier(bytes)).toThrow(new Failure('InvalidInput', message));
});

test('nodes that the logits do not need may be of any operator', () => {
  const spec = classifier([]);
  const bytes = onnxFile({ ...spec, nodes: [...spec.nodes, node('NonZero', ['logits'], 'other')] });
  expect(importClassifier(bytes).parameters).toHaveLength(2);
});

test('numbers by themselves, exponents, masks and tables that nothing reads are not trained', () => {
  const spec = classifier([
    node('Mul', ['mean', 'scale'], 's'),
    node('Abs', ['s'], 'a'),
    node('Pow', ['a', 'power'], 'p'),
    node('Add', ['p', 'mask'], 'm'),
    node('Add', ['m', 'bias'], 'y'),
  ]);
  const initializers = [
    ...(spec.initializers ?? []),
    ...[floats('scale', [], [0.7]), floats('power', [1], [1.5])],
    ...[floats('mask', [4], [0, 0, -3.4e38, 0]), floats('bias', [4], [1, 2, 3, 4])],
    floats('unused', [2, 2], [1, 2, 3, 4]),
  ];
  const { parameters } = importClassifier(onnxFile({ ...spec, initializers }));
  expect(parameters.map(({ name, isDecayed }) => [name, isDecayed])).toEqual([
    ['table', true],
    ['head', true],
    ['bias', false],
  ]);
});

test('the first output that can be logits is taken where none has that name', () => {
  const spec = classifier([]);
  const nodes = spec.nodes.map((each) =>
    each.op === 'MatMul' ? { ...each, outputs: ['output_0'] } : each,
  );
  const outputs: FileSpec['outputs'] = {
    embedded: ['float32', 'batch', 'sequence', 4],
    output_0: ['float32', 'batch', 2],
  };
  expect(importClassifier(onnxFile({ ...spec, nodes, outputs })).classes).toBe(2);
});
