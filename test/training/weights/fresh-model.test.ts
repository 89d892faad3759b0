import { readFile, rm } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { evaluate } from '../../../training/evaluate.ts';
import { writeFreshModel } from '../../../training/fresh-model.ts';
import { temporaryFolder } from '../loop/small-training.ts';
import { readLoraFixture, tensorsOf } from '../lora/lora-fixture.ts';

let folder = '';
beforeAll(async () => {
  folder = await temporaryFolder();
});
afterAll(() => rm(folder, { recursive: true }));

describe.each(['gpt2', 'gpt2-lm', 'bert', 'distilbert', 'roberta'] as const)('%s', (name) => {
  test("has the parameters of Hugging Face's own, and answers", async () => {
    const { config, model, weights, rows } = await readLoraFixture(name);
    const { architectures: _, ...given } = config;
    const asked = name === 'gpt2-lm' ? config : given;
    const fresh = await writeFreshModel({ config: asked, seed: 3, directory: folder });
    const tensors = await tensorsOf(fresh.modelFiles['model.safetensors'] ?? '');
    const lengths = (values: ReadonlyMap<string, Float32Array>): [string, number][] =>
      [...values].map(([tensor, { length }]): [string, number] => [tensor, length]).toSorted();
    expect(lengths(tensors)).toEqual(lengths(weights));
    expect(fresh.parameters).toBe(lengths(weights).reduce((sum, [, length]) => sum + length, 0));
    const written = JSON.parse(
      await readFile(fresh.modelFiles['config.json'] ?? '', 'utf8'),
    ) as object;
    expect(written).toEqual({ ...config, architectures: [model.architecture], dtype: 'float32' });
    const { modelFiles } = fresh;
    const answers = await evaluate({ modelFiles, rows, padTokenId: model.padTokenId, threads: 1 });
    const numbers =
      answers.task === 'causal-lm' ? [answers.tokenLoss.loss] : [...answers.logits.logits];
    expect(numbers.every((number) => Number.isFinite(number) && number !== 0)).toBe(true);
  });
});

test('is a GPT-2 where its config does not say', async () => {
  const config = { n_embd: 8, n_layer: 1, n_head: 2, vocab_size: 11, n_positions: 8 };
  const { modelFiles } = await writeFreshModel({ config, seed: 1, directory: folder });
  const written: unknown = JSON.parse(await readFile(modelFiles['config.json'] ?? '', 'utf8'));
  expect(written).toEqual({
    ...config,
    architectures: ['GPT2ForSequenceClassification'],
    dtype: 'float32',
    model_type: 'gpt2',
  });
});
