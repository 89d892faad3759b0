import { copyFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { catalog, type AnyStep } from '../../activities/catalog.ts';
import type { JsonObject, JsonValue } from '../../plan/json.ts';
import { PROJECT_ROOT } from '../../setup/dependencies.mjs';
import { readManifest } from '../../store/artifacts.ts';
import type { ArtifactDigest } from '../../store/store.ts';
import { KindRunner } from './kind-runner.ts';

// What each kind makes of fixed input. Whoever changes one of these numbers has changed what a kind
// gives for equal inputs: the kind's `revision` has to be raised, or results of the old code stay in
// every cache. What the last bits of floating-point sums decide differs among processors: of that,
// rounded numbers are compared.

const TEXTS = ['good', 'fine day', 'bad', 'so bad', 'a good one', 'not bad', 'awful', 'great'];
const LABELS = ['up', 'up', 'down', 'down', 'up', 'up', 'down', 'up'];

const rounded = (value: JsonValue | undefined): JsonValue =>
  Object.fromEntries(
    Object.entries(value as Record<string, number>).map(([key, x]) => [key, Number(x.toFixed(4))]),
  );

test('each kind gives what its revision gave', async () => {
  const kinds = await KindRunner.open();
  const rows = TEXTS.map((text, row) => JSON.stringify({ text, label: LABELS[row] }));
  await writeFile(join(kinds.dataRoot, 'rows.jsonl'), `${rows.join('\n')}\n`);
  const tokenizer = join(PROJECT_ROOT, 'pipelines/data/tokenizer/tokenizer.json');
  await copyFile(tokenizer, join(kinds.dataRoot, 'tokenizer.json'));
  const found: Record<string, JsonValue> = {};
  const run = async (name: string, inputs: JsonObject): Promise<Record<string, JsonValue>> => {
    const step = catalog.find(({ kind }) => kind === name) as AnyStep;
    const outputs = await kinds.run(step, inputs);
    const key = `${name}@${step.version}, revision ${step.revision}`;
    found[key] = name === 'train' || name === 'evaluate' ? rounded(outputs['metrics']) : outputs;
    return outputs;
  };
  const filesOf = async (artifact: JsonValue | undefined): Promise<readonly string[]> =>
    (await readManifest(kinds.store, artifact as ArtifactDigest)).files.map(({ path }) => path);

  const data = await run('download-dataset', { source: 'file:rows.jsonl', label: 'label' });
  const base = await run('download-model', {
    config: { n_layer: 1, n_head: 2, n_embd: 16, n_positions: 32, vocab_size: 1500, num_labels: 2 },
    ...{ tokenizer: 'file:tokenizer.json', seed: 5 },
  });
  const subset = await run('subset', {
    ...{ dataset: data['dataset'] ?? '', shuffle_seed: 42, skip: 1, take: 6 },
  });
  const tokens = await run('tokenize', {
    ...{ dataset: subset['dataset'] ?? '', tokenizer: base['model'] ?? '' },
    ...{ max_length: 8, pad_token: '<|endoftext|>' },
  });
  const tuned = await run('train', {
    ...{ model: base['model'] ?? '', task: 'text-classification' },
    ...{ train_dataset: tokens['dataset'] ?? '', eval_dataset: tokens['dataset'] ?? '' },
    args: { per_device_train_batch_size: 2, learning_rate: 0.01, num_train_epochs: 5 },
  });
  await run('select', {
    ...{ from: [{ rows: 2 }, subset, {}], by: 'rows', matrix: [{ x: 1 }, { x: 2 }, { x: 3 }] },
  });
  const score = await run('evaluate', {
    ...{ model: tuned['model'] ?? '', dataset: tokens['dataset'] ?? '' },
  });
  expect(await filesOf(tuned['model'])).toEqual([
    ...['config.json', 'model.safetensors', 'tokenizer.json', 'tokenizer_config.json'],
  ]);
  expect(await filesOf(score['report'])).toEqual(['report.json']);
  expect(found).toMatchSnapshot();
});
