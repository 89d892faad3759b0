import { readdir, readFile, rm } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { describe, expect, onTestFinished, test } from 'vitest';
import { trainingArgumentsSchema } from '../../../training/arguments.ts';
import { evaluate } from '../../../training/evaluate.ts';
import { train } from '../../../training/train.ts';
import { readConfig, weightFiles, type ModelFiles } from '../../../training/weights/model-files.ts';
import { openSafetensors } from '../../../training/weights/safetensors-file.ts';
import { relativeDeviation } from '../graph/evaluation.ts';
import { temporaryFolder } from '../loop/small-training.ts';
import { readModelFixture, rowsOf } from '../models/model-fixture.ts';
import { TOLERANCE } from '../models/model-run.ts';

const folder = fileURLToPath(new URL('../../fixtures/half-weights/', import.meta.url));

async function filesOf(name: string): Promise<ModelFiles> {
  const names = await readdir(`${folder}${name}`);
  return Object.fromEntries(names.map((file) => [file, `${folder}${name}/${file}`]));
}

interface Stored {
  readonly dtype: string;
  readonly values: Float32Array;
}

async function tensorsOf(files: ModelFiles): Promise<ReadonlyMap<string, Stored>> {
  const stored = new Map<string, Stored>();
  for (const path of await weightFiles(files)) {
    const file = await openSafetensors(path);
    for (const tensor of file.tensors) {
      const elements = tensor.shape.reduce((product, axis) => product * axis, 1);
      const values = new Float32Array(elements);
      await file.read(tensor, values);
      stored.set(tensor.name, { dtype: tensor.dtype, values });
    }
    await file.close();
  }
  return stored;
}

describe.each([
  { name: 'bert', dtype: 'BF16', shards: 3 },
  { name: 'distilbert', dtype: 'F16', shards: 1 },
  { name: 'roberta', dtype: 'BF16', shards: 1 },
])('$name as transformers saves it: $dtype in $shards files', async ({ name, dtype, shards }) => {
  const files = await filesOf(name);
  const { examples } = await readModelFixture(`${name}-reference`);
  const labels = Int32Array.from(examples, ({ label }) => label);
  const rows = { ...rowsOf(examples), labels };

  test('logits are those of torch with the rounded weights', async () => {
    expect(await weightFiles(files)).toHaveLength(shards);
    const { pad_token_id: padTokenId } = await readConfig(files);
    const answers = await evaluate({
      ...{ modelFiles: files, rows, padTokenId: Number(padTokenId), threads: 1 },
    });
    if (answers.task !== 'text-classification') throw new Error('not a classifier');
    const expected = JSON.parse(
      await readFile(`${folder}${name}/logits.json`, 'utf8'),
    ) as number[][];
    expect(relativeDeviation(answers.logits.logits, expected.flat())).toBeLessThan(
      TOLERANCE.logits,
    );
  });

  test('a training of learning rate 0 writes the same numbers as float32, in one file', async () => {
    const outputDirectory = await temporaryFolder();
    onTestFinished(() => rm(outputDirectory, { recursive: true }));
    const config = await readConfig(files);
    const { modelFiles } = await train({
      ...{ modelFiles: files, trainRows: rows, labels: null, outputDirectory, threads: 1 },
      padTokenId: Number(config['pad_token_id']),
      args: trainingArgumentsSchema.parse({ learning_rate: 0, max_steps: 1 }),
    });
    expect(await readConfig(modelFiles)).toMatchObject({ dtype: 'float32' });
    expect(Object.keys(modelFiles).toSorted()).toEqual(['config.json', 'model.safetensors']);
    const [half, full] = [await tensorsOf(files), await tensorsOf(modelFiles)];
    expect(new Set([...half.values()].map((tensor) => tensor.dtype))).toEqual(new Set([dtype]));
    for (const [tensor, { values }] of half) {
      expect([tensor, full.get(tensor)]).toEqual([tensor, { dtype: 'F32', values }]);
    }
    expect(full.size).toBe(half.size);
  });
});
