import { expect, test } from 'vitest';
import { defineModel } from '../../../training/model.ts';
import { readModelFixture } from './model-fixture.ts';
import { trainOnce } from './model-run.ts';

const fixture = await readModelFixture('gpt2-reference');

test('both names of the tanh GELU are one function', async () => {
  const change = { activation_function: 'gelu_pytorch_tanh' };
  expect(await trainOnce({ fixture, change })).toEqual(await trainOnce({ fixture }));
});

test('fresh weights follow GPT-2’s initialization', () => {
  const { n_embd, n_inner } = { n_embd: 12, n_inner: 20 };
  const config = {
    ...{ vocab_size: 19, n_positions: 8, n_embd, n_inner, n_layer: 2, n_head: 2 },
    ...{ initializer_range: 0.02, num_labels: 3 },
  };
  const normal = { kind: 'normal', std: 0.02 };
  const residual = { kind: 'normal', std: 0.01 };
  expect(
    defineModel(config)
      .parameters.filter(({ name }) => !name.includes('.h.0.'))
      .map(({ name, shape, initializer }) => [name, shape, initializer]),
  ).toEqual([
    ['transformer.wte.weight', [19, n_embd], normal],
    ['transformer.wpe.weight', [8, n_embd], normal],
    ['transformer.h.1.ln_1.weight', [n_embd], { kind: 'ones' }],
    ['transformer.h.1.ln_1.bias', [n_embd], { kind: 'zeros' }],
    ['transformer.h.1.attn.c_attn.weight', [n_embd, 36], normal],
    ['transformer.h.1.attn.c_attn.bias', [36], { kind: 'zeros' }],
    ['transformer.h.1.attn.c_proj.weight', [n_embd, n_embd], residual],
    ['transformer.h.1.attn.c_proj.bias', [n_embd], { kind: 'zeros' }],
    ['transformer.h.1.ln_2.weight', [n_embd], { kind: 'ones' }],
    ['transformer.h.1.ln_2.bias', [n_embd], { kind: 'zeros' }],
    ['transformer.h.1.mlp.c_fc.weight', [n_embd, n_inner], normal],
    ['transformer.h.1.mlp.c_fc.bias', [n_inner], { kind: 'zeros' }],
    ['transformer.h.1.mlp.c_proj.weight', [n_inner, n_embd], residual],
    ['transformer.h.1.mlp.c_proj.bias', [n_embd], { kind: 'zeros' }],
    ['transformer.ln_f.weight', [n_embd], { kind: 'ones' }],
    ['transformer.ln_f.bias', [n_embd], { kind: 'zeros' }],
    ['score.weight', [3, n_embd], normal],
  ]);
});
