import { z } from 'zod';
import {
  activation,
  type ConfigJson,
  count,
  parseConfig,
  probability,
  requireDivisible,
  SHARED_FIELDS,
} from './config-schema.ts';

/** Fields of BERT and RoBERTa. Source: Hugging Face transformers 5.x, BertConfig, RobertaConfig. */
const FIELDS = {
  ...SHARED_FIELDS,
  hidden_size: count.default(768),
  num_hidden_layers: count.default(12),
  num_attention_heads: count.default(12),
  intermediate_size: count.default(3072),
  hidden_act: activation.default('gelu'),
  hidden_dropout_prob: probability.default(0.1),
  attention_probs_dropout_prob: probability.default(0.1),
  max_position_embeddings: count.default(512),
  type_vocab_size: count.default(2),
  layer_norm_eps: z.number().positive().default(1e-12),
  classifier_dropout: probability.nullable().default(null),
  is_decoder: z.literal(false).default(false),
  position_embedding_type: z.literal('absolute').default('absolute'),
};

const bertSchema = z.object({
  ...FIELDS,
  vocab_size: count.default(30522),
  pad_token_id: z.int().min(0).nullable().default(0),
});

const robertaSchema = z.object({
  ...FIELDS,
  vocab_size: count.default(50265),
  pad_token_id: z.int().min(0).default(1),
});

/** A checked configuration of BERT, under Hugging Face's field names. */
export type BertConfig = z.output<typeof bertSchema>;
export type RobertaConfig = z.output<typeof robertaSchema>;

/** @throws InvalidInput naming the field, its value, what is expected and the remedy */
export function parseBertConfig(json: ConfigJson): BertConfig {
  const config = parseConfig({ schema: bertSchema, otherNames: {}, title: 'BERT' }, json);
  requireDivisible(config, 'hidden_size', 'num_attention_heads');
  return config;
}

/** @throws InvalidInput naming the field, its value, what is expected and the remedy */
export function parseRobertaConfig(json: ConfigJson): RobertaConfig {
  const config = parseConfig({ schema: robertaSchema, otherNames: {}, title: 'RoBERTa' }, json);
  requireDivisible(config, 'hidden_size', 'num_attention_heads');
  return config;
}
