import { cp, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, beforeEach, expect, test } from 'vitest';
import { catalog, type AnyStep } from '../../activities/catalog.ts';
import type { JsonObject, JsonValue } from '../../plan/json.ts';
import { PROJECT_ROOT } from '../../setup/dependencies.mjs';
import { artifactFile, readManifest } from '../../store/artifacts.ts';
import type { ArtifactDigest } from '../../store/store.ts';
import { pruneCheckpoints } from '../../training/checkpoints/checkpoint-store.ts';
import { KindRunner } from './kind-runner.ts';

// What train@1 does with its inputs, on real short messages in three classes.

let kinds: KindRunner;
let inputs: JsonObject;

const run = (kind: string, given: JsonObject): Promise<Record<string, JsonValue>> =>
  kinds.run(catalog.find((step) => step.kind === kind) as AnyStep, given);

async function tokens(dataset: JsonValue, model: JsonValue, rows: JsonObject): Promise<JsonValue> {
  const subset = await run('subset', { dataset, shuffle_seed: 42, split: 'train', ...rows });
  const tokenizing = { max_length: 32, pad_token: 'eos', tokenizer: model };
  const tokenized = await run('tokenize', { dataset: subset['dataset'] ?? '', ...tokenizing });
  return tokenized['dataset'] ?? '';
}

beforeAll(async () => {
  kinds = await KindRunner.open();
  await cp(join(PROJECT_ROOT, 'pipelines/data'), kinds.dataRoot, { recursive: true });
  const columns = { text: 'text', label: 'label', id: 'id' };
  const data = await run('download-dataset', { source: 'file:messages', ...columns });
  const size = { n_layer: 1, n_head: 2, n_embd: 16, n_positions: 32, vocab_size: 1500 };
  const ends = { bos_token_id: 0, eos_token_id: 0, num_labels: 3 };
  const base = await run('download-model', {
    ...{ config: { ...size, ...ends }, tokenizer: 'file:tokenizer', seed: 42 },
  });
  const [dataset, model] = [data['dataset'] ?? '', base['model'] ?? ''];
  inputs = {
    ...{ model, task: 'text-classification' },
    train_dataset: await tokens(dataset, model, { take: 300 }),
    eval_dataset: await tokens(dataset, model, { skip: 300, take: 60 }),
    other: await tokens(dataset, model, { skip: 400, take: 50 }),
  };
});

beforeEach(async () => {
  kinds.notes.length = 0;
  // The runner gives every step of a kind the same fingerprint.
  await pruneCheckpoints(kinds.store, 'train');
});

const ARGS = { per_device_train_batch_size: 4, learning_rate: 3e-3, max_steps: 20 };

async function trained(given: JsonObject): Promise<Record<string, JsonValue>> {
  const { other: _, ...shared } = inputs;
  return run('train', { ...shared, args: ARGS, ...given });
}

async function historyOf(outputs: Record<string, JsonValue>): Promise<readonly JsonObject[]> {
  const manifest = await readManifest(kinds.store, outputs['history'] as ArtifactDigest);
  const text = await readFile(await artifactFile(kinds.store, manifest, 'history.jsonl'), 'utf8');
  return text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as JsonObject);
}

test('one message a step, for 300 steps: the guard lets it be', async () => {
  const args = { per_device_train_batch_size: 1, learning_rate: 5e-3, num_train_epochs: 1 };
  const outputs = await trained({ args });
  const history = await historyOf(outputs);
  expect(history.filter((row) => 'loss' in row)).toHaveLength(30);
  expect(history.at(-1)?.['step']).toBe(300);
});

test('metrics have the share of padding, the history that of each row', async () => {
  const outputs = await trained({});
  expect(Object.keys(outputs['metrics'] as JsonObject)).toEqual([
    ...['train_loss', 'padding_fraction', 'eval_loss', 'eval_accuracy'],
  ]);
  const { padding_fraction: padding } = outputs['metrics'] as Record<string, number>;
  const rows = (await historyOf(outputs)).filter((row) => 'loss' in row);
  expect(rows.map((row) => typeof row['padding'])).toEqual(['number', 'number']);
  expect(padding).toBeGreaterThanOrEqual(Math.min(...rows.map((row) => Number(row['padding']))));
  expect(padding).toBeLessThanOrEqual(Math.max(...rows.map((row) => Number(row['padding']))));
});

