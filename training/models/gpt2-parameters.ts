import type { Gpt2Config } from './gpt2-config.ts';
import type { ParameterSpec } from './model-graph.ts';
import { layerNormParameters, linearParameters, normal, weight } from './parameters.ts';

/**
 * Every parameter of GPT2Model under its Hugging Face name below a head. Matrices are
 * [inputs, outputs] (Hugging Face's Conv1D).
 *
 * Fresh weights: N(0, initializer_range); projections onto the residual path have
 * N(0, initializer_range / √(2 n_layer)).
 * Source: Hugging Face transformers 5.x, GPT2PreTrainedModel._init_weights.
 */
export function gpt2Parameters(config: Gpt2Config): readonly ParameterSpec[] {
  const { n_embd: C, vocab_size: V, n_positions: P, initializer_range: std } = config;
  return [
    weight('transformer.wte.weight', [V, C], normal(std)),
    weight('transformer.wpe.weight', [P, C], normal(std)),
    ...Array.from({ length: config.n_layer }, (_, layer) => block(config, layer)).flat(),
    ...layerNormParameters('transformer.ln_f', C),
  ];
}

function block(config: Gpt2Config, layer: number): readonly ParameterSpec[] {
  const { n_embd: C, n_inner, initializer_range: std } = config;
  const inner = n_inner ?? 4 * C;
  const residual = std / Math.sqrt(2 * config.n_layer);
  const path = `transformer.h.${layer}`;
  const linear = (name: string, inputs: number, outputs: number, deviation: number) =>
    linearParameters({
      ...{ path: `${path}.${name}`, inputs, outputs, initializer: normal(deviation) },
      layout: 'inputs-outputs',
    });
  return [
    ...layerNormParameters(`${path}.ln_1`, C),
    ...linear('attn.c_attn', C, 3 * C, std),
    ...linear('attn.c_proj', C, C, residual),
    ...layerNormParameters(`${path}.ln_2`, C),
    ...linear('mlp.c_fc', C, inner, std),
    ...linear('mlp.c_proj', inner, C, residual),
  ];
}
