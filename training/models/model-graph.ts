import type { TensorSpec } from '../graph/tensor-type.ts';
import type { InitializationRule } from '../random/weight-initialization.ts';

/** How a linear layer's matrix lies in memory: Hugging Face's Conv1D, or torch's Linear. */
export type LinearLayout = 'inputs-outputs' | 'outputs-inputs';

/** One float32 weight tensor, under its Hugging Face name. */
export interface ParameterSpec {
  readonly name: string;
  readonly shape: readonly number[];
  readonly initializer: InitializationRule;
  /** False for LayerNorm weights and all biases, as in Hugging Face's Trainer. */
  readonly isDecayed: boolean;
  /** Only of a linear layer's matrix. */
  readonly linear?: LinearLayout;
}

/**
 * A model as one ONNX graph that serves any weights and any batch.
 *
 * R rows of T tokens hold examples. Several examples may share a row: they are told apart by
 * `segment_ids`, and attention stays within one segment. The loss compares E targets: one an
 * example for classification, one a predicted token for language modelling. C is the width of the
 * logits: classes, regression targets, or the vocabulary.
 *
 * Inputs, besides every parameter under its own name:
 * - `input_ids` int32 [R,T]
 * - `position_ids` int32 [R,T]: 0, 1, 2, ... in each example; 0 at padding
 * - `segment_ids` int32 [R,T]: which example of the batch a token belongs to; -1 = padding
 * - `pooled_index` int32 [E]: row × T + column of the token whose state a target is predicted from
 * - `labels` int32 [E]: classes or token ids; or `label_values` float32 [E,C]: 0 or 1 a class of a
 *   multi-label model, the targets of a regression
 * - `example_weights` float32 [E]: factor of each target in the loss; 0 leaves one out
 * - `dropout_keys` uint32 [R,T], only when the graph is built with dropout: see dropout-keys.ts
 *
 * Outputs: `logits` float32 [E,C]; in an inference graph `losses` float32 [E]; in a training graph
 * `loss` float32 [] = Σ weight × loss of the target, and one `grad.<parameter>` for each trainable
 * parameter, with the parameter's shape.
 */
export interface ModelGraph {
  /** ONNX ModelProto bytes. */
  readonly onnx: Uint8Array;
  /** Every input: those of the batch, the parameters in `parameters`' order, then `zeros.*`. */
  readonly inputs: readonly TensorSpec[];
  readonly outputs: readonly TensorSpec[];
  readonly parameters: readonly ParameterSpec[];
  /** Names of the parameters that have a gradient output; empty in an inference graph. */
  readonly trainable: readonly string[];
  /**
   * Those among them whose gradient is 0 but in the rows that `input_ids` name. Each has an input
   * `zeros.<parameter>` more, that is to hold zeros and may lie where the gradient is written.
   */
  readonly sparse: readonly string[];
}

/** Name of the input that a sparse gradient is added to. */
export function zerosName(parameter: string): string {
  return `zeros.${parameter}`;
}

/** Name of the output that holds a parameter's gradient. */
export function gradientName(parameter: string): string {
  return `grad.${parameter}`;
}
