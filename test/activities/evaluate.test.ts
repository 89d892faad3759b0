import { cp, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { downloadDataset } from '../../activities/download-dataset.ts';
import { downloadModel } from '../../activities/download-model.ts';
import { evaluate } from '../../activities/evaluate.ts';
import { tokenize } from '../../activities/tokenize.ts';
import type { JsonObject, JsonValue } from '../../plan/json.ts';
import { PROJECT_ROOT } from '../../setup/dependencies.mjs';
import { artifactFile, readManifest } from '../../store/artifacts.ts';
import type { ArtifactDigest } from '../../store/store.ts';
import { KindRunner } from './kind-runner.ts';

// What a model answers decides how it is scored: one class a row is in kinds.test.ts.

/** Large enough for answers that differ. */
const CONFIG = {
  ...{ n_layer: 1, n_head: 2, n_embd: 16, n_positions: 64, vocab_size: 1500 },
  ...{ bos_token_id: 0, eos_token_id: 0, pad_token_id: 0, initializer_range: 0.5 },
};
const MODELS = {
  classes: {
    problem_type: 'multi_label_classification',
    id2label: { 0: 'left', 1: 'up', 2: 'down' },
  },
  oneClass: { id2label: { 0: 'up', 1: 'down' } },
  number: { id2label: { 0: 'stars' } },
  numbers: { id2label: { 0: 'x', 1: 'y' }, problem_type: 'regression' },
  language: { architectures: ['GPT2LMHeadModel'] },
};
const ROWS = [
  { text: 'what a great day', way: ['up', 'left'], side: 'up', stars: 4.5, x: 0.5, y: -1 },
  { text: 'this is awful', way: [], side: 'down', stars: 1, x: 1.25, y: 2 },
  { text: 'I love it', way: ['up'], side: 'up', stars: 5, x: 0, y: 0.5 },
];
const DATASETS = {
  classes: { label: 'way' },
  oneClass: { label: 'side' },
  number: { label: 'stars', label_kind: 'number' },
  numbers: { label: ['x', 'y'], label_kind: 'number' },
  texts: {},
};

let kinds: KindRunner;
let models: Record<keyof typeof MODELS, JsonValue>;
let tokens: Record<keyof typeof DATASETS, JsonValue>;

async function tokenized(rows: readonly JsonObject[], columns: JsonObject): Promise<JsonValue> {
  const lines = rows.map((row) => `${JSON.stringify(row)}\n`);
  await writeFile(join(kinds.dataRoot, 'rows.jsonl'), lines.join(''));
  const data = await kinds.run(downloadDataset, { source: 'file:rows.jsonl', ...columns });
  const outputs = await kinds.run(tokenize, {
    ...{ dataset: data['dataset'] ?? '', tokenizer: models.oneClass, pad_token: 'eos' },
  });
  return outputs['dataset'] ?? '';
}

async function mapped<K extends string>(
  given: Readonly<Record<K, JsonObject>>,
  make: (value: JsonObject) => Promise<JsonValue>,
): Promise<Record<K, JsonValue>> {
  const made: Record<string, JsonValue> = {};
  for (const [name, value] of Object.entries<JsonObject>(given)) made[name] = await make(value);
  return made;
}

beforeAll(async () => {
  kinds = await KindRunner.open();
  const tokenizer = join(kinds.dataRoot, 'tokenizer');
  await cp(join(PROJECT_ROOT, 'pipelines/data/tokenizer'), tokenizer, { recursive: true });
  models = await mapped(MODELS, async (fields) => {
    const inputs = { config: { ...CONFIG, ...fields }, tokenizer: 'file:tokenizer', seed: 3 };
    return (await kinds.run(downloadModel, inputs))['model'] ?? '';
  });
  tokens = await mapped(DATASETS, (columns) => tokenized(ROWS, columns));
});

interface Scored {
  readonly metrics: Record<string, number>;
  readonly report: JsonObject;
  readonly predictions: readonly JsonObject[];
}

async function score(
  model: keyof typeof MODELS,
  dataset: JsonValue,
  inputs: JsonObject = {},
): Promise<Scored> {
  const outputs = await kinds.run(evaluate, { model: models[model], dataset, ...inputs });
  const fileOf = async (output: string, name: string): Promise<string> => {
    const manifest = await readManifest(kinds.store, outputs[output] as ArtifactDigest);
    return readFile(await artifactFile(kinds.store, manifest, name), 'utf8');
  };
  const lines = (await fileOf('predictions', 'predictions.jsonl')).split('\n');
  return {
    metrics: outputs['metrics'] as Record<string, number>,
    report: JSON.parse(await fileOf('report', 'report.json')) as JsonObject,
    predictions: lines.filter(Boolean).map((line) => JSON.parse(line) as JsonObject),
  };
}

const mean = (values: readonly number[]): number =>
  values.reduce((sum, value) => sum + value, 0) / values.length;

test('several classes a row, by name where the model has them in another order', async () => {
  const { metrics, report, predictions } = await score('classes', tokens.classes);
  expect(predictions.map(({ expected }) => expected)).toEqual([['left', 'up'], [], ['up']]);
  const names = ['left', 'up', 'down'];
  const cells = predictions.flatMap(({ expected, predicted, logits }) =>
    names.map((name, i) => {
      const x = (logits as number[])[i] ?? NaN;
      expect((predicted as string[]).includes(name)).toBe(x > 0);
      return { x, y: (expected as string[]).includes(name) };
    }),
  );
  const losses = cells.map(({ x, y }) => Math.log1p(Math.exp(y ? -x : x)));
  const right = cells.filter(({ x, y }) => x > 0 && y).length;
  const wrong = cells.filter(({ x, y }) => x > 0 !== y).length;
  const exact = predictions.filter(
    ({ expected, predicted }) => JSON.stringify(predicted) === JSON.stringify(expected),
  );
  expect(metrics).toEqual({
    ...{ accuracy: exact.length / 3, f1_micro: (2 * right) / (2 * right + wrong), examples: 3 },
    loss: expect.closeTo(mean(losses), 6) as number,
  });
  expect(report).toEqual(metrics);
});

test.each([
  { model: 'number' as const, expected: [[4.5], [1], [5]] },
  {
    model: 'numbers' as const,
    expected: [
      [0.5, -1],
      [1.25, 2],
      [0, 0.5],
    ],
  },
])('$model: mean squared and absolute errors', async ({ model, expected }) => {
  const { metrics, report, predictions } = await score(model, tokens[model]);
  expect(predictions.map((row) => row['expected'])).toEqual(expected);
  const distances = predictions.flatMap(({ predicted }, row) =>
    (predicted as number[]).map((x, i) => x - (expected[row]?.[i] ?? NaN)),
  );
  const mse = expect.closeTo(mean(distances.map((d) => d * d)), 6) as number;
  const mae = expect.closeTo(mean(distances.map(Math.abs)), 6) as number;
  expect(metrics).toEqual({ mse, mae, loss: mse, examples: 3 });
  expect(report).toEqual(metrics);
});

test('a language model: perplexity over every token but the first of each row', async () => {
  const { metrics, report, predictions } = await score('language', tokens.texts);
  const manifest = await readManifest(kinds.store, tokens.texts as ArtifactDigest);
  const { tokens: all } = manifest.metadata as { tokens: number };
  const { loss = NaN } = metrics;
  expect(metrics).toEqual({ loss, perplexity: Math.exp(loss), tokens: all - ROWS.length });
  expect(loss).toBeGreaterThan(0);
  expect(report).toEqual(metrics);
  expect(predictions).toEqual([]);
});

test('only the wanted metrics, with the facts beside them', async () => {
  const { metrics, report } = await score('number', tokens.number, { metrics: ['mae'] });
  expect(Object.keys(metrics)).toEqual(['mae', 'examples']);
  expect(Object.keys(report)).toEqual(['examples', 'mse', 'mae', 'loss']);
});

describe('what does not fit the model is refused', () => {
  test.each<{
    model: keyof typeof MODELS;
    dataset: keyof typeof DATASETS;
    inputs?: JsonObject;
    message: string;
  }>([
    {
      ...{ model: 'classes', dataset: 'oneClass' },
      message:
        "dataset has no lists of classes to compare the model's answers with: give " +
        'download-dataset a label column and label_kind: classes',
    },
    {
      ...{ model: 'classes', dataset: 'numbers' },
      message:
        "dataset has no lists of classes to compare the model's answers with: give " +
        'download-dataset a label column and label_kind: classes',
    },
    {
      ...{ model: 'number', dataset: 'oneClass' },
      message:
        "dataset has no numbers to compare the model's answers with: give download-dataset a " +
        'label column and label_kind: number',
    },
    {
      ...{ model: 'number', dataset: 'numbers' },
      message:
        'dataset has 2 numbers a row, and the model answers 1 number: name the columns that it ' +
        "was trained on in download-dataset's `label`",
    },
    {
      ...{ model: 'oneClass', dataset: 'classes' },
      message:
        'dataset has several classes or numbers a row, and the model tells one class: give ' +
        'download-dataset a label column and label_kind: class',
    },
    {
      ...{ model: 'oneClass', dataset: 'texts' },
      message:
        "dataset has no labels to compare with: name the label column in download-dataset's `label`",
    },
    {
      ...{ model: 'numbers', dataset: 'numbers', inputs: { metrics: ['mse', 'accuracy'] } },
      message: 'metrics: this model has no accuracy; its scores are mse, mae, loss',
    },
    {
      ...{ model: 'language', dataset: 'texts', inputs: { metrics: ['f1_macro'] } },
      message: 'metrics: this model has no f1_macro; its scores are loss, perplexity',
    },
  ])('$model on $dataset: $message', async ({ model, dataset, inputs, message }) => {
    await expect(score(model, tokens[dataset], inputs)).rejects.toMatchObject({
      type: 'InvalidInput',
      message,
    });
  });

  test('a class that the model does not have', async () => {
    const dataset = await tokenized([...ROWS, { text: 'so so', way: ['back'] }], { label: 'way' });
    await expect(score('classes', dataset)).rejects.toMatchObject({
      type: 'InvalidInput',
      message:
        "row train-3 has the label 'back', which the model does not know (it knows left, up, " +
        'down): evaluate on rows with the labels it was trained on, or name its classes by ' +
        "id2label in download-model's `config`",
    });
  });

  test('texts of a token each, which leave nothing to predict', async () => {
    const dataset = await tokenized([{ text: 'e' }], {});
    await expect(score('language', dataset)).rejects.toMatchObject({
      type: 'InvalidInput',
      message:
        'dataset has no token to predict: each row has at most one token, or is a prompt alone; ' +
        'give longer texts, or completions',
    });
  });
});
