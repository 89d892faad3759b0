import { Failure } from '../../plan/failures.ts';
import { differentiate } from '../graph/gradients/differentiate.ts';
import { Graph } from '../graph/graph.ts';
import { toOnnx } from '../graph/onnx-file.ts';
import { gpt2Classifier } from './gpt2-classifier.ts';
import type { Gpt2Config } from './gpt2-config.ts';
import { gpt2Parameters } from './gpt2-parameters.ts';
import { gradientName, type ModelGraph, type TrainingGraphOptions } from './model-graph.ts';

export { parseGpt2Config, type Gpt2Config } from './gpt2-config.ts';
export { gpt2Parameters } from './gpt2-parameters.ts';

/**
 * GPT-2 for sequence classification with its gradients, as one ONNX graph (see ModelGraph).
 * @throws InvalidInput when `trainable` names a parameter that the model does not have
 */
export function buildTrainingGraph(config: Gpt2Config, options: TrainingGraphOptions): ModelGraph {
  const names = gpt2Parameters(config).map(({ name }) => name);
  const trainable = options.trainable ?? names;
  const unknown = trainable.find((name) => !names.includes(name));
  if (unknown !== undefined) {
    throw new Failure(
      'InvalidInput',
      `GPT-2 has no parameter "${unknown}" to train; its parameters are ${names.join(', ')}`,
    );
  }
  const graph = new Graph();
  const { logits, loss } = gpt2Classifier(graph, config, options.dropout);
  graph.output('logits', logits);
  graph.output('loss', loss);
  const gradients = differentiate(graph, loss, trainable);
  for (const [name, gradient] of gradients) graph.output(gradientName(name), gradient);
  return modelGraph(graph, config, trainable);
}

/** The same model without dropout and gradients. */
export function buildInferenceGraph(config: Gpt2Config): ModelGraph {
  const graph = new Graph();
  const { logits, loss } = gpt2Classifier(graph, config, false);
  graph.output('logits', logits);
  graph.output('loss', loss);
  return modelGraph(graph, config, []);
}

function modelGraph(graph: Graph, config: Gpt2Config, trainable: readonly string[]): ModelGraph {
  return {
    onnx: toOnnx(graph),
    inputs: graph.inputs.map(({ name, dtype, shape }) => ({ name, dtype, shape })),
    outputs: [...graph.outputs].map(([name, { dtype, shape }]) => ({ name, dtype, shape })),
    parameters: gpt2Parameters(config),
    trainable,
  };
}
