import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import { dropoutKeys } from '../../../training/models/dropout-keys.ts';
import { defineModel } from '../../../training/model.ts';
import type { Example } from '../../../training/pass-tensors.ts';
import { randomNumbers } from '../graph/evaluation.ts';
import { classified, inOneRow, runModel, trainingGraph } from './model-fixture.ts';

/** One layer as wide as GPT-2's, few enough words that most repeat. */
const config = { n_layer: 1, vocab_size: 50, n_positions: 128, num_labels: 3 };

const examples = [101, 64, 97].map((length, row): Example => {
  const ids = Int32Array.from(randomNumbers([length], row, [1, 50]).data, Math.floor);
  const keys = dropoutKeys({ seed: 1, epoch: 0, rowId: `${row}`, length });
  return { ...classified(defineModel(config), ids, row, 1 / 3), dropoutKeys: keys };
});

test.each(['gelu_new', 'gelu'] as const)(
  '%s: logits, loss and gradients have the same bits on 1, 2 and 4 threads',
  async (activation_function) => {
    const model = trainingGraph(defineModel({ ...config, activation_function }), {
      dropout: true,
    });
    const weights = new Map(
      model.parameters.map(({ name, shape }, i) => {
        const { data } = randomNumbers(shape, i, [-0.05, 0.05]);
        return [name, Float32Array.from(data)] as const;
      }),
    );
    const digests: string[] = [];
    for (const threads of [1, 2, 4]) {
      const pass = inOneRow(examples, 5);
      const outputs = await runModel({ model, weights, examples, pass, padTokenId: null, threads });
      const hash = createHash('sha256');
      for (const values of outputs.values()) hash.update(values);
      digests.push(hash.digest('hex'));
    }
    expect(new Set(digests).size).toBe(1);
  },
);
