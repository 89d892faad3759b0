import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import type { TokenizedRows } from '../../../data/tokenized-dataset.ts';
import { Failure } from '../../../plan/failures.ts';
import { trainingArgumentsSchema } from '../../../training/arguments.ts';
import { evaluate } from '../../../training/evaluate.ts';
import { inspectModel } from '../../../training/model-inspection.ts';
import { importClassifier } from '../../../training/onnx/classifier.ts';
import { dataOrder } from '../../../training/random/data-order.ts';
import { train, type TrainInput } from '../../../training/train.ts';
import { temporaryFolder } from '../loop/small-training.ts';
import { EXPORT_NAMES, readFixture, type Example, type OnnxFixture } from './onnx-fixture.ts';

function rowsOf(examples: readonly Example[]): TokenizedRows {
  const offsets = [0];
  for (const { input_ids } of examples) offsets.push((offsets.at(-1) ?? 0) + input_ids.length);
  return {
    ids: examples.map((_, row) => `row-${row}`),
    inputIds: Int32Array.from(examples.flatMap((example) => [...example.input_ids])),
    offsets: Int32Array.from(offsets),
    labels: Int32Array.from(examples, (example) => example.label),
    values: null,
    valuesPerRow: 0,
    completionMask: null,
  };
}

/** A folder with the file and a config.json, and what a training of it takes. */
async function prepared(
  fixture: OnnxFixture,
  rows: readonly Example[],
  config: object = {},
): Promise<TrainInput> {
  const { reference, bytes } = fixture;
  const { settings } = reference.training;
  const folder = await temporaryFolder();
  onTestFinished(() => rm(folder, { recursive: true }));
  const modelFiles = {
    'config.json': join(folder, 'config.json'),
    'model.onnx': join(folder, 'given.onnx'),
  };
  await writeFile(modelFiles['config.json'], JSON.stringify(config));
  await writeFile(modelFiles['model.onnx'], bytes);
  return {
    modelFiles,
    trainRows: rowsOf(rows),
    labels: ['no', 'maybe', 'yes'],
    padTokenId: reference.pad_token_id,
    args: trainingArgumentsSchema.parse({
      per_device_train_batch_size: 3,
      num_train_epochs: 1,
      lr_scheduler_type: 'constant',
      learning_rate: settings.learning_rate,
      weight_decay: settings.weight_decay,
      adam_beta1: settings.betas[0],
      adam_beta2: settings.betas[1],
      adam_epsilon: settings.epsilon,
      max_grad_norm: settings.max_grad_norm,
      logging_steps: 1,
    }),
    threads: 2,
    outputDirectory: folder,
  };
}

/** Rows placed so that the epoch's order visits them as the reference did. */
function visitedRows({ reference }: OnnxFixture): readonly Example[] {
  const visited = reference.training.steps.flatMap((step) => step.rows);
  const order = dataOrder({ rows: visited.length, seed: 42, epoch: 0 });
  return Array.from(visited, (_, row) => {
    const example = reference.examples[visited[order.indexOf(row)] ?? -1];
    if (example === undefined) throw new Error('the reference visits a row that is not there');
    return example;
  });
}

test.each(EXPORT_NAMES)(
  "%s: ten steps are torch's, and the saved file answers as trained",
  async (name) => {
    const fixture = await readFixture(name);
    const input = await prepared(fixture, visitedRows(fixture));
    const result = await train(input);
    const { steps } = fixture.reference.training;
    const rows = result.history.filter((row) => 'loss' in row);
    expect(rows).toHaveLength(steps.length);
    for (const [index, row] of rows.entries()) {
      const expected = steps[index];
      if (expected === undefined) throw new Error('the training took more steps');
      expect(Math.abs(row.loss / expected.loss - 1)).toBeLessThan(2e-6);
      expect(Math.abs(row.grad_norm / expected.grad_norm - 1)).toBeLessThan(2e-6);
    }
    expect(Object.keys(result.modelFiles)).toEqual(['config.json', 'model.onnx']);
    const config = JSON.parse(
      await readFile(result.modelFiles['config.json'] ?? '', 'utf8'),
    ) as unknown;
    expect(config).toEqual({
      architectures: ['ORTModelForSequenceClassification'],
      dtype: 'float32',
      id2label: { 0: 'no', 1: 'maybe', 2: 'yes' },
      label2id: { no: 0, maybe: 1, yes: 2 },
      pad_token_id: fixture.reference.pad_token_id,
      problem_type: 'single_label_classification',
    });
    const before = fixture.classifier;
    const after = importClassifier(await readFile(result.modelFiles['model.onnx'] ?? ''));
    expect(after.parameters).toEqual(before.parameters);
    const isChanged = after.parameters.map(
      ({ name: own }) => after.weights(own).join() !== before.weights(own).join(),
    );
    expect(isChanged).not.toContain(false);
    expect(await inspectModel(result.modelFiles)).toMatchObject({ parameters: result.parameters });
  },
);

