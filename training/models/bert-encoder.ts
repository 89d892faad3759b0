import type { Value } from '../graph/graph.ts';
import * as ops from '../graph/ops.ts';
import { ACTIVATIONS } from './activations.ts';
import type { BertConfig } from './bert-config.ts';
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
  type PackedRows,
} from './layers.ts';
import type { ParameterSpec } from './model-graph.ts';
import { firstTokenPosition } from './pooling.ts';
import type { Transformer } from './transformer.ts';
import { layerNormParameters, linearParameters, normal, weight } from './parameters.ts';

// The encoder that BERT and RoBERTa share. C channels, N tokens.
// Source: Hugging Face transformers 5.x, modeling_bert.py and modeling_roberta.py.

export interface BertEncoder {
  readonly config: BertConfig;
  /** As `bert`: what parameter names begin with. */
  readonly prefix: string;
  /** [R,T]: each token's row of the position embeddings. */
  readonly positions: (rows: PackedRows) => Value;
  /** The row of the position embeddings that padding has, which is not trained; null for none. */
  readonly paddingPosition: number | null;
}

/** Embeddings and layers, without the pooler. */
export function encoderParameters({ config, prefix }: BertEncoder): readonly ParameterSpec[] {
  const { hidden_size: C, initializer_range: std } = config;
  const embeddings = `${prefix}.embeddings`;
  return [
    weight(`${embeddings}.word_embeddings.weight`, [config.vocab_size, C], normal(std)),
    weight(
      `${embeddings}.position_embeddings.weight`,
      [config.max_position_embeddings, C],
      normal(std),
    ),
    weight(`${embeddings}.token_type_embeddings.weight`, [config.type_vocab_size, C], normal(std)),
    ...layerNormParameters(`${embeddings}.LayerNorm`, C),
    ...Array.from({ length: config.num_hidden_layers }, (_, layer) =>
      layerParameters(config, `${prefix}.encoder.layer.${layer}`),
    ).flat(),
  ];
}

function layerParameters(config: BertConfig, path: string): readonly ParameterSpec[] {
  const { hidden_size: C, intermediate_size: inner, initializer_range: std } = config;
  const dense = (name: string, inputs: number, outputs: number): readonly ParameterSpec[] =>
    bertLinear(`${path}.${name}`, inputs, outputs, std);
  return [
    ...dense('attention.self.query', C, C),
    ...dense('attention.self.key', C, C),
    ...dense('attention.self.value', C, C),
    ...dense('attention.output.dense', C, C),
    ...layerNormParameters(`${path}.attention.output.LayerNorm`, C),
    ...dense('intermediate.dense', C, inner),
    ...dense('output.dense', inner, C),
    ...layerNormParameters(`${path}.output.LayerNorm`, C),
  ];
}

/** A torch Linear with N(0, std) weights. */
export function bertLinear(
  path: string,
  inputs: number,
  outputs: number,
  std: number,
): readonly ParameterSpec[] {
  return linearParameters({
    ...{ path, inputs, outputs, initializer: normal(std) },
    layout: 'outputs-inputs',
  });
}

function encoderStates(scope: ModelScope, encoder: BertEncoder): Value {
  const { config, prefix } = encoder;
  let x = embeddings(scope, encoder);
  for (const [layer, tokens] of layerTokens(scope, config.num_hidden_layers, false).entries()) {
    const path = `${prefix}.encoder.layer.${layer}`;
    const site = 3 * layer + 1;
    const attended = attention(scope, tokens, config, `${path}.attention`, x, site);
    const residual = tokens.select(x);
    x = addAndNorm(tokens.scope, config, `${path}.attention.output`, attended, residual, site + 1);
    const inner = linear(tokens.scope, x, `${path}.intermediate.dense`);
    const activated = ACTIVATIONS[config.hidden_act](inner);
    x = addAndNorm(tokens.scope, config, `${path}.output`, activated, x, site + 2);
  }
  return targetStates(scope, x);
}

/** All tokens are of type 0: a text is one segment. */
function embeddings(scope: ModelScope, encoder: BertEncoder): Value {
  const { config, prefix, paddingPosition } = encoder;
  const { rows, parameter, graph } = scope;
  const path = `${prefix}.embeddings`;
  const words = `${path}.word_embeddings`;
  const type = ops.gather(
    parameter(`${path}.token_type_embeddings.weight`),
    graph.constant('int32', [1], Int32Array.of(0)),
    0,
  );
  const sum = ops.add(
    ops.add(embedding(scope, rows.inputIds, words, config.pad_token_id), type),
    embedding(scope, encoder.positions(rows), `${path}.position_embeddings`, paddingPosition),
  );
  const normalized = layerNorm(scope, sum, `${path}.LayerNorm`, config.layer_norm_eps);
  return drop(scope, normalized, 0, config.hidden_dropout_prob);
}

function attention(
  scope: ModelScope,
  tokens: LayerTokens,
  config: BertConfig,
  path: string,
  x: Value,
  site: number,
): Value {
  const H = config.num_attention_heads;
  const layers = {
    ...{ heads: H, query: `${path}.self.query` },
    ...{ key: `${path}.self.key`, value: `${path}.self.value` },
  };
  return attend(tokens, {
    ...projectHeads(scope, tokens, x, layers),
    site,
    scale: 1 / Math.sqrt(config.hidden_size / H),
    dropout: config.attention_probs_dropout_prob,
  });
}

/** LayerNorm(residual + dropout(x·W + b)). */
function addAndNorm(
  scope: ModelScope,
  config: BertConfig,
  path: string,
  x: Value,
  residual: Value,
  site: number,
): Value {
  const projected = linear(scope, x, `${path}.dense`);
  const dropped = drop(scope, projected, site, config.hidden_dropout_prob);
  return layerNorm(scope, ops.add(dropped, residual), `${path}.LayerNorm`, config.layer_norm_eps);
}

/** Of parameters below `encoder.layer`. */
export function encoderLayerOf(name: string): number | undefined {
  const layer = /\.layer\.(\d+)\./.exec(name)?.[1];
  return layer === undefined ? undefined : Number(layer);
}

/** What the transformers of this encoder have in common. */
export function encoderFields(
  encoder: BertEncoder,
): Omit<
  Transformer,
  | 'basePrefix'
  | 'parameters'
  | 'mayLack'
  | 'knownExtras'
  | 'positions'
  | 'padTokenId'
  | 'classifier'
> {
  const { config } = encoder;
  return {
    vocabulary: config.vocab_size,
    attentionHeads: config.num_attention_heads,
    layers: config.num_hidden_layers,
    layerOf: encoderLayerOf,
    adapted: ['query', 'value'],
    dropout: Math.max(config.hidden_dropout_prob, config.attention_probs_dropout_prob),
    states: (scope) => encoderStates(scope, encoder),
    pooledPosition: firstTokenPosition,
    languageModel: undefined,
  };
}

/** Probability of the dropouts of a classification head. */
export function headDropout(config: BertEncoder['config']): number {
  return config.classifier_dropout ?? config.hidden_dropout_prob;
}
