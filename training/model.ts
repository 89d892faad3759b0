import { Failure } from '../plan/failures.ts';
import {
  buildInferenceGraph,
  buildTrainingGraph,
  gpt2Parameters,
  parseGpt2Config,
} from './models/gpt2.ts';
import type { ModelGraph, ParameterSpec } from './models/model-graph.ts';
import { exactThreads } from './thread-count.ts';

/** A classifier as config.json describes it, whatever its architecture. */
export interface ModelDefinition {
  /** Hugging Face's class, as `GPT2ForSequenceClassification`. */
  readonly architecture: string;
  readonly parameters: readonly ParameterSpec[];
  /** What base checkpoints leave out at the start of parameter names. */
  readonly basePrefix: string;
  /** Parameters that a base checkpoint lacks. */
  readonly head: readonly string[];
  readonly classes: number;
  readonly vocabulary: number;
  /** Longest example, in tokens. */
  readonly positions: number;
  readonly padTokenId: number | null;
  readonly hasDropout: boolean;
  /** Threads for a session of its graphs, of those available. @see exactThreads */
  sessionThreads(available: number): number;
  trainingGraph(): ModelGraph;
  inferenceGraph(): ModelGraph;
}

/**
 * The model of a parsed config.json.
 * @throws InvalidInput for an architecture or an option that is not built
 */
export function defineModel(json: { readonly [key: string]: unknown }): ModelDefinition {
  if (json['model_type'] !== undefined && json['model_type'] !== 'gpt2') {
    throw new Failure(
      'InvalidInput',
      `config.json: model_type ${JSON.stringify(json['model_type'])} cannot be trained; expected "gpt2"`,
    );
  }
  const config = parseGpt2Config(json);
  const parameters = gpt2Parameters(config);
  // Forward by the weight, backward by its transpose.
  const products = parameters.flatMap(({ name, shape: [K = 0, N = 0] }) =>
    /\.c_\w+\.weight$/.test(name)
      ? [
          { K, N },
          { K: N, N: K },
        ]
      : [],
  );
  const hasDropout = Math.max(config.embd_pdrop, config.attn_pdrop, config.resid_pdrop) > 0;
  return {
    architecture: 'GPT2ForSequenceClassification',
    parameters,
    basePrefix: 'transformer.',
    head: ['score.weight'],
    classes: config.num_labels,
    vocabulary: config.vocab_size,
    positions: config.n_positions,
    padTokenId: config.pad_token_id,
    hasDropout,
    sessionThreads: (available) => exactThreads(available, products, config.n_head),
    trainingGraph: () => buildTrainingGraph(config, { dropout: hasDropout }),
    inferenceGraph: () => buildInferenceGraph(config),
  };
}
