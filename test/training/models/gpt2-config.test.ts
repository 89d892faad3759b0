import { expect, test } from 'vitest';
import { Failure } from '../../../plan/failures.ts';
import { parseGpt2Config } from '../../../training/models/gpt2-config.ts';

test('missing fields have Hugging Face’s defaults; those of other heads are left out', () => {
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
    tie_word_embeddings: false,
    scale_attn_by_inverse_layer_idx: false,
    add_cross_attention: false,
    is_causal: true,
  });
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
      'config.json: add_cross_attention true is not supported: expected false; use a model without an encoder and a decoder',
  },
  {
    fields: { scale_attn_by_inverse_layer_idx: true },
    message:
      'config.json: scale_attn_by_inverse_layer_idx true is not supported: expected false; use a model trained with it set to false',
  },
  {
    fields: { is_causal: false },
    message:
      'config.json: is_causal false is not supported: expected true; use a model trained with it set to true',
  },
  {
    fields: { hidden_size: 64 },
    message:
      "config.json: hidden_size 64 is not supported: call it n_embd, as GPT-2's own configuration does",
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
])('refuses $fields', ({ fields, message }) => {
  expect(() => parseGpt2Config(fields)).toThrow(new Failure('InvalidInput', message));
});
