import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { readConfig } from '../../../training/weights/model-files.ts';
import { writeFreshModel } from '../../../training/fresh-model.ts';
import { train, type TrainInput, type TrainResult } from '../../../training/train.ts';
import { leaveOutMismatched } from '../../../training/weights/mismatched-weights.ts';
import { tensorsOf } from '../lora/lora-fixture.ts';
import { SMALL_CONFIG, smallTraining, temporaryFolder } from './small-training.ts';

vi.setConfig({ testTimeout: 60_000 });

let folder = '';
let input: TrainInput;
beforeAll(async () => {
  folder = await temporaryFolder();
  input = await smallTraining(folder, { max_steps: 2 });
});
afterAll(() => rm(folder, { recursive: true }));

const { num_labels: _, ...UNLABELLED } = SMALL_CONFIG;

/** Trains into a folder of its own. */
async function tuned(name: string, change: Partial<TrainInput>): Promise<TrainResult> {
  const outputDirectory = join(folder, name);
  await mkdir(outputDirectory);
  return train({ ...input, ...change, outputDirectory });
}

async function unlabelledModel(): Promise<TrainInput['modelFiles']> {
  const directory = join(folder, 'unlabelled');
  await mkdir(directory, { recursive: true });
  const config = { ...UNLABELLED, architectures: ['GPT2LMHeadModel'] };
  return (await writeFreshModel({ config, seed: 7, directory })).modelFiles;
}

/** Nothing changes: a training shows what it began with. */
const still = (): Pick<TrainInput, 'args'> => ({ args: { ...input.args, learning_rate: 0 } });
const weightsOf = ({ modelFiles }: Pick<TrainResult, 'modelFiles'>) =>
  tensorsOf(modelFiles['model.safetensors'] ?? '');
const languageModel = { task: 'causal-lm', labels: null } as const;

describe('a tuned model is the base of the next', () => {
  test('a language model, of a classifier: labels are those of the data', async () => {
    const modelFiles = await unlabelledModel();
    const base = await tuned('lm', { ...languageModel, modelFiles });
    expect(await weightsOf(base)).not.toEqual(await weightsOf({ modelFiles }));
    const task = 'text-classification';
    const { modelFiles: files } = base;
    const next = await tuned('lm-classifier', { task, modelFiles: files, ...still() });
    expect(next.created).toEqual(['score.weight']);
    const weights = await weightsOf(next);
    expect(weights.get('score.weight')).toHaveLength(3 * 16);
    expect([...weights].filter(([name]) => name !== 'score.weight')).toEqual([
      ...(await weightsOf(base)),
    ]);
    expect(await readConfig(next.modelFiles)).toMatchObject({
      architectures: ['GPT2ForSequenceClassification'],
      id2label: { 0: 'negative', 1: 'neutral', 2: 'positive' },
      problem_type: 'single_label_classification',
    });
  });

  test('a classifier, of a language model and of a classifier', async () => {
    const base = await tuned('classifier', {});
    const same = await tuned('classifier-2', { modelFiles: base.modelFiles, ...still() });
    expect(same.created).toEqual([]);
    expect(await weightsOf(same)).toEqual(await weightsOf(base));
    const { modelFiles } = base;
    const next = await tuned('classifier-lm', { ...languageModel, modelFiles, ...still() });
    expect(next.created).toEqual([]);
    const weights = await weightsOf(next);
    const body = [...(await weightsOf(base))].filter(([name]) => name !== 'score.weight');
    expect([...weights]).toEqual(body);
    expect(await readConfig(next.modelFiles)).toMatchObject({ architectures: ['GPT2LMHeadModel'] });
  });

  test('a merged one, of full tuning', async () => {
    const base = await tuned('lora', { lora: { r: 2, alpha: 4, dropout: 0 } });
    const { modelFiles } = base;
    const next = await tuned('lora-full', { modelFiles, ...still() });
    expect(next.created).toEqual([]);
    expect(next.trainableParameters).toBe(next.parameters);
    expect(await weightsOf(next)).toEqual(await weightsOf(base));
    expect(Object.keys(next.modelFiles)).toEqual(['config.json', 'model.safetensors']);
  });
});

describe('another number of labels', () => {
  test('is refused, until the head is left out', async () => {
    const two = {
      labels: ['no', 'yes'],
      trainRows: { ...input.trainRows, labels: input.trainRows.labels!.map((label) => label % 2) },
    };
    const { evalRows: _evalRows, ...rest } = input;
    const base = await tuned('three', {});
    const config = await readConfig(base.modelFiles);
    const files = { ...base.modelFiles, 'config.json': join(folder, 'two.json') };
    const { id2label: _id2label, label2id: _label2id, ...unlabelled } = config;
    await writeFile(files['config.json'], JSON.stringify(unlabelled));
    const outputDirectory = join(folder, 'output');
    const again = { ...rest, ...two, modelFiles: files, outputDirectory, ...still() };
    await expect(train(again)).rejects.toMatchObject({
      type: 'InvalidInput',
      message:
        'the weights do not fit config.json: score.weight has the shape [3,16], expected [2,16]; ' +
        "use the config.json that was saved with them (num_labels must be the head's number of " +
        'classes, or give download-model ignore_mismatched_sizes: true for a new head)',
    });
    const directory = join(folder, 'fitting');
    await mkdir(directory);
    const { modelFiles, leftOut } = await leaveOutMismatched(files, directory);
    expect(leftOut).toEqual(['score.weight']);
    const result = await train({ ...again, modelFiles });
    expect(result.created).toEqual(['score.weight']);
    const weights = await weightsOf(result);
    expect(weights.get('score.weight')).toHaveLength(2 * 16);
    const body = [...(await weightsOf(base))].filter(([name]) => name !== 'score.weight');
    expect([...weights].filter(([name]) => name !== 'score.weight')).toEqual(body);
  });
});