test('evaluation answers what torch answers, in passes of a fixed number of rows', async () => {
  const fixture = await readFixture('bert-torchscript13-static');
  const { reference } = fixture;
  const { modelFiles } = await prepared(fixture, reference.examples);
  const answers = await evaluate({
    ...{ modelFiles, rows: rowsOf(reference.examples), padTokenId: 0, threads: 1 },
  });
  if (answers.task !== 'text-classification') throw new Error('it is a classifier');
  const expected = reference.logits.flat();
  for (const [i, logit] of answers.logits.logits.entries()) {
    expect(Math.abs(logit - (expected[i] ?? NaN))).toBeLessThan(2e-6);
  }
});

test('the same input gives the same bytes on any number of threads, frozen weights as they were', async () => {
  const fixture = await readFixture('distilbert-torchscript17-dynamic');
  const input = await prepared(fixture, visitedRows(fixture));
  const freeze = ['*embeddings*'];
  const modelOf = async (threads: number): Promise<Buffer> =>
    readFile((await train({ ...input, freeze, threads })).modelFiles['model.onnx'] ?? '');
  const one = await modelOf(1);
  expect(await modelOf(2)).toEqual(one);
  expect(await modelOf(4)).toEqual(one);
  const { parameters, weights } = importClassifier(one);
  const isAsBefore = parameters.filter(
    ({ name }) => weights(name).join() === fixture.classifier.weights(name).join(),
  );
  expect(isAsBefore.map(({ name }) => name)).toEqual(
    parameters.map(({ name }) => name).filter((name) => name.includes('embeddings')),
  );
});

test.each<{ name: string; change: Partial<TrainInput>; config?: object; message: string }>([
  {
    name: 'a language model of it',
    change: { task: 'causal-lm' },
    message:
      "the ONNX file cannot learn the task 'causal-lm'; use the Hugging Face folder of a GPT-2",
  },
  {
    name: 'LoRA',
    change: { lora: { r: 2, alpha: 4, dropout: 0 } },
    message: 'the ONNX file takes no LoRA; train all of it, or the Hugging Face folder with lora',
  },
  {
    name: 'layers to freeze',
    change: { freeze: { all_but_last: 1 } },
    message:
      "freeze.all_but_last counts layers, and an ONNX file does not tell which weights are a layer's; " +
      'give freeze a list of their names, in which * stands for anything',
  },
  {
    name: 'another head',
    change: {},
    config: { num_labels: 5 },
    message:
      'the ONNX file has logits of 3 classes, and its config.json says 5; it keeps its head: give ' +
      'download-model config: { num_labels: 3 }, or the Hugging Face folder',
  },
  {
    name: 'rows that are longer than its own',
    change: { trainRows: rowsOf([{ input_ids: Array.from({ length: 11 }, () => 5), label: 0 }]) },
    message:
      'row "row-0" of train_dataset has 11 tokens, and the model reads 10; give tokenize max_length: 10 or less',
  },
  {
    name: 'tokens beyond its table',
    change: { trainRows: rowsOf([{ input_ids: [40], label: 0 }]) },
    message:
      'row "row-0" of train_dataset has the token 40, and the model\'s vocabulary ends at 39; tokenize ' +
      "with the model's own tokenizer, or make a fresh model with its vocab_size",
  },
])('$name is refused', async ({ change, config, message }) => {
  const fixture = await readFixture('bert-torchscript13-static');
  const input = await prepared(fixture, fixture.reference.examples, config);
  await expect(train({ ...input, ...change })).rejects.toThrow(
    new Failure('InvalidInput', message),
  );
});
