import type { ModelGraph, ParameterSpec, TrainingGraphOptions } from './model-graph.ts';
import { gpt2Parameters } from './gpt2-parameters.ts';
import type { Gpt2Config } from './gpt2-config.ts';

export { parseGpt2Config } from './gpt2-config.ts';
export { gpt2Parameters };
export type { Gpt2Config };

/**
 * GPT-2 for sequence classification with its gradients, as one ONNX graph (see ModelGraph).
 * @throws InvalidInput when `trainable` names a parameter that the model does not have
 */
export function buildTrainingGraph(config: Gpt2Config, options: TrainingGraphOptions): ModelGraph {
  throw new Error(`internal: not built: ${config.n_layer} ${options.dropout}`);
}

/** The same model without dropout and gradients. */
export function buildInferenceGraph(config: Gpt2Config): ModelGraph {
  throw new Error(`internal: not built: ${config.n_layer}`);
}

export type { ParameterSpec };
