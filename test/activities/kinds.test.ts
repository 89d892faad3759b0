import { cp, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { downloadDataset } from '../../activities/download-dataset.ts';
import { downloadModel } from '../../activities/download-model.ts';
import { evaluate } from '../../activities/evaluate.ts';
import { tokenize } from '../../activities/tokenize.ts';
import { train } from '../../activities/train.ts';
import type { JsonObject, JsonValue } from '../../plan/json.ts';
import { PROJECT_ROOT } from '../../setup/dependencies.mjs';
import { artifactFile, readManifest } from '../../store/artifacts.ts';
import type { ArtifactDigest } from '../../store/store.ts';
import { KindRunner } from './kind-runner.ts';

const LABELS = ['negative', 'neutral', 'positive'];
/** The last ends with the token `e`. */
const ROWS = [
  { text: 'what a great day', label: 'positive' },
  { text: 'this is awful', label: 'negative' },
  { text: 'I love it', label: 'positive' },
  { text: 'broken again, qzxe', label: 'negative' },
];
/** Large enough for logits that differ. */
const CONFIG = {
  ...{ n_layer: 1, n_head: 2, n_embd: 16, n_positions: 64, vocab_size: 1500 },
  ...{ bos_token_id: 0, eos_token_id: 0, pad_token_id: 0, initializer_range: 0.5 },
  id2label: Object.fromEntries(LABELS.entries()),
};

let kinds: KindRunner;
/** A model that nobody trained, and another with the same ids for other bytes of a tokenizer. */
let model: JsonValue;
let stranger: JsonValue;
/** The rows above with their two labels, tokenized for `model`, for it with another pad token, and for `stranger`. */
let tokens: Record<'own' | 'padded' | 'strange', JsonValue>;

async function tokenized(dataset: JsonValue, tokenizer: JsonValue, padToken: string) {
  return (await kinds.run(tokenize, { dataset, tokenizer, pad_token: padToken }))['dataset'] ?? '';
}

async function fileOf(artifact: JsonValue | undefined, name: string): Promise<string> {
  const manifest = await readManifest(kinds.store, artifact as ArtifactDigest);
  return readFile(await artifactFile(kinds.store, manifest, name), 'utf8');
}

beforeAll(async () => {
  kinds = await KindRunner.open();
  const inRoot = (...path: string[]): string => join(kinds.dataRoot, ...path);
  for (const name of ['tokenizer', 'stranger']) {
    await cp(join(PROJECT_ROOT, 'pipelines/data/tokenizer'), inRoot(name), { recursive: true });
  }
  const own = await readFile(inRoot('stranger', 'tokenizer.json'), 'utf8');
  await writeFile(inRoot('stranger', 'tokenizer.json'), `${own}\n`);
  await writeFile(inRoot('rows.jsonl'), ROWS.map((row) => `${JSON.stringify(row)}\n`).join(''));
  const modelWith = async (tokenizer: string): Promise<JsonValue> =>
    (await kinds.run(downloadModel, { config: CONFIG, tokenizer, seed: 3 }))['model'] ?? '';
  [model, stranger] = [await modelWith('file:tokenizer'), await modelWith('file:stranger')];
  const { dataset = '' } = await kinds.run(downloadDataset, {
    source: 'file:rows.jsonl',
    label: 'label',
  });
  tokens = {
    own: await tokenized(dataset, model, 'eos'),
    padded: await tokenized(dataset, model, 'e'),
    strange: await tokenized(dataset, stranger, 'eos'),
  };
});

interface Prediction {
  readonly expected: string;
  readonly predicted: string;
  readonly logits: readonly number[];
}

async function predictions(outputs: Record<string, JsonValue>): Promise<readonly Prediction[]> {
  const text = await fileOf(outputs['predictions'], 'predictions.jsonl');
  return text
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Prediction);
}

describe('evaluate', () => {
  test("rows of fewer labels are scored, loss and all, under the model's classes", async () => {
    const outputs = await kinds.run(evaluate, { model, dataset: tokens.own });
    const rows = await predictions(outputs);
    expect(rows.map(({ expected }) => expected)).toEqual(ROWS.map(({ label }) => label));
    const losses = rows.map(({ expected, logits }) => {
      const total = logits.reduce((sum, logit) => sum + Math.exp(logit), 0);
      return Math.log(total) - (logits[LABELS.indexOf(expected)] ?? NaN);
    });
    const hits = rows.filter(({ expected, predicted }) => expected === predicted).length;
    const { loss, accuracy, examples } = outputs['metrics'] as Record<string, number>;
    expect(loss).toBeCloseTo(losses.reduce((a, b) => a + b, 0) / rows.length, 6);
    expect([accuracy, examples]).toEqual([hits / rows.length, rows.length]);
  });

  test("a text ends where the model's own pad token begins, not the dataset's", async () => {
    const [own, padded] = await Promise.all(
      [tokens.own, tokens.padded].map((dataset) => kinds.run(evaluate, { model, dataset })),
    );
    expect(await predictions(padded ?? {})).toEqual(await predictions(own ?? {}));
  });

  test('tokens of another tokenizer are refused', async () => {
    await expect(kinds.run(evaluate, { model, dataset: tokens.strange })).rejects.toMatchObject({
      type: 'InvalidInput',
      message:
        "dataset was tokenized with another tokenizer than the model's: give tokenize@1 this " +
        'model, or the one that it was trained from, as its `tokenizer`',
    });
  });
});

