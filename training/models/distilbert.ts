import type { Value } from '../graph/graph.ts';
import * as ops from '../graph/ops.ts';
import { ACTIVATIONS } from './activations.ts';
import { bertLinear, encoderLayerOf } from './bert-encoder.ts';
import type { DistilbertConfig } from './distilbert-config.ts';
import {
  attend,
  drop,
  embedding,
  layerNorm,
  layerTokens,
  linear,
  projectHeads,
  targetStates,
  type LayerTokens,
  type ModelScope,
} from './layers.ts';
import type { ParameterSpec } from './model-graph.ts';
import { layerNormParameters, normal, weight } from './parameters.ts';
import { firstTokenPosition } from './pooling.ts';
import type { Head, Transformer } from './transformer.ts';

/** Source: modeling_distilbert.py, nn.LayerNorm(eps=1e-12). */
const EPSILON = 1e-12;
const EMBEDDINGS = 'distilbert.embeddings';

/** DistilBertModel. Source: Hugging Face transformers 5.x, modeling_distilbert.py. */
export function distilbert(config: DistilbertConfig): Transformer {
  const { dim: C, initializer_range: std } = config;
  return {
    basePrefix: 'distilbert.',
    parameters: bodyParameters(config),
    mayLack: [],
    knownExtras:
      /(^|\.)(embeddings\.position_ids|(vocab_(transform|layer_norm|projector)|(pre_)?classifier|qa_outputs)\.(weight|bias))$/,
    vocabulary: config.vocab_size,
    positions: config.max_position_embeddings,
    padTokenId: config.pad_token_id,
    attentionHeads: config.n_heads,
    layers: config.n_layers,
    layerOf: encoderLayerOf,
    adapted: ['q_lin', 'v_lin'],
    dropout: Math.max(config.dropout, config.attention_dropout),
    states: (scope) => states(scope, config),
    classifier: (labels): Head => ({
      architecture: 'DistilBertForSequenceClassification',
      parameters: [
        ...bertLinear('pre_classifier', C, C, std),
        ...bertLinear('classifier', C, labels, std),
      ],
      logits: (scope, pooled) => classify(scope, config, pooled),
      dropout: config.seq_classif_dropout,
    }),
    pooledPosition: firstTokenPosition,
    languageModel: undefined,
  };
}

function bodyParameters(config: DistilbertConfig): readonly ParameterSpec[] {
  const { dim: C, hidden_dim: inner, initializer_range: std } = config;
  const layer = (index: number): readonly ParameterSpec[] => {
    const path = `distilbert.transformer.layer.${index}`;
    return [
      ...['q_lin', 'k_lin', 'v_lin', 'out_lin'].flatMap((name) =>
        bertLinear(`${path}.attention.${name}`, C, C, std),
      ),
      ...layerNormParameters(`${path}.sa_layer_norm`, C),
      ...bertLinear(`${path}.ffn.lin1`, C, inner, std),
      ...bertLinear(`${path}.ffn.lin2`, inner, C, std),
      ...layerNormParameters(`${path}.output_layer_norm`, C),
    ];
  };
  const positions = config.max_position_embeddings;
  return [
    weight(`${EMBEDDINGS}.word_embeddings.weight`, [config.vocab_size, C], normal(std)),
    weight(`${EMBEDDINGS}.position_embeddings.weight`, [positions, C], normal(std)),
    ...layerNormParameters(`${EMBEDDINGS}.LayerNorm`, C),
    ...Array.from({ length: config.n_layers }, (_, index) => layer(index)).flat(),
  ];
}

function states(scope: ModelScope, config: DistilbertConfig): Value {
  const words = `${EMBEDDINGS}.word_embeddings`;
  const sum = ops.add(
    embedding(scope, scope.rows.inputIds, words, config.pad_token_id),
    embedding(scope, scope.rows.positionIds, `${EMBEDDINGS}.position_embeddings`),
  );
  const normalized = layerNorm(scope, sum, `${EMBEDDINGS}.LayerNorm`, EPSILON);
  let x = drop(scope, normalized, 0, config.dropout);
  for (const [index, tokens] of layerTokens(scope, config.n_layers, false).entries()) {
    const path = `distilbert.transformer.layer.${index}`;
    const attended = attention(scope, tokens, config, `${path}.attention`, x, 2 * index + 1);
    const sum = ops.add(attended, tokens.select(x));
    x = layerNorm(scope, sum, `${path}.sa_layer_norm`, EPSILON);
    const hidden = ACTIVATIONS[config.activation](linear(tokens.scope, x, `${path}.ffn.lin1`));
    const projected = linear(tokens.scope, hidden, `${path}.ffn.lin2`);
    const dropped = drop(tokens.scope, projected, 2 * index + 2, config.dropout);
    x = layerNorm(scope, ops.add(dropped, x), `${path}.output_layer_norm`, EPSILON);
  }
  return targetStates(scope, x);
}

function attention(
  scope: ModelScope,
  tokens: LayerTokens,
  config: DistilbertConfig,
  path: string,
  x: Value,
  site: number,
): Value {
  const H = config.n_heads;
  const layers = {
    ...{ heads: H, query: `${path}.q_lin` },
    ...{ key: `${path}.k_lin`, value: `${path}.v_lin` },
  };
  const merged = attend(tokens, {
    ...projectHeads(scope, tokens, x, layers),
    site,
    scale: 1 / Math.sqrt(config.dim / H),
    dropout: config.attention_dropout,
  });
  return linear(tokens.scope, merged, `${path}.out_lin`);
}

/** relu(pre_classifier) → dropout → classifier: [E,C] → [E,labels]. */
function classify(scope: ModelScope, config: DistilbertConfig, states: Value): Value {
  const hidden = ops.relu(linear(scope, states, 'pre_classifier'));
  const site = 2 * config.n_layers + 1;
  const kept = drop(scope, hidden, site, config.seq_classif_dropout);
  return linear(scope, kept, 'classifier');
}
