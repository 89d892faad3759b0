import type { Value } from '../graph/graph.ts';
import * as ops from '../graph/ops.ts';
import { ACTIVATIONS } from './activations.ts';
import type { Gpt2Config } from './gpt2-config.ts';
import { gpt2Parameters } from './gpt2-parameters.ts';
import {
  attend,
  drop,
  embedding,
  layerNorm,
  layerTokens,
  linear,
  targetStates,
  type LayerTokens,
  type ModelScope,
} from './layers.ts';
import { linearParameters, normal } from './parameters.ts';
import { lastTokenPosition } from './pooling.ts';
import type { Head, Transformer } from './transformer.ts';

// C channels, H heads, D = C/H channels a head, N tokens, M of them computed in a layer, E targets.

/** GPT2Model. Source: Hugging Face transformers 5.x, modeling_gpt2.py. */
export function gpt2(config: Gpt2Config): Transformer {
  return {
    basePrefix: 'transformer.',
    parameters: gpt2Parameters(config),
    mayLack: [],
    knownExtras:
      /(^|\.)(attn\.(bias|masked_bias)|lm_head\.weight|score\.weight|(classifier|qa_outputs|multiple_choice_head\.summary)\.(weight|bias))$/,
    vocabulary: config.vocab_size,
    positions: config.n_positions,
    padTokenId: config.pad_token_id,
    attentionHeads: config.n_head,
    layers: config.n_layer,
    layerOf: (name) => {
      const layer = /^transformer\.h\.(\d+)\./.exec(name)?.[1];
      return layer === undefined ? undefined : Number(layer);
    },
    adapted: ['c_attn'],
    dropout: Math.max(config.embd_pdrop, config.attn_pdrop, config.resid_pdrop),
    states: (scope) => states(scope, config),
    classifier: (labels) => classifier(config, labels),
    pooledPosition: lastTokenPosition,
    languageModel: languageModel(config),
  };
}

/** GPT2ForSequenceClassification's head: no bias. */
function classifier(config: Gpt2Config, labels: number): Head {
  return {
    architecture: 'GPT2ForSequenceClassification',
    parameters: linearParameters({
      ...{ path: 'score', inputs: config.n_embd, outputs: labels, hasBias: false },
      ...{ layout: 'outputs-inputs', initializer: normal(config.initializer_range) },
    }),
    logits: (scope, pooled) => linear(scope, pooled, 'score'),
    dropout: 0,
  };
}

/** GPT2LMHeadModel's head: the token embeddings again, unless they are not tied. */
function languageModel(config: Gpt2Config): Head {
  const { vocab_size: V, n_embd: C } = config;
  const path = config.tie_word_embeddings ? 'transformer.wte' : 'lm_head';
  const matrix = linearParameters({
    ...{ path, inputs: C, outputs: V, hasBias: false, layout: 'outputs-inputs' },
    initializer: normal(config.initializer_range),
  });
  const name = `${path}.weight`;
  return {
    architecture: 'GPT2LMHeadModel',
    ...(config.tie_word_embeddings ? { parameters: [], tied: matrix } : { parameters: matrix }),
    logits: ({ parameter }, pooled) => ops.gemm(pooled, parameter(name), { transB: true }),
    dropout: 0,
    readsEveryToken: true,
  };
}

/** States after the last LayerNorm: [E,C]. */
function states(scope: ModelScope, config: Gpt2Config): Value {
  const epsilon = config.layer_norm_epsilon;
  const norm = (x: Value, path: string): Value =>
    layerNorm(scope, x, `transformer.${path}`, epsilon);
  const tokens = embedding(scope, scope.rows.inputIds, 'transformer.wte');
  const positions = embedding(scope, scope.rows.positionIds, 'transformer.wpe');
  let x = drop(scope, ops.add(tokens, positions), 0, config.embd_pdrop);
  for (const [layer, tokens] of layerTokens(scope, config.n_layer, true).entries()) {
    const attended = attention(scope, tokens, config, layer, norm(x, `h.${layer}.ln_1`));
    x = ops.add(tokens.select(x), attended);
    x = ops.add(x, mlp(tokens.scope, config, layer, norm(x, `h.${layer}.ln_2`)));
  }
  return norm(targetStates(scope, x), 'ln_f');
}

/** Multi-head self-attention with its output projection: [N,C] → [M,C]. */
function attention(
  scope: ModelScope,
  tokens: LayerTokens,
  config: Gpt2Config,
  layer: number,
  x: Value,
): Value {
  const H = config.n_head;
  const D = config.n_embd / H;
  const site = 3 * layer + 1;
  const path = `transformer.h.${layer}.attn`;
  const [rows, columns] = tokens.keys;
  const qkv = ops.reshape(linear(scope, x, `${path}.c_attn`), [rows, columns, 3, H, D]);
  // One transposition for all three: [3,rows,H,columns,D].
  const parts = ops.split(ops.transpose(qkv, [2, 0, 3, 1, 4]), [1, 1, 1], 0);
  const [q, k, v] = parts.map((part) => ops.reshape(part, [rows, H, columns, D]));
  if (q === undefined || k === undefined || v === undefined) throw new Error('internal: no qkv');
  const scale = config.scale_attn_weights ? 1 / Math.sqrt(D) : 1;
  const heads = { q: tokens.selectHeads(q), k, v };
  const merged = attend(tokens, { ...heads, scale, site, dropout: config.attn_pdrop });
  const projected = linear(tokens.scope, merged, `${path}.c_proj`);
  return drop(tokens.scope, projected, site + 1, config.resid_pdrop);
}

/** Two linear layers with the activation between them: [M,C] → [M,C]. */
function mlp(scope: ModelScope, config: Gpt2Config, layer: number, x: Value): Value {
  const path = `transformer.h.${layer}.mlp`;
  const hidden = ACTIVATIONS[config.activation_function](linear(scope, x, `${path}.c_fc`));
  const projected = linear(scope, hidden, `${path}.c_proj`);
  return drop(scope, projected, 3 * layer + 3, config.resid_pdrop);
}