describe('train', () => {
  const args = { max_steps: 1 };

  test('with lora the artifact has the adapter beside the merged model, and the step says what is trained', async () => {
    const two = await kinds.run(downloadModel, {
      config: { ...CONFIG, id2label: { 0: 'a', 1: 'b' } },
      ...{ tokenizer: 'file:tokenizer', seed: 3 },
    });
    const outputs = await kinds.run(train, {
      ...{ model: two['model'] ?? '', task: 'text-classification', args },
      ...{ train_dataset: tokens.padded, lora: { r: 2, target_modules: ['c_attn'] } },
      freeze: ['score.weight'],
    });
    const config = await fileOf(outputs['model'], 'adapter/adapter_config.json');
    expect(JSON.parse(config)).toMatchObject({ r: 2, lora_alpha: 8, lora_dropout: 0 });
    expect(kinds.notes.at(-1)).toBe(
      'training 128 of 28,496 parameters (0.4 %); their gradients and moments take 1.5 KiB',
    );
  });

  test('the trained model has the pad token of its training, also in its tokenizer', async () => {
    const two = await kinds.run(downloadModel, {
      config: { ...CONFIG, id2label: { 0: 'a', 1: 'b' } },
      ...{ tokenizer: 'file:tokenizer', seed: 3 },
    });
    const outputs = await kinds.run(train, {
      ...{ model: two['model'] ?? '', task: 'text-classification', args },
      train_dataset: tokens.padded,
    });
    const [config, tokenizer] = await Promise.all(
      ['config.json', 'tokenizer_config.json'].map((name) => fileOf(outputs['model'], name)),
    );
    const ids = JSON.parse(await fileOf(model, 'tokenizer.json')) as {
      model: { vocab: Record<string, number> };
    };
    expect(JSON.parse(config ?? '')).toMatchObject({ pad_token_id: ids.model.vocab['e'] });
    expect(JSON.parse(tokenizer ?? '')).toEqual({
      ...(JSON.parse(await fileOf(model, 'tokenizer_config.json')) as JsonObject),
      pad_token: 'e',
    });
  });

  test('tokens of another tokenizer are refused', async () => {
    const inputs = { task: 'text-classification', train_dataset: tokens.strange, model, args };
    await expect(kinds.run(train, inputs)).rejects.toMatchObject({
      type: 'InvalidInput',
      message: expect.stringMatching(
        /^train_dataset was tokenized with another tokenizer/,
      ) as string,
    });
  });
});

describe('download-model', () => {
  test.each([
    [
      { config: { ...CONFIG, n_layers: 2 } },
      'InvalidInput',
      'config: unknown key "n_layers" of a gpt2: did you mean "n_layer"?',
    ],
    [
      { config: { ...CONFIG, num_labels: '3', id2label: {} } },
      'InvalidInput',
      'config: num_labels is "3": expected a whole number from 1',
    ],
  ])('%j is refused', async (inputs, type, message) => {
    const run = kinds.run(downloadModel, { ...inputs, tokenizer: 'file:tokenizer' });
    await expect(run).rejects.toMatchObject({ type, message });
  });

  test('a folder with weights of another format says which, and how to convert them', async () => {
    await cp(join(kinds.dataRoot, 'tokenizer'), join(kinds.dataRoot, 'old'), { recursive: true });
    await writeFile(join(kinds.dataRoot, 'old', 'config.json'), '{"model_type": "gpt2"}');
    await writeFile(join(kinds.dataRoot, 'old', 'pytorch_model.bin'), 'weights');
    await expect(kinds.run(downloadModel, { source: 'file:old' })).rejects.toMatchObject({
      type: 'NotFound',
      message:
        '"file:old": the model has no weights: expected model.safetensors or ' +
        'model.safetensors.index.json, found config.json, pytorch_model.bin, tokenizer.json, ' +
        'tokenizer_config.json; save pytorch_model.bin as safetensors: ' +
        'model.save_pretrained(folder) in transformers',
    });
  });
});
