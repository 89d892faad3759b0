import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { trainedConfigJson } from '../../../training/weights/model-config.ts';
import { readConfig, weightFiles } from '../../../training/weights/model-files.ts';
import { writeSafetensors } from '../../../training/weights/safetensors-file.ts';
import { loadWeights, type WeightSpec } from '../../../training/weights/weight-loading.ts';

let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'weights-'));
});
afterAll(() => rm(folder, { recursive: true }));

const spec = (name: string, shape: readonly number[]): WeightSpec => ({
  name,
  shape,
  initializer: { kind: 'normal', std: 0.02 },
});
const SPECS = [
  spec('transformer.wte.weight', [2, 2]),
  spec('transformer.ln_f.bias', [2]),
  spec('score.weight', [3, 2]),
];

type Tensors = { readonly [name: string]: readonly number[] };

async function write(name: string, tensors: Tensors, shapes: Record<string, number[]> = {}) {
  const file = path.join(folder, name);
  const entries = Object.entries(tensors).map(([tensor, values]) => ({
    name: tensor,
    shape: shapes[tensor] ?? (values.length === 2 ? [2] : [values.length / 2, 2]),
    pieces: [Float32Array.from(values)],
  }));
  await writeSafetensors(file, entries);
  return file;
}

async function load(...files: readonly string[]) {
  const memory = new Map(
    SPECS.map(({ name, shape }) => [name, new Float32Array(shape.reduce((a, b) => a * b))]),
  );
  const created = await loadWeights({
    files,
    specs: SPECS,
    target: ({ name }) => memory.get(name)!,
    basePrefix: 'transformer.',
    mayLack: ['score.weight'],
    knownExtras: /(^|\.)(attn\.bias|lm_head\.weight)$/,
    seed: 42,
  });
  return { created, memory };
}

const score = [1, 2, 3, 4, 5, 6];

test('reads names with and without the prefix, from several files, past known buffers', async () => {
  const first = await write('first', { 'wte.weight': [1, 2, 3, 4], 'h.0.attn.bias': [0, 0] });
  const second = await write('second', {
    'transformer.ln_f.bias': [5, 6],
    'lm_head.weight': [0, 0],
    'score.weight': score,
  });
  const { created, memory } = await load(first, second);
  expect(created).toEqual([]);
  expect([...memory.values()].flatMap((values) => [...values])).toEqual([
    1,
    2,
    3,
    4,
    5,
    6,
    ...score,
  ]);
});

test('creates a missing head from the seed, and says so', async () => {
  const file = await write('base', { 'wte.weight': [1, 2, 3, 4], 'ln_f.bias': [5, 6] });
  const { created, memory } = await load(file);
  expect(created).toEqual(['score.weight']);
  const again = await load(file);
  expect(again.memory).toEqual(memory);
  expect(new Set(memory.get('score.weight')).size).toBe(6);
});

test('lists everything that does not fit', async () => {
  const file = await write('wrong', {
    'wte.weight': [1, 2],
    'h.9.mlp.weight': [5, 6],
    'score.weight': [1, 2, 3, 4],
  });
  await expect(load(file)).rejects.toMatchObject({
    type: 'InvalidInput',
    message:
      'the weights do not fit config.json: transformer.wte.weight has the shape [2], expected [2,2]; ' +
      'transformer.ln_f.bias is missing; score.weight has the shape [2,2], expected [3,2]; ' +
      "h.9.mlp.weight is unexpected; use the config.json that was saved with them (num_labels must be the head's number of classes, or give download-model ignore_mismatched_sizes: true for a new head)",
  });
});

test('finds the shards that an index names', async () => {
  const index = path.join(folder, 'index.json');
  await writeFile(index, JSON.stringify({ weight_map: { b: 's2', a: 's1', c: 's2' } }));
  const files = { 'model.safetensors.index.json': index, s1: '/blobs/1', s2: '/blobs/2' };
  expect(await weightFiles(files)).toEqual(['/blobs/1', '/blobs/2']);
  const { s2, ...incomplete } = files;
  await expect(weightFiles(incomplete)).rejects.toMatchObject({
    type: 'NotFound',
    message:
      'the model has no file s2, which its model.safetensors.index.json names; download the model again',
  });
});

test.each([
  {
    act: () => weightFiles({ 'config.json': '/c', 'pytorch_model.bin': '/b' }),
    type: 'NotFound',
    message:
      'the model has no weights: expected model.safetensors or model.safetensors.index.json, found config.json, pytorch_model.bin; ' +
      'save pytorch_model.bin as safetensors: model.save_pretrained(folder) in transformers',
  },
  {
    act: () => weightFiles({}),
    type: 'NotFound',
    message:
      'the model has no weights: expected model.safetensors or model.safetensors.index.json, found no files at all; ' +
      'download the model again, with its weights',
  },
  {
    act: () => readConfig({ 'tokenizer.json': '/t' }),
    type: 'NotFound',
    message:
      'the model has no config.json: found tokenizer.json; expected a Hugging Face directory with config.json, model.safetensors and tokenizer.json',
  },
  {
    act: () => readConfig({ 'config.json': import.meta.filename }),
    type: 'InvalidInput',
    message: 'config.json is not JSON; download the model again',
  },
])('says what a model lacks: $message', async ({ act, type, message }) => {
  await expect(act()).rejects.toMatchObject({ type, message });
});

test('config.json keeps what it does not know and names labels and pad token', () => {
  const original = { vocab_size: 5, custom: { b: 1, a: 2 }, num_labels: 2, torch_dtype: 'float16' };
  const json = trainedConfigJson(original, {
    architecture: 'GPT2ForSequenceClassification',
    classes: {
      labels: ['negative', 'neutral', 'positive'],
      problemType: 'single_label_classification',
    },
    padTokenId: 4,
  });
  expect(json).toBe(`{
  "architectures": [
    "GPT2ForSequenceClassification"
  ],
  "custom": {
    "a": 2,
    "b": 1
  },
  "dtype": "float32",
  "id2label": {
    "0": "negative",
    "1": "neutral",
    "2": "positive"
  },
  "label2id": {
    "negative": 0,
    "neutral": 1,
    "positive": 2
  },
  "pad_token_id": 4,
  "problem_type": "single_label_classification",
  "vocab_size": 5
}
`);
});
