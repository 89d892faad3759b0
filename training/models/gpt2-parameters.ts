import type { Gpt2Config } from './gpt2-config.ts';
import type { InitializationRule } from '../random/weight-initialization.ts';
import type { ParameterSpec } from './model-graph.ts';

const ZEROS: InitializationRule = { kind: 'zeros' };
const ONES: InitializationRule = { kind: 'ones' };

/**
 * Every parameter of GPT2ForSequenceClassification under its Hugging Face name, in the order of the
 * graph's inputs. Linear weights are [inputs, outputs] (Hugging Face's Conv1D), but for
 * `score.weight`, which is [classes, inputs].
 *
 * Fresh weights: N(0, initializer_range); projections onto the residual path have
 * N(0, initializer_range / √(2 n_layer)).
 * Source: Hugging Face transformers 5.x, GPT2PreTrainedModel._init_weights.
 */
export function gpt2Parameters(config: Gpt2Config): readonly ParameterSpec[] {
  const { n_embd: C, vocab_size: V, n_positions: P } = config;
  const normal: InitializationRule = { kind: 'normal', std: config.initializer_range };
  const blocks = Array.from({ length: config.n_layer }, (_, layer) => block(config, layer));
  return [
    weight('transformer.wte.weight', [V, C], normal),
    weight('transformer.wpe.weight', [P, C], normal),
    ...blocks.flat(),
    ...layerNorm('transformer.ln_f', C),
    weight('score.weight', [config.num_labels, C], normal),
  ];
}

function block(config: Gpt2Config, layer: number): readonly ParameterSpec[] {
  const C = config.n_embd;
  const inner = innerWidth(config);
  const std = config.initializer_range;
  const normal: InitializationRule = { kind: 'normal', std };
  const residual: InitializationRule = { kind: 'normal', std: std / Math.sqrt(2 * config.n_layer) };
  const path = `transformer.h.${layer}`;
  return [
    ...layerNorm(`${path}.ln_1`, C),
    ...linear(`${path}.attn.c_attn`, C, 3 * C, normal),
    ...linear(`${path}.attn.c_proj`, C, C, residual),
    ...layerNorm(`${path}.ln_2`, C),
    ...linear(`${path}.mlp.c_fc`, C, inner, normal),
    ...linear(`${path}.mlp.c_proj`, inner, C, residual),
  ];
}

/** Width of the MLP's hidden layer. */
function innerWidth(config: Gpt2Config): number {
  return config.n_inner ?? 4 * config.n_embd;
}

function weight(
  name: string,
  shape: readonly number[],
  initializer: InitializationRule,
): ParameterSpec {
  return { name, shape, initializer, isDecayed: true };
}

function linear(
  path: string,
  inputs: number,
  outputs: number,
  initializer: InitializationRule,
): readonly ParameterSpec[] {
  return [
    weight(`${path}.weight`, [inputs, outputs], initializer),
    { name: `${path}.bias`, shape: [outputs], initializer: ZEROS, isDecayed: false },
  ];
}

function layerNorm(path: string, width: number): readonly ParameterSpec[] {
  return [
    { name: `${path}.weight`, shape: [width], initializer: ONES, isDecayed: false },
    { name: `${path}.bias`, shape: [width], initializer: ZEROS, isDecayed: false },
  ];
}
