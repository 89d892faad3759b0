import { expect, test } from 'vitest';
import { Failure } from '../../../plan/failures.ts';
import { parseGpt2Config } from '../../../training/models/gpt2.ts';

test('missing fields have Hugging Face’s defaults; those of other heads are left alone', () => {
  expect(parseGpt2Config({ summary_type: 'mean', tie_word_embeddings: false })).toEqual({
    vocab_size: 50257,
    n_positions: 1024,
    n_embd: 768,
    n_layer: 12,
    n_head: 12,
    n_inner: null,
    activation_function: 'gelu_new',
    resid_pdrop: 0.1,
    embd_pdrop: 0.1,
    attn_pdrop: 0.1,
    layer_norm_epsilon: 1e-5,
    initializer_range: 0.02,
    scale_attn_weights: true,
    pad_token_id: null,
    num_labels: 2,
  });
});

test.each([
  { fields: {}, labels: 2 },
  { fields: { num_labels: 5 }, labels: 5 },
  { fields: { num_labels: 5, id2label: { 0: 'a', 1: 'b', 2: 'c' } }, labels: 3 },
  { fields: { problem_type: 'single_label_classification' }, labels: 2 },
  { fields: { reorder_and_upcast_attn: true }, labels: 2 },
  { fields: { n_layer: 3, num_hidden_layers: 3 }, labels: 2 },
])('$fields: $labels labels', ({ fields, labels }) => {
  expect(parseGpt2Config(fields).num_labels).toBe(labels);
});

test.each([
  {
    fields: { activation_function: 'swish' },
    message:
      'config.json: activation_function "swish" is not supported: expected one of "gelu_new"|"gelu_pytorch_tanh"|"gelu"|"relu"; use a model that has one of these',
  },
  {
    fields: { add_cross_attention: true },
    message:
      'config.json: add_cross_attention true is not supported: expected false; use a decoder without an encoder',
  },
  {
    fields: { scale_attn_by_inverse_layer_idx: true },
    message:
      'config.json: scale_attn_by_inverse_layer_idx true is not supported: expected false; use a model trained with it set to false',
  },
  {
    fields: { problem_type: 'regression' },
    message:
      'config.json: problem_type "regression" is not supported: expected "single_label_classification"; remove it; each example has one label',
  },
  {
    fields: { hidden_size: 64 },
    message:
      "config.json: hidden_size 64 is not supported: call it n_embd, as GPT-2's own configuration does",
  },
  {
    fields: { model_type: 'bert' },
    message:
      'config.json: model_type "bert" is not supported: expected "gpt2"; use a model whose model_type is gpt2',
  },
  {
    fields: { attn_pdrop: 1 },
    message:
      'config.json: attn_pdrop 1 is not supported: Too big: expected number to be <1; correct it in config.json',
  },
  {
    fields: { n_embd: '768' },
    message:
      'config.json: n_embd "768" is not supported: expected number, received string; correct it in config.json',
  },
  {
    fields: { n_embd: 10, n_head: 3 },
    message:
      'config.json: n_embd 10 is not a multiple of n_head 3; set n_head to a divisor of n_embd',
  },
  {
    fields: { id2label: { 0: 'all' } },
    message:
      'config.json: found 1 label, expected at least 2 to classify; set num_labels to the number of classes',
  },
])('refuses $fields', ({ fields, message }) => {
  expect(() => parseGpt2Config(fields)).toThrow(new Failure('InvalidInput', message));
});

test('refuses what is not an object', () => {
  expect(() => parseGpt2Config('gpt2')).toThrow(
    new Failure(
      'InvalidInput',
      'config.json "gpt2" is not supported: expected object, received string; correct it in config.json',
    ),
  );
});
