import type { Value } from '../graph/graph.ts';
import * as ops from '../graph/ops.ts';
import type { RobertaConfig } from './bert-config.ts';
import {
  bertLinear,
  encoderLayerOf,
  encoderParameters,
  encoderStates,
  type BertEncoder,
} from './bert-encoder.ts';
import { dropPooled, linear, type ModelScope } from './layers.ts';
import { firstTokenPosition } from './pooling.ts';
import type { Head, Transformer } from './transformer.ts';

/** RobertaModel without a pooler. Source: Hugging Face transformers 5.x, modeling_roberta.py. */
export function roberta(config: RobertaConfig): Transformer {
  // The rows up to the pad token's are padding's.
  const firstPosition = config.pad_token_id + 1;
  const encoder: BertEncoder = { config, prefix: 'roberta', firstPosition };
  const { hidden_size: C, initializer_range: std } = config;
  return {
    basePrefix: 'roberta.',
    parameters: encoderParameters(encoder),
    mayLack: [],
    knownExtras:
      /(^|\.)(embeddings\.position_ids|lm_head\..*|classifier\.(dense|out_proj)\.(weight|bias)|pooler\.dense\.(weight|bias))$/,
    vocabulary: config.vocab_size,
    positions: config.max_position_embeddings - firstPosition,
    padTokenId: config.pad_token_id,
    attentionHeads: config.num_attention_heads,
    layers: config.num_hidden_layers,
    layerOf: encoderLayerOf,
    adapted: ['query', 'value'],
    dropout: Math.max(config.hidden_dropout_prob, config.attention_probs_dropout_prob),
    states: (scope) => encoderStates(scope, encoder),
    classifier: (labels): Head => ({
      architecture: 'RobertaForSequenceClassification',
      parameters: [
        ...bertLinear('classifier.dense', C, C, std),
        ...bertLinear('classifier.out_proj', C, labels, std),
      ],
      logits: (scope, states) => classify(scope, config, states),
      dropout: headDropout(config),
    }),
    pooledPosition: firstTokenPosition,
    languageModel: undefined,
  };
}

/** dropout → tanh(dense) → dropout → out_proj: [E,C] → [E,labels]. */
function classify(scope: ModelScope, config: RobertaConfig, states: Value): Value {
  const site = 3 * config.num_hidden_layers + 1;
  const probability = headDropout(config);
  const kept = dropPooled(scope, states, site, probability);
  const hidden = ops.tanh(linear(scope, kept, 'classifier.dense'));
  return linear(scope, dropPooled(scope, hidden, site + 1, probability), 'classifier.out_proj');
}

function headDropout(config: RobertaConfig): number {
  return config.classifier_dropout ?? config.hidden_dropout_prob;
}
