import { expect, test } from 'vitest';
import { Failure } from '../../../plan/failures.ts';
import { importClassifier } from '../../../training/onnx/classifier.ts';
import { floats, int64s, onnxFile, type FileSpec } from './onnx-builder.ts';
import { classifier, node } from './small-classifier.ts';

const EXPORT_AGAIN =
  'export the model with torch.onnx.export(model.eval(), ..., opset_version=17), without optimizing it afterwards';
const EXPECTED =
  'expected input_ids, attention_mask, token_type_ids, position_ids of int64 or int32 [batch, sequence], the last two or three left out';

test.each<{ name: string; spec: Partial<FileSpec>; message: string }>([
  {
    name: 'another input',
    spec: { inputs: { input_ids: ['int64', 'b', 's'], pixel_values: ['float32', 'b', 3] } },
    message: `the ONNX file has an input "pixel_values"; ${EXPECTED}`,
  },
  {
    name: 'no input_ids',
    spec: { inputs: { x: ['float32', 'b', 3] }, nodes: [node('MatMul', ['x', 'head'], 'logits')] },
    message: `the ONNX file has the inputs x; ${EXPECTED}`,
  },
  {
    name: 'ids that are floats',
    spec: { inputs: { input_ids: ['float32', 'b', 's'] } },
    message: `the ONNX file has an input "input_ids" of float32; ${EXPECTED}`,
  },
  {
    name: 'ids of three axes',
    spec: { inputs: { input_ids: ['int64', 'b', 2, 3] } },
    message: `the ONNX file has an input "input_ids" of int64 [?,2,3]; ${EXPECTED}`,
  },
  {
    name: 'inputs of different lengths',
    spec: { inputs: { input_ids: ['int64', 2, 5], attention_mask: ['int64', 3, 5] } },
    message: 'the ONNX file has inputs of different numbers of rows: 2, 3',
  },
  {
    name: 'logits of a token each',
    spec: { nodes: [node('Gather', ['table', 'input_ids'], 'logits')] },
    message:
      'the ONNX file has an output "logits" of float32 [R,T,4]; expected logits, float32 [batch, classes]',
  },
  {
    name: 'an output of whole numbers',
    spec: { outputs: { classes: ['int64', 'batch'] } },
    message:
      'the ONNX file has no output that can be logits, float32 [batch, classes]; its outputs: classes',
  },
  {
    name: 'an output that no node has',
    spec: { nodes: [node('Gather', ['table', 'input_ids'], 'embedded')] },
    message: 'the ONNX file names an output "logits" that no node computes',
  },
  {
    name: 'weights of a name that is ours',
    spec: { initializers: [...(classifier([]).initializers ?? []), floats('labels', [2], [1, 2])] },
    message:
      'the ONNX file has weights named "labels", a name that training needs for itself; rename them',
  },
  {
    name: 'nothing to train',
    spec: {
      nodes: [
        node('Cast', ['input_ids'], 'x', { attributes: { to: 1 } }),
        node('Slice', ['x', 'zero', 'one', 'one'], 'first'),
        node('Expand', ['first', 'shape'], 'logits'),
      ],
      initializers: [
        int64s('zero', [1], [0]),
        int64s('one', [1], [1]),
        int64s('shape', [2], [1, 2]),
      ],
    },
    message: 'the ONNX file has no weights: no float initializer that the logits depend on',
  },
  {
    name: 'a tensor of more elements than it has',
    spec: { initializers: [floats('table', [3, 4], [1, 2])] },
    message: 'the ONNX file holds a tensor "table" that has the shape [3,4] and 2 elements',
  },
  {
    name: 'a tensor in a file that is not there',
    spec: {
      initializers: [
        {
          ...{ name: 'table', dataType: 1, dims: [3n, 4n], dataLocation: 1 },
          externalData: [{ key: 'location', value: 'model.onnx.data' }],
        },
      ],
    },
    message:
      'the ONNX file holds a tensor "table" that has its data in the file "model.onnx.data", which is not there',
  },
  {
    name: 'an opset before all that is known',
    spec: { opset: 9 },
    message: `the ONNX file is of opset 9; expected 11 to 23: ${EXPORT_AGAIN}`,
  },
])('refuses $name', ({ spec, message }) => {
  const bytes = onnxFile({ ...classifier([]), ...spec });
  expect(() => importClassifier(bytes)).toThrow(new Failure('InvalidInput', message));
});
