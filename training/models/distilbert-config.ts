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

/** Source: Hugging Face transformers 5.x, DistilBertConfig. */
const schema = z.object({
  ...SHARED_FIELDS,
  vocab_size: count.default(30522),
  max_position_embeddings: count.default(512),
  n_layers: count.default(6),
  n_heads: count.default(12),
  dim: count.default(768),
  hidden_dim: count.default(3072),
  activation: activation.default('gelu'),
  dropout: probability.default(0.1),
  attention_dropout: probability.default(0.1),
  seq_classif_dropout: probability.default(0.2),
  pad_token_id: z.int().min(0).nullable().default(0),
  sinusoidal_pos_embds: z.literal(false).default(false),
});

/** A checked configuration of DistilBERT, under Hugging Face's field names. */
export type DistilbertConfig = z.output<typeof schema>;

/** @throws InvalidInput naming the field, its value, what is expected and the remedy */
export function parseDistilbertConfig(json: ConfigJson): DistilbertConfig {
  const otherNames = OTHER_NAMES.distilbert;
  const config = parseConfig({ schema, otherNames, title: 'DistilBERT' }, json);
  requireDivisible(config, 'dim', 'n_heads');
  return config;
}