test('a verdict that calls for something is a note', async () => {
  const args = { ...ARGS, learning_rate: 0, max_steps: 40 };
  const outputs = await trained({ args });
  expect(outputs['verdict']).toBe('underfit');
  const reasons = (outputs['verdict_reasons'] as string[]).join('; ');
  expect(kinds.notes.at(-1)).toBe(`underfit: ${reasons}`);
});

test('a learning rate far too high fails with what to do, and says which rows', async () => {
  const args = { ...ARGS, learning_rate: 1e3, max_steps: 60 };
  await expect(trained({ args, divergence: { patience: 8 } })).rejects.toMatchObject({
    type: 'Diverged',
    message: expect.stringMatching(
      /^the loss is [\d.e+]+ at optimizer step \d+, on the rows .+, and has been above [\d.]+ for 8 optimizer steps, with learning_rate 1000; lower learning_rate/,
    ) as string,
  });
  const outputs = await trained({ args: { ...args, max_steps: 20 }, divergence: 'off' });
  expect(outputs['best_step']).toBeGreaterThan(0);
});

test('early stopping, the best model, another optimizer and weights of classes', async () => {
  const args = {
    ...{ ...ARGS, max_steps: 200, eval_strategy: 'steps', eval_steps: 10 },
    ...{ load_best_model_at_end: true, metric_for_best_model: 'accuracy', optim: 'adafactor' },
  };
  const stopping = { early_stopping: { patience: 2 }, class_weights: 'balanced' };
  const outputs = await trained({ args, ...stopping });
  const evaluations = (await historyOf(outputs)).filter((row) => 'eval_loss' in row);
  const steps = evaluations.map((row) => Number(row['step']));
  const best = evaluations.find(({ step }) => step === outputs['best_step']);
  expect(steps.at(-1)).toBe(Number(outputs['best_step']) + 20);
  expect((outputs['metrics'] as JsonObject)['eval_accuracy']).toBe(best?.['eval_accuracy']);
  expect(Math.max(...evaluations.map((row) => Number(row['eval_accuracy'])))).toBe(
    best?.['eval_accuracy'],
  );
});

test('replay makes an epoch longer by its share of rows', async () => {
  const args = { ...ARGS, max_steps: -1, num_train_epochs: 1, logging_steps: 1000 };
  const replay = { dataset: inputs['other'] ?? '', fraction: 0.25 };
  const outputs = await trained({ args, replay });
  // 300 rows, and 100 of the 50 others: each twice.
  expect((await historyOf(outputs)).at(-1)?.['step']).toBe(100);
});

test.each([
  {
    given: { class_weights: { positive: 2, negativ: 1 } },
    message:
      'class_weights has a weight for "negativ", which is no label; give one for each of negative, neutral, positive',
  },
  {
    given: { class_weights: [1, 2] },
    message:
      'class_weights has 2 weights, and the dataset 3 labels (negative, neutral, positive); give one a label, in this order',
  },
])('refuses $given', async ({ given, message }) => {
  await expect(trained(given)).rejects.toMatchObject({ type: 'InvalidInput', message });
});

test('a model tuned on messages has their chat template', async () => {
  const chat = [
    { role: 'user', content: 'how was it' },
    { role: 'assistant', content: 'it was great' },
  ];
  await writeFile(join(kinds.dataRoot, 'chat.jsonl'), `${JSON.stringify({ chat })}\n`);
  const data = await run('download-dataset', { source: 'file:chat.jsonl', messages: 'chat' });
  const template =
    "{% for message in messages %}{{ message['role'] }}: {{ message['content'] }} {% endfor %}" +
    '{% if add_generation_prompt %}assistant: {% endif %}';
  const tokenizing = { dataset: data['dataset'] ?? '', tokenizer: inputs['model'] ?? '' };
  const tokenized = await run('tokenize', { ...tokenizing, chat_template: template });
  const { model } = await run('train', {
    ...{ model: inputs['model'] ?? '', task: 'causal-lm', args: { max_steps: 1 } },
    train_dataset: tokenized['dataset'] ?? '',
  });
  const manifest = await readManifest(kinds.store, model as ArtifactDigest, 'model');
  const path = await artifactFile(kinds.store, manifest, 'chat_template.jinja');
  expect(await readFile(path, 'utf8')).toBe(template);
});
