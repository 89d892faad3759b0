import { cp, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { downloadModel } from '../../activities/download-model.ts';
import type { JsonObject, JsonValue } from '../../plan/json.ts';
import { PROJECT_ROOT } from '../../setup/dependencies.mjs';
import { artifactFile, readManifest } from '../../store/artifacts.ts';
import type { ArtifactDigest } from '../../store/store.ts';
import { openSafetensors, writeSafetensors } from '../../training/weights/safetensors-file.ts';
import { tensorsOf, type NamedValues } from '../training/lora/lora-fixture.ts';
import { KindRunner } from './kind-runner.ts';

const FIXTURES = join(PROJECT_ROOT, 'test/fixtures/lora');

let kinds: KindRunner;
beforeAll(async () => {
  kinds = await KindRunner.open();
  const tokenizer = join(PROJECT_ROOT, 'pipelines/data/tokenizer');
  await cp(tokenizer, join(kinds.dataRoot, 'tokenizer'), { recursive: true });
  for (const name of ['gpt2', 'bert', 'distilbert', 'roberta']) {
    const folder = join(kinds.dataRoot, name);
    await cp(tokenizer, folder, { recursive: true });
    for (const file of ['config.json', 'model.safetensors']) {
      await cp(join(FIXTURES, name, file), join(folder, file));
    }
  }
  await writeShards(join(kinds.dataRoot, 'distilbert'), join(kinds.dataRoot, 'shards'));
});

/** A copy of a model whose head and embeddings lie in one shard, and all else in another. */
async function writeShards(from: string, to: string): Promise<void> {
  await cp(from, to, { recursive: true, filter: (path) => !path.endsWith('.safetensors') });
  const file = await openSafetensors(join(from, 'model.safetensors'));
  const values = await tensorsOf(file.path);
  const shardOf = (name: string): string =>
    /classifier|embeddings/.test(name) ? 'model-00001-of-00002' : 'model-00002-of-00002';
  const map = Object.fromEntries(
    file.tensors.map(({ name }) => [name, `${shardOf(name)}.safetensors`]),
  );
  for (const shard of new Set(Object.values(map))) {
    const entries = file.tensors
      .filter(({ name }) => map[name] === shard)
      .map(({ name, shape }) => ({ name, shape, pieces: [values.get(name)!] }));
    await writeSafetensors(join(to, shard), entries);
  }
  await file.close();
  const index = JSON.stringify({ metadata: {}, weight_map: map });
  await writeFile(join(to, 'model.safetensors.index.json'), index);
}

async function pathOf(model: JsonValue | undefined, name: string): Promise<string> {
  const manifest = await readManifest(kinds.store, model as ArtifactDigest);
  return artifactFile(kinds.store, manifest, name);
}

async function configOf(model: JsonValue | undefined): Promise<JsonObject> {
  return JSON.parse(await readFile(await pathOf(model, 'config.json'), 'utf8')) as JsonObject;
}

function without(values: NamedValues, names: readonly string[]): [string, Float32Array][] {
  return [...values].filter(([name]) => !names.includes(name)).toSorted();
}

describe('config of each architecture', () => {
  test.each([
    ['bert', { hidden_size: 8, num_hidden_layers: 1, num_attention_heads: 2 }],
    ['roberta', { hidden_size: 8, num_hidden_layers: 1, num_attention_heads: 2, num_labels: 1 }],
    ['distilbert', { dim: 8, n_layers: 1, n_heads: 2, seq_classif_dropout: 0.3 }],
  ])('a fresh %s', async (modelType, fields) => {
    const config = { model_type: modelType, vocab_size: 1500, ...fields };
    const { model } = await kinds.run(downloadModel, { config, tokenizer: 'file:tokenizer' });
    const { num_labels: count, ...rest } = fields as JsonObject;
    expect(await configOf(model)).toMatchObject({
      ...rest,
      model_type: modelType,
      ...(count === 1 && { id2label: { 0: 'LABEL_0' } }),
    });
  });

  test.each([
    [
      { source: 'file:bert', config: { n_layer: 2 } },
      'config: unknown key "n_layer" of a bert: did you mean "num_hidden_layers"?',
    ],
    [
      { source: 'file:distilbert', config: { hidden_size: 8 } },
      'config: unknown key "hidden_size" of a distilbert: did you mean "dim"?',
    ],
    [
      { source: 'file:bert', config: { hiden_size: 8 } },
      'config: unknown key "hiden_size": did you mean "hidden_size"?',
    ],
  ])('%j is refused', async (inputs, message) => {
    await expect(kinds.run(downloadModel, inputs)).rejects.toMatchObject({
      type: 'InvalidInput',
      message: expect.stringContaining(message) as string,
    });
  });

  test('dropouts of a source', async () => {
    const config = { classifier_dropout: 0.2 };
    const { model } = await kinds.run(downloadModel, { source: 'file:roberta', config });
    expect(await configOf(model)).toMatchObject({ ...config, hidden_size: 12 });
  });
});

describe('ignore_mismatched_sizes', () => {
  const config = { num_labels: 5 };

  test('without it a head of another size is refused', async () => {
    await expect(kinds.run(downloadModel, { source: 'file:gpt2', config })).rejects.toMatchObject({
      type: 'InvalidInput',
      message:
        '"file:gpt2": the weights do not fit config.json: score.weight has the shape [3,12], ' +
        'expected [5,12]; use the config.json that was saved with them (num_labels must be the ' +
        "head's number of classes, or give download-model ignore_mismatched_sizes: true for a new head)",
    });
  });

  test.each([
    { name: 'gpt2', head: ['score.weight'] },
    { name: 'bert', head: ['classifier.weight', 'classifier.bias'] },
    { name: 'distilbert', head: ['classifier.weight', 'classifier.bias'] },
    { name: 'roberta', head: ['classifier.out_proj.weight', 'classifier.out_proj.bias'] },
  ])('with it only those of $name are left out', async ({ name, head }) => {
    const before = kinds.notes.length;
    const { model } = await kinds.run(downloadModel, {
      ...{ source: `file:${name}`, config, ignore_mismatched_sizes: true },
    });
    const weights = await tensorsOf(await pathOf(model, 'model.safetensors'));
    const source = await tensorsOf(join(FIXTURES, name, 'model.safetensors'));
    expect(without(weights, [])).toEqual(without(source, head));
    expect(kinds.notes.slice(before)).toEqual([
      `left out ${head.join(', ')}, of another shape than config says: train creates them anew`,
    ]);
  });

  test('of shards, one is written anew', async () => {
    const { model } = await kinds.run(downloadModel, {
      ...{ source: 'file:shards', config, ignore_mismatched_sizes: true },
    });
    const source = await tensorsOf(join(FIXTURES, 'distilbert', 'model.safetensors'));
    const first = await tensorsOf(await pathOf(model, 'model-00001-of-00002.safetensors'));
    const second = await tensorsOf(await pathOf(model, 'model-00002-of-00002.safetensors'));
    const both = new Map([...first, ...second]);
    const head = ['classifier.weight', 'classifier.bias'];
    expect(without(both, [])).toEqual(without(source, head));
    const index = await readFile(await pathOf(model, 'model.safetensors.index.json'), 'utf8');
    const { weight_map: map } = JSON.parse(index) as { weight_map: Record<string, string> };
    expect(Object.keys(map).toSorted()).toEqual([...both.keys()].toSorted());
  });

  test('a head that fits, and a body that does not', async () => {
    const fits = { source: 'file:gpt2', ignore_mismatched_sizes: true };
    const { model } = await kinds.run(downloadModel, fits);
    const weights = await tensorsOf(await pathOf(model, 'model.safetensors'));
    expect(weights).toEqual(await tensorsOf(join(FIXTURES, 'gpt2', 'model.safetensors')));
    const wider = kinds.run(downloadModel, { ...fits, config: { vocab_size: 32 } });
    await expect(wider).rejects.toMatchObject({
      message: expect.stringContaining(
        'transformer.wte.weight has the shape [31,12], expected [32,12]',
      ) as string,
    });
  });
});
