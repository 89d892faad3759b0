import { z } from 'zod';
import { OTHER_NAMES } from './config-keys.ts';
import {
  activation,
  type ConfigJson,
  count,
  parseConfig,
  probability,
  requireDivisible,
  SHARED_FIELDS,
} from './config-schema.ts';

/**
 * The fields of a GPT-2 config.json that decide the mathematics, with Hugging Face's names and
 * defaults (transformers 5.x, GPT2Config). All others are left alone.
 */
const schema = z.object({
  ...SHARED_FIELDS,
  vocab_size: count.default(50257),
  n_positions: count.default(1024),
  n_embd: count.default(768),
  n_layer: count.default(12),
  n_head: count.default(12),
  n_inner: count.nullable().default(null),
  activation_function: activation.default('gelu_new'),
  resid_pdrop: probability.default(0.1),
  embd_pdrop: probability.default(0.1),
  attn_pdrop: probability.default(0.1),
  layer_norm_epsilon: z.number().positive().default(1e-5),
  scale_attn_weights: z.boolean().default(true),
  pad_token_id: z.int().min(0).nullable().default(null),
  tie_word_embeddings: z.boolean().default(true),
  scale_attn_by_inverse_layer_idx: z.literal(false).default(false),
  is_causal: z.literal(true).default(true),
});

/** A checked GPT-2 configuration, under Hugging Face's field names. */
export type Gpt2Config = z.output<typeof schema>;

/**
 * Reads the parsed config.json of a GPT-2.
 * @throws InvalidInput naming the field, its value, what is expected and the remedy
 */
export function parseGpt2Config(json: ConfigJson): Gpt2Config {
  const config = parseConfig({ schema, otherNames: OTHER_NAMES.gpt2, title: 'GPT-2' }, json);
  requireDivisible(config, 'n_embd', 'n_head');
  return config;
}
