import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import { dropoutKeys } from '../../../training/models/dropout-keys.ts';
import { buildTrainingGraph, parseGpt2Config } from '../../../training/models/gpt2.ts';
import type { Example } from '../../../training/pass-tensors.ts';
import { randomNumbers } from '../graph/evaluation.ts';
import { inOneRow, runModel } from './gpt2-fixture.ts';

/** One layer as wide as GPT-2's, few enough words that most repeat. */
const config = parseGpt2Config({ n_layer: 1, vocab_size: 50, n_positions: 128, num_labels: 3 });

const examples = [101, 64, 97].map((length, row): Example => ({
  inputIds: Int32Array.from(randomNumbers([length], row, [1, 50]).data, Math.floor),
  label: row,
  weight: 1 / 3,
  dropoutKeys: dropoutKeys({ seed: 1, epoch: 0, rowId: `${row}`, length }),
}));

test.each(['gelu_new', 'gelu'] as const)(
  '%s: logits, loss and gradients have the same bits on 1, 2 and 4 threads',
  async (activation_function) => {
    const model = buildTrainingGraph({ ...config, activation_function }, { dropout: true });
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
