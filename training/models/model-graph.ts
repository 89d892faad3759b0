import type { TensorSpec } from '../graph/tensor-type.ts';
import type { InitializationRule } from '../random/weight-initialization.ts';

/** One float32 weight tensor, under its Hugging Face name. */
export interface ParameterSpec {
  readonly name: string;
  readonly shape: readonly number[];
  readonly initializer: InitializationRule;
  /** False for LayerNorm weights and all biases, as in Hugging Face's Trainer. */
  readonly isDecayed: boolean;
}

/**
 * A model as one ONNX graph that serves any weights and any batch.
 *
 * R rows of T tokens hold E examples. Several examples may share a row: they are told apart by
 * `segment_ids`, and attention stays within one segment.
 *
 * Inputs, besides every parameter under its own name:
 * - `input_ids` int32 [R,T]
 * - `position_ids` int32 [R,T]: 0, 1, 2, ... in each example, which a token sees up to its own; 0 at
 *   padding
 * - `segment_ids` int32 [R,T]: which example of its row a token belongs to; -1 = padding
 * - `pooled_index` int32 [E]: row × T + column of the token whose state is classified
 * - `labels` int32 [E]
 * - `example_weights` float32 [E]: 1 / examples of the whole effective batch; 0 leaves one out
 * - `dropout_keys` uint32 [R,T], only when the graph is built with dropout: see dropout-keys.ts
 *
 * Outputs: `logits` float32 [E,C]; `loss` float32 [] = Σ weight × cross entropy; in a training
 * graph one `grad.<parameter>` for each trainable parameter, with the parameter's shape.
 */
export interface ModelGraph {
  /** ONNX ModelProto bytes. */
  readonly onnx: Uint8Array;
  /** Every input: first those of the batch, then the parameters in `parameters`' order. */
  readonly inputs: readonly TensorSpec[];
  readonly outputs: readonly TensorSpec[];
  readonly parameters: readonly ParameterSpec[];
  /** Names of the parameters that have a gradient output; empty in an inference graph. */
  readonly trainable: readonly string[];
}

export interface TrainingGraphOptions {
  /** Parameters to differentiate; all when left out. @see ParameterSpec.name */
  readonly trainable?: readonly string[];
  /** False leaves out every dropout of the configuration, and with it the input `dropout_keys`. */
  readonly dropout: boolean;
}

/** Name of the output that holds a parameter's gradient. */
export function gradientName(parameter: string): string {
  return `grad.${parameter}`;
}
