import { describe, expect, test } from 'vitest';
import { overriddenConfig, requireKnownKeys } from '../../activities/model-config.ts';
import type { JsonObject } from '../../plan/json.ts';

const NAMED = { id2label: { 0: 'no', 1: 'yes' }, label2id: { no: 0, yes: 1 } };

describe('labels', () => {
  test.each([
    ['are those of the source', NAMED, { n_layer: 2 }, { ...NAMED, n_layer: 2 }],
    ['of the source win over its count', { ...NAMED, num_labels: 5 }, {}, NAMED],
    ['of which the source has the count', { num_labels: 5 }, {}, { num_labels: 5 }],
    [
      'are numbered by a count, also in place of names',
      NAMED,
      { num_labels: 3 },
      {
        id2label: { 0: 'LABEL_0', 1: 'LABEL_1', 2: 'LABEL_2' },
        label2id: { LABEL_0: 0, LABEL_1: 1, LABEL_2: 2 },
      },
    ],
    ['are named', { n_head: 2 }, { id2label: { 1: 'yes', 0: 'no' } }, { n_head: 2, ...NAMED }],
    ['are none', {}, { n_head: 2 }, { n_head: 2 }],
  ])('%s', (_, config, overrides, expected) => {
    expect(overriddenConfig(config, overrides)).toEqual(expected);
  });

  test.each([
    [{ num_labels: '3' }, 'config: num_labels is "3": expected a whole number from 1'],
    [{ num_labels: 0 }, 'config: num_labels is 0: expected a whole number from 1'],
    [
      { num_labels: 3, id2label: { 0: 'a', 1: 'b' } },
      'config: num_labels is 3, and id2label has 2 names: give one of the two',
    ],
    [
      { id2label: { 1: 'a', 2: 'b' } },
      'config: id2label is {"1":"a","2":"b"}: expected a name for each id from 0, such as { 0: negative, 1: positive }',
    ],
    [
      { id2label: ['a', 'b'] },
      'config: id2label is ["a","b"]: expected a name for each id from 0, such as { 0: negative, 1: positive }',
    ],
  ])('%j are refused', (overrides, message) => {
    expect(() => overriddenConfig({}, overrides)).toThrow(
      expect.objectContaining({ type: 'InvalidInput', message }) as Error,
    );
  });
});

describe('a key of another configuration', () => {
  test.each([
    ['gpt2', { attn_pdropp: 0.5 }, 'attn_pdropp', 'attn_pdrop'],
    ['gpt2', { n_layers: 3 }, 'n_layers', 'n_layer'],
    ['gpt2', { hidden_size: 64 }, 'hidden_size', 'n_embd'],
    ['bert', { dim: 64 }, 'dim', 'hidden_size'],
    ['distilbert', { n_layer: 2 }, 'n_layer', 'n_layers'],
    ['bert', { hidden_sise: 64 }, 'hidden_sise', 'hidden_size'],
    ['bert', { classifier_dropuot: 0 }, 'classifier_dropuot', 'classifier_dropout'],
    ['distilbert', { hidden_size: 64 }, 'hidden_size', 'dim'],
    ['distilbert', { num_hidden_layers: 2 }, 'num_hidden_layers', 'n_layers'],
    ['roberta', { num_hidden_layer: 2 }, 'num_hidden_layer', 'num_hidden_layers'],
  ])('of a %s: %j', (modelType, overrides: JsonObject, key, near) => {
    const message = `config: unknown key "${key}" of a ${modelType}: did you mean "${near}"?`;
    const expected = expect.objectContaining({ type: 'InvalidInput', message }) as Error;
    expect(() => requireKnownKeys(overrides, { model_type: modelType })).toThrow(expected);
    // A fresh model says itself what it is.
    const fresh = { ...overrides, model_type: modelType };
    expect(() => requireKnownKeys(fresh, {})).toThrow(expected);
  });

  test('is known as long as the architecture is not', () => {
    expect(() => requireKnownKeys({ n_layers: 3, hidden_size: 8 }, undefined)).not.toThrow();
    expect(() => requireKnownKeys({ attn_pdropp: 0.5 }, undefined)).toThrow(
      'config: unknown key "attn_pdropp": did you mean "attn_pdrop"?',
    );
  });

  test('that is like no other is refused with those there are', () => {
    expect(() => requireKnownKeys({ foo: 1 }, {})).toThrow(
      /^config: unknown key "foo" of a gpt2: the keys there are: _name_or_path, _num_labels, activation_function/,
    );
  });

  test('and another architecture is', () => {
    expect(() => requireKnownKeys({ model_type: 'llama' }, {})).toThrow(
      'config.json: model_type "llama" cannot be trained; expected one of gpt2, bert, distilbert, roberta',
    );
  });
});

