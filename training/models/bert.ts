import type { Value } from '../graph/graph.ts';
import * as ops from '../graph/ops.ts';
import type { BertConfig } from './bert-config.ts';
import {
  bertLinear,
  encoderFields,
  encoderParameters,
  headDropout,
  type BertEncoder,
} from './bert-encoder.ts';
import { drop, linear, type ModelScope } from './layers.ts';
import type { Head, Transformer } from './transformer.ts';

/** BertModel with its pooler. Source: Hugging Face transformers 5.x, modeling_bert.py. */
export function bert(config: BertConfig): Transformer {
  const encoder: BertEncoder = {
    ...{ config, prefix: 'bert', paddingPosition: null },
    positions: ({ positionIds }) => positionIds,
  };
  const { hidden_size: C, initializer_range: std } = config;
  return {
    ...encoderFields(encoder),
    basePrefix: 'bert.',
    parameters: [...encoderParameters(encoder), ...bertLinear('bert.pooler.dense', C, C, std)],
    // Encoders are saved without it, too.
    mayLack: ['bert.pooler.dense.weight', 'bert.pooler.dense.bias'],
    knownExtras:
      /(^|\.)(embeddings\.(position_ids|token_type_ids)|cls\.(predictions|seq_relationship)\..*|(classifier|qa_outputs)\.(weight|bias))$/,
    positions: config.max_position_embeddings,
    padTokenId: config.pad_token_id,
    classifier: (labels): Head => ({
      architecture: 'BertForSequenceClassification',
      parameters: bertLinear('classifier', C, labels, std),
      logits: (scope, states) => classify(scope, config, states),
      dropout: headDropout(config),
    }),
  };
}

/** tanh(pooler) → dropout → classifier: [E,C] → [E,labels]. */
function classify(scope: ModelScope, config: BertConfig, states: Value): Value {
  const pooled = ops.tanh(linear(scope, states, 'bert.pooler.dense'));
  const site = 3 * config.num_hidden_layers + 1;
  return linear(scope, drop(scope, pooled, site, headDropout(config)), 'classifier');
}
