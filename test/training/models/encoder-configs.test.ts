import { readFile } from 'node:fs/promises';
import { describe, expect, test } from 'vitest';
import { Failure } from '../../../plan/failures.ts';
import { parseBertConfig, parseRobertaConfig } from '../../../training/models/bert-config.ts';
import type { ConfigJson } from '../../../training/models/config-schema.ts';
import { parseDistilbertConfig } from '../../../training/models/distilbert-config.ts';
import { parseGpt2Config } from '../../../training/models/gpt2-config.ts';

const PARSERS = {
  gpt2: parseGpt2Config,
  bert: parseBertConfig,
  distilbert: parseDistilbertConfig,
  roberta: parseRobertaConfig,
} as const satisfies { readonly [modelType: string]: (json: ConfigJson) => object };

type ModelType = keyof typeof PARSERS;
const MODEL_TYPES = Object.keys(PARSERS) as readonly ModelType[];

/** What Hugging Face's classes read besides, and why it leaves the mathematics as it is. */
const HARMLESS: { readonly [field: string]: string } = {
  _name_or_path: 'where it came from',
  architectures: 'the task, which model.ts reads',
  bos_token_id: 'generation',
  chunk_size_feed_forward: 'the same sums in parts',
  dtype: 'weights are read as float32',
  eos_token_id: 'generation',
  id2label: 'label-config.ts reads it',
  is_encoder_decoder: 'which cache generation uses',
  label2id: 'id2label says the same',
  model_type: 'architectures.ts reads it',
  output_attentions: 'what is returned',
  output_hidden_states: 'what is returned',
  problem_type: 'label-config.ts reads it',
  qa_dropout: 'the head of another task',
  reorder_and_upcast_attn: 'the same product, scaled before or after',
  return_dict: 'what is returned',
  summary_activation: 'the head of another task',
  summary_first_dropout: 'the head of another task',
  summary_proj_to_labels: 'the head of another task',
  summary_type: 'the head of another task',
  summary_use_proj: 'the head of another task',
  tie_word_embeddings: 'the head of masked language modelling; gpt2-config.ts reads it',
  transformers_version: 'who wrote it',
  use_cache: 'generation',
};

test.each(MODEL_TYPES)('every field of %s’s configuration is read, or harmless', async (type) => {
  const file = new URL('../../fixtures/config-fields.json', import.meta.url);
  const fields = JSON.parse(await readFile(file, 'utf8')) as Record<ModelType, readonly string[]>;
  const read = new Set(Object.keys(PARSERS[type]({})));
  expect(fields[type].filter((field) => !read.has(field) && !(field in HARMLESS))).toEqual([]);
});

const ACTIVATIONS = 'expected one of "gelu_new"|"gelu_pytorch_tanh"|"gelu"|"relu"';
const OF_ALL: readonly { readonly fields: ConfigJson; readonly message: string }[] = [
  {
    fields: { quantization_config: { quant_method: 'bitsandbytes' } },
    message:
      'quantization_config {"quant_method":"bitsandbytes"} is not supported: expected none; use a model whose weights are not quantized',
  },
  {
    fields: { pruned_heads: { 0: [1] } },
    message:
      'pruned_heads {"0":[1]} is not supported: expected none; use a model that has all its attention heads',
  },
  {
    fields: { per_layer_config: { 1: { intermediate_size: 8 } } },
    message:
      'per_layer_config {"1":{"intermediate_size":8}} is not supported: expected none; use a model whose layers are all alike',
  },
  {
    fields: { add_cross_attention: true },
    message:
      'add_cross_attention true is not supported: expected false; use a model without an encoder and a decoder',
  },
];
const OF_BERT: typeof OF_ALL = [
  {
    fields: { hidden_act: 'silu' },
    message: `hidden_act "silu" is not supported: ${ACTIVATIONS}; use a model that has one of these`,
  },
  {
    fields: { is_decoder: true },
    message:
      'is_decoder true is not supported: expected false; use an encoder: a model trained with it set to false',
  },
  {
    fields: { position_embedding_type: 'relative_key' },
    message:
      'position_embedding_type "relative_key" is not supported: expected "absolute"; use a model trained with \'absolute\'',
  },
  {
    fields: { hidden_size: 10, num_attention_heads: 3 },
    message:
      'hidden_size 10 is not a multiple of num_attention_heads 3; set num_attention_heads to a divisor of hidden_size',
  },
];
const REFUSED: { readonly [type in ModelType]: typeof OF_ALL } = {
  gpt2: OF_ALL,
  bert: [...OF_ALL, ...OF_BERT],
  roberta: [
    ...OF_ALL,
    ...OF_BERT,
    {
      fields: { pad_token_id: null },
      message:
        'pad_token_id null is not supported: expected number, received null; correct it in config.json',
    },
  ],
  distilbert: [
    ...OF_ALL,
    {
      fields: { activation: 'silu' },
      message: `activation "silu" is not supported: ${ACTIVATIONS}; use a model that has one of these`,
    },
    {
      fields: { sinusoidal_pos_embds: true },
      message:
        'sinusoidal_pos_embds true is not supported: expected false; use a model trained with it set to false',
    },
    {
      fields: { hidden_size: 64 },
      message:
        "hidden_size 64 is not supported: call it dim, as DistilBERT's own configuration does",
    },
    {
      fields: { dim: 10, n_heads: 3 },
      message: 'dim 10 is not a multiple of n_heads 3; set n_heads to a divisor of dim',
    },
  ],
};

describe.each(MODEL_TYPES)('%s', (type) => {
  test.each(REFUSED[type])('refuses $fields', ({ fields, message }) => {
    expect(() => PARSERS[type](fields)).toThrow(
      new Failure('InvalidInput', `config.json: ${message}`),
    );
  });

  test.each([
    { fields: { quantization_config: null } },
    { fields: { pruned_heads: {}, per_layer_config: null } },
    { fields: { is_decoder: false, position_embedding_type: 'absolute' } },
    { fields: { unheard_of: true } },
  ])('reads $fields', ({ fields }) => {
    expect(PARSERS[type](fields)).toMatchObject(PARSERS[type]({}));
  });
});