test.each([
  [
    'gpt2',
    'gpt2',
    'activation_function architectures attn_pdrop bos_token_id embd_pdrop eos_token_id initializer_range layer_norm_epsilon model_type n_ctx n_embd n_head n_layer n_positions resid_pdrop summary_activation summary_first_dropout summary_proj_to_labels summary_type summary_use_proj task_specific_params vocab_size',
  ],
  ['gpt2', 'gpt2-medium', 'n_special predict_special_tokens'],
  ['gpt2', 'gpt2-xl', 'output_past'],
  ['gpt2', 'distilgpt2', '_num_labels id2label label2id'],
  [
    'gpt2',
    'a GPT2Config of transformers 5.23',
    '_name_or_path activation_function add_cross_attention architectures attn_pdrop bos_token_id chunk_size_feed_forward dtype embd_pdrop eos_token_id id2label initializer_range is_encoder_decoder label2id layer_norm_epsilon model_type n_embd n_head n_inner n_layer n_positions output_attentions output_hidden_states pad_token_id problem_type reorder_and_upcast_attn resid_pdrop return_dict scale_attn_by_inverse_layer_idx scale_attn_weights summary_activation summary_first_dropout summary_proj_to_labels summary_type summary_use_proj tie_word_embeddings transformers_version use_cache vocab_size',
  ],
  [
    'bert',
    'a BertConfig of transformers 5.23',
    '_name_or_path architectures bos_token_id chunk_size_feed_forward dtype eos_token_id id2label initializer_range is_encoder_decoder label2id model_type output_attentions output_hidden_states pad_token_id problem_type return_dict tie_word_embeddings transformers_version vocab_size add_cross_attention attention_probs_dropout_prob classifier_dropout hidden_act hidden_dropout_prob hidden_size intermediate_size is_decoder layer_norm_eps max_position_embeddings num_attention_heads num_hidden_layers type_vocab_size use_cache',
  ],
  [
    'bert',
    'bert-base-uncased and bert-base-multilingual-cased',
    'architectures attention_probs_dropout_prob gradient_checkpointing hidden_act hidden_dropout_prob hidden_size initializer_range intermediate_size layer_norm_eps max_position_embeddings model_type num_attention_heads num_hidden_layers pad_token_id position_embedding_type transformers_version type_vocab_size use_cache vocab_size directionality pooler_fc_size pooler_num_attention_heads pooler_num_fc_layers pooler_size_per_head pooler_type',
  ],
  [
    'distilbert',
    'a DistilBertConfig of transformers 5.23',
    '_name_or_path architectures bos_token_id chunk_size_feed_forward dtype eos_token_id id2label initializer_range is_encoder_decoder label2id model_type output_attentions output_hidden_states pad_token_id problem_type return_dict tie_word_embeddings transformers_version vocab_size activation attention_dropout dim dropout hidden_dim max_position_embeddings n_heads n_layers qa_dropout seq_classif_dropout sinusoidal_pos_embds',
  ],
  ['distilbert', 'distilbert-base-uncased', 'tie_weights_ finetuning_task output_past'],
  [
    'roberta',
    'a RobertaConfig of transformers 5.23',
    '_name_or_path architectures bos_token_id chunk_size_feed_forward dtype eos_token_id id2label initializer_range is_encoder_decoder label2id model_type output_attentions output_hidden_states pad_token_id problem_type return_dict tie_word_embeddings transformers_version vocab_size add_cross_attention attention_probs_dropout_prob classifier_dropout hidden_act hidden_dropout_prob hidden_size intermediate_size is_decoder layer_norm_eps max_position_embeddings num_attention_heads num_hidden_layers type_vocab_size use_cache',
  ],
])('a %s: every key of %s is known', (modelType, _, keys) => {
  const config = Object.fromEntries(keys.split(' ').map((key) => [key, null]));
  const overrides = { ...config, model_type: modelType };
  expect(() => requireKnownKeys(overrides, {})).not.toThrow();
});
