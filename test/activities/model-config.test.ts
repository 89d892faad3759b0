import { describe, expect, test } from 'vitest';
import { overriddenConfig, requireKnownKeys } from '../../activities/model-config.ts';

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
    [{ num_labels: '3' }, 'config: num_labels is "3": expected a whole number from 2'],
    [{ num_labels: 1 }, 'config: num_labels is 1: expected a whole number from 2'],
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

test.each([
  [{ attn_pdropp: 0.5 }, 'config: unknown key "attn_pdropp": did you mean "attn_pdrop"?'],
  [{ n_layers: 3 }, 'config: unknown key "n_layers": did you mean "n_layer"?'],
  [{ hidden_size: 64 }, 'config: unknown key "hidden_size": did you mean "n_embd"?'],
])('%j is no key of a GPT-2', (overrides, message) => {
  expect(() => requireKnownKeys(overrides)).toThrow(
    expect.objectContaining({ type: 'InvalidInput', message }) as Error,
  );
});

test('a key that is like no other is refused with those there are', () => {
  expect(() => requireKnownKeys({ foo: 1 })).toThrow(
    /^config: unknown key "foo": the keys there are: _name_or_path, _num_labels, activation_function/,
  );
});

test.each([
  [
    'gpt2',
    'activation_function architectures attn_pdrop bos_token_id embd_pdrop eos_token_id initializer_range layer_norm_epsilon model_type n_ctx n_embd n_head n_layer n_positions resid_pdrop summary_activation summary_first_dropout summary_proj_to_labels summary_type summary_use_proj task_specific_params vocab_size',
  ],
  ['gpt2-medium', 'n_special predict_special_tokens'],
  ['gpt2-xl', 'output_past'],
  ['distilgpt2', '_num_labels id2label label2id'],
  [
    'a GPT2Config of transformers 5.23',
    '_name_or_path activation_function add_cross_attention architectures attn_pdrop bos_token_id chunk_size_feed_forward dtype embd_pdrop eos_token_id id2label initializer_range is_encoder_decoder label2id layer_norm_epsilon model_type n_embd n_head n_inner n_layer n_positions output_attentions output_hidden_states pad_token_id problem_type reorder_and_upcast_attn resid_pdrop return_dict scale_attn_by_inverse_layer_idx scale_attn_weights summary_activation summary_first_dropout summary_proj_to_labels summary_type summary_use_proj tie_word_embeddings transformers_version use_cache vocab_size',
  ],
])('every key of %s is known', (_, keys) => {
  const config = Object.fromEntries(keys.split(' ').map((key) => [key, null]));
  expect(() => requireKnownKeys(config)).not.toThrow();
});
