import { cp, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { downloadDataset } from '../../activities/download-dataset.ts';
import { downloadModel } from '../../activities/download-model.ts';
import { evaluate } from '../../activities/evaluate.ts';
import { tokenize } from '../../activities/tokenize.ts';
import { train } from '../../activities/train.ts';
import type { JsonObject, JsonValue } from '../../plan/json.ts';
import { PROJECT_ROOT } from '../../setup/dependencies.mjs';
import { readManifest } from '../../store/artifacts.ts';
import type { ArtifactDigest } from '../../store/store.ts';
import { KindRunner } from './kind-runner.ts';

const WORDS = ['[PAD]', '[UNK]', 'good', 'fine', 'bad', 'awful', 'a', 'day', 'it', 'is'];
const TOKENIZER = {
  version: '1.0',
  truncation: null,
  padding: null,
  added_tokens: ['[PAD]', '[UNK]'].map((content, id) => ({
    ...{ id, content, single_word: false, lstrip: false, rstrip: false, normalized: false },
    special: true,
  })),
  normalizer: null,
  pre_tokenizer: { type: 'Whitespace' },
  post_processor: null,
  decoder: null,
  model: {
    type: 'WordLevel',
    vocab: Object.fromEntries(WORDS.map((word, id) => [word, id])),
    unk_token: '[UNK]',
  },
};
const ROWS = ['good', 'bad', 'fine', 'awful'].flatMap((word, i) =>
  ['it is a % day', 'a % day', '%', 'is it %'].map((text) => ({
    text: text.replace('%', word),
    label: i % 2 === 0 ? 'positive' : i === 1 ? 'negative' : 'terrible',
  })),
);

let kinds: KindRunner;

beforeAll(async () => {
  kinds = await KindRunner.open();
  const inRoot = (...path: string[]): string => join(kinds.dataRoot, ...path);
  const exported = join(PROJECT_ROOT, 'test/fixtures/onnx/distilbert-torchscript17-dynamic.onnx');
  for (const folder of ['words', 'exported', 'several']) await mkdir(inRoot(folder));
  for (const folder of ['words', 'exported']) {
    await writeFile(inRoot(folder, 'tokenizer.json'), JSON.stringify(TOKENIZER));
    await writeFile(inRoot(folder, 'tokenizer_config.json'), '{"pad_token": "[PAD]"}');
  }
  await cp(exported, inRoot('exported', 'model.onnx'));
  await writeFile(
    inRoot('exported', 'config.json'),
    '{"model_type": "distilbert", "num_labels": 3}',
  );
  await cp(exported, inRoot('classifier.onnx'));
  await writeFile(inRoot('several', 'config.json'), '{}');
  for (const name of ['a.onnx', 'b.onnx']) await cp(exported, inRoot('several', name));
  await writeFile(inRoot('broken.onnx'), 'version https://git-lfs.github.com/spec/v1\n');
  await writeFile(inRoot('rows.jsonl'), ROWS.map((row) => `${JSON.stringify(row)}\n`).join(''));
});

async function filesOf(artifact: JsonValue | undefined): Promise<readonly string[]> {
  const { files } = await readManifest(kinds.store, artifact as ArtifactDigest);
  return files.map(({ path }) => path).sort();
}

const FILES = ['config.json', 'model.onnx', 'tokenizer.json', 'tokenizer_config.json'];

const LABELS = { id2label: { 0: 'negative', 1: 'positive', 2: 'terrible' } };

test('a classifier in a file is downloaded, fine-tuned and evaluated', async () => {
  const inputs = { source: 'file:classifier.onnx', tokenizer: 'file:words', config: LABELS };
  const { model = '', parameters } = await kinds.run(downloadModel, inputs);
  expect(await filesOf(model)).toEqual(FILES);
  expect(parameters).toBe(2171);
  const { dataset = '' } = await kinds.run(downloadDataset, {
    ...{ source: 'file:rows.jsonl', label: 'label' },
  });
  const { dataset: tokens = '' } = await kinds.run(tokenize, {
    ...{ dataset, tokenizer: model, max_length: 16 },
  });
  const trained = await kinds.run(train, {
    ...{ model, task: 'text-classification', train_dataset: tokens },
    args: { num_train_epochs: 12, per_device_train_batch_size: 4, learning_rate: 0.01 },
  });
  expect(await filesOf(trained['model'])).toEqual(FILES);
  const scored = await kinds.run(evaluate, { model: trained['model'] ?? '', dataset: tokens });
  expect(scored['metrics']).toMatchObject({ accuracy: 1, examples: ROWS.length });
});

test('a classifier in a folder is downloaded with its own config.json and tokenizer', async () => {
  const { model, parameters } = await kinds.run(downloadModel, { source: 'file:exported' });
  expect(await filesOf(model)).toEqual(FILES);
  expect(parameters).toBe(2171);
});

test.each<{ name: string; inputs: JsonObject; type: string; message: string }>([
  {
    name: 'a file without a tokenizer',
    inputs: { source: 'file:classifier.onnx' },
    type: 'NotFound',
    message:
      '"file:classifier.onnx" is a graph without a tokenizer: give tokenizer, a file: or hf:// source of ' +
      'the tokenizer.json of the model that was exported',
  },
  {
    name: 'a folder of several graphs',
    inputs: { source: 'file:several' },
    type: 'NotFound',
    message:
      '"file:several" has a.onnx, b.onnx, and which of them to take is not told: name the folder of one ' +
      'whose file is model.onnx, or the file itself (file:.../a.onnx)',
  },
  {
    name: 'what is no ONNX file',
    inputs: { source: 'file:broken.onnx', tokenizer: 'file:words' },
    type: 'InvalidInput',
    message:
      '"file:broken.onnx": the ONNX file is not an ONNX model: its bytes are no ModelProto; check that it ' +
      'was downloaded whole',
  },
  {
    name: 'another number of classes',
    inputs: { source: 'file:exported', config: { num_labels: 2 } },
    type: 'InvalidInput',
    message:
      '"file:exported": the ONNX file has logits of 3 classes, and its config.json says 2; it keeps its ' +
      'head: give download-model config: { num_labels: 3 }, or the Hugging Face folder',
  },
  {
    name: 'a key that would change the graph',
    inputs: { source: 'file:exported', config: { attn_pdrop: 0.1 } },
    type: 'InvalidInput',
    message:
      'config: attn_pdrop cannot change "file:exported": its graph is what was exported; the keys that ' +
      'can be given are num_labels, id2label, label2id, problem_type, pad_token_id',
  },
])('$name is refused', async ({ inputs, type, message }) => {
  await expect(kinds.run(downloadModel, inputs)).rejects.toMatchObject({ type, message });
});
