import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import { dropoutKeys } from '../../../training/models/dropout-keys.ts';
import { defineModel } from '../../../training/model.ts';
import type { ModelGraph } from '../../../training/models/model-graph.ts';
import type { Example } from '../../../training/pass-tensors.ts';
import { randomNumbers } from '../graph/evaluation.ts';
import {
  classified,
  inOneRow,
  runModel,
  trainingGraph,
  type NamedValues,
} from './model-fixture.ts';

/** Few enough words that most repeat. */
const WORDS = { vocab_size: 50, num_labels: 3 };
/** Layers as wide as GPT-2's. */
const GPT2 = { ...WORDS, n_layer: 2, n_positions: 128 };
/** Layers as wide as MiniLM's. */
const NARROW = {
  ...WORDS,
  ...{ hidden_size: 384, num_hidden_layers: 2, num_attention_heads: 12, intermediate_size: 1536 },
};
const DISTILBERT = { ...WORDS, dim: 384, n_layers: 2, n_heads: 12, hidden_dim: 1536 };

test.each([
  { name: 'GPT-2', config: { ...GPT2, activation_function: 'gelu_new' } },
  { name: 'GPT-2 with erf', config: { ...GPT2, activation_function: 'gelu' } },
  { name: 'GPT-2 language model', config: { ...GPT2, architectures: ['GPT2LMHeadModel'] } },
  { name: 'BERT', config: { ...NARROW, model_type: 'bert' } },
  {
    name: 'BERT of several labels',
    config: { ...NARROW, model_type: 'bert', problem_type: 'multi_label_classification' },
  },
  { name: 'RoBERTa', config: { ...NARROW, model_type: 'roberta' } },
  { name: 'DistilBERT', config: { ...DISTILBERT, model_type: 'distilbert' } },
])(
  '$name: logits, loss and gradients have the same bits on 1, 2 and 4 threads',
  async ({ config }) => {
    const definition = defineModel(config);
    const model = trainingGraph(definition, { dropout: true });
    const weights = randomWeights(model);
    const { padTokenId, valuesWidth } = definition;
    const examples = [101, 64, 97].map((length, row): Example => {
      const ids = Int32Array.from(randomNumbers([length], row, [1, 50]).data, Math.floor);
      const keys = dropoutKeys({ seed: 1, epoch: 0, rowId: `${row}`, length });
      const { targets, ...example } = classified(definition, ids, row, 1 / 3);
      const values = Float32Array.of(row % 2, 1, 0);
      return { ...example, targets: { ...targets, values }, dropoutKeys: keys };
    });
    const digests: string[] = [];
    for (const available of [1, 2, 4]) {
      const threads = definition.sessionThreads(available);
      const outputs = await runModel({
        ...{ model, weights, examples, pass: inOneRow(examples, 5) },
        ...{ padTokenId, valuesWidth, threads },
      });
      const hash = createHash('sha256');
      for (const values of outputs.values()) hash.update(values);
      digests.push(hash.digest('hex'));
    }
    expect(new Set(digests).size).toBe(1);
  },
);

function randomWeights(model: ModelGraph): NamedValues {
  return new Map(
    model.parameters.map(({ name, shape }, i) => {
      const { data } = randomNumbers(shape, i, [-0.05, 0.05]);
      return [name, Float32Array.from(data)] as const;
    }),
  );
}
