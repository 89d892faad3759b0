import { expect, test } from 'vitest';
import { defineModel } from '../../../training/model.ts';
import type { Example } from '../../../training/pass-tensors.ts';
import type { TrainingSession } from '../../../training/training-session.ts';
import { initializedSession, type SessionOptions } from './initialized-session.ts';

const WORDS = { vocab_size: 60, num_labels: 3, pad_token_id: 0 };
const BERT = {
  ...{ ...WORDS, model_type: 'bert', hidden_size: 16, num_hidden_layers: 2 },
  ...{ num_attention_heads: 2, intermediate_size: 32 },
};
const GPT2 = { ...WORDS, model_type: 'gpt2', n_embd: 16, n_layer: 2, n_head: 2, n_positions: 32 };
const NAMES = { bert: 'bert.embeddings.word_embeddings.weight', gpt2: 'transformer.wte.weight' };
/** Every example is a pass of its own. */
const LIMITS = { tokensPerPass: 8, tokensPerRow: 8 };

function example(ids: readonly number[]): Example {
  return {
    inputIds: Int32Array.from(ids),
    targets: {
      positions: Int32Array.of(ids.length - 1),
      labels: Int32Array.of(1),
      weights: 0.5,
    },
  };
}

const FIRST = [example([1, 2, 3, 2, 59]), example([7, 1, 8]), example([9, 9, 9, 9])];
const SECOND = [example([4, 2, 2]), example([8, 5, 59, 4, 1, 6])];

async function open(name: keyof typeof NAMES, options: SessionOptions): Promise<TrainingSession> {
  const config = name === 'bert' ? BERT : GPT2;
  const off = {
    ...{ hidden_dropout_prob: 0, attention_probs_dropout_prob: 0 },
    ...{ embd_pdrop: 0, attn_pdrop: 0, resid_pdrop: 0 },
  };
  return initializedSession(defineModel({ ...config, ...off }), { limits: LIMITS, ...options });
}

function gradients({ state }: TrainingSession): readonly Buffer[] {
  return state.tensors.map((tensor) => {
    const view = state.view('gradients', tensor);
    return Buffer.from(view.slice().buffer);
  });
}

test.each(['bert', 'gpt2'] as const)(
  'what the batch before read leaves nothing in the gradients of a %s',
  async (name) => {
    const used = await open(name, {});
    await used.computeGradients(FIRST);
    await used.computeGradients(SECOND);
    const fresh = await open(name, {});
    await fresh.computeGradients(SECOND);
    expect(gradients(used)).toEqual(gradients(fresh));
    const table = fresh.state.tensors.find((tensor) => tensor.name === NAMES[name])!;
    expect(table.isSparse).toBe(true);
    const view = fresh.state.view('gradients', table);
    const rows = Array.from({ length: 60 }, (_, row) =>
      view.subarray(row * 16, (row + 1) * 16).some((g) => g !== 0),
    );
    // A pad token has no gradient, in whatever row.
    expect([...rows.keys()].filter((row) => rows[row])).toEqual([1, 2, 4, 5, 6, 8, 59]);
    await Promise.all([used.close(), fresh.close()]);
  },
);

test('a frozen table, and one that a language model also multiplies by, are not sparse', () => {
  const tied = defineModel({ ...GPT2, architectures: ['GPT2LMHeadModel'] });
  const all = tied.parameters.map(({ name }) => name);
  const options = { trainable: all, dropout: false, sparse: true };
  expect(tied.trainingGraph(options).sparse).toEqual([]);
  const bert = defineModel(BERT);
  const head = { ...options, trainable: ['classifier.weight'] };
  expect(bert.trainingGraph(head).sparse).toEqual([]);
  const { sparse } = bert.trainingGraph({ ...head, trainable: [NAMES.bert] });
  expect(sparse).toEqual([NAMES.bert]);
});
