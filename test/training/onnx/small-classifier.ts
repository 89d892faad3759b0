import { floats, int64s, type FileNodeSpec, type FileSpec } from './onnx-builder.ts';

/** A node of one output. */
export const node = (
  op: string,
  inputs: readonly string[],
  output: string,
  more: Partial<FileNodeSpec> = {},
): FileNodeSpec => ({
  ...{ op, inputs, outputs: [output] },
  ...more,
});

/** The mean of embeddings of 4 numbers by a matrix, with nodes between the two. */
export function classifier(
  between: readonly FileNodeSpec[],
  more: Partial<FileSpec> = {},
): FileSpec {
  return {
    inputs: {
      input_ids: ['int64', 'batch', 'sequence'],
      attention_mask: ['int64', 'batch', 'sequence'],
    },
    outputs: { logits: ['float32', 'batch', 2] },
    initializers: [
      floats('table', [3, 4], [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]),
      floats('head', [4, 2], [1, 2, 3, 4, 5, 6, 7, 8]),
      int64s('one', [1], [1]),
    ],
    nodes: [
      node('Gather', ['table', 'input_ids'], 'embedded'),
      node('ReduceMean', ['embedded', 'one'], 'mean', { attributes: { keepdims: 0 } }),
      ...between,
      node('MatMul', [between.at(-1)?.outputs[0] ?? 'mean', 'head'], 'logits'),
    ],
    ...more,
  };
}
