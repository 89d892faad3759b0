import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { evaluate } from '../../../training/evaluate.ts';
import { defineModel } from '../../../training/model.ts';
import { dropoutKeys } from '../../../training/models/dropout-keys.ts';
import type { Example } from '../../../training/pass-tensors.ts';
import type { PackingLimits } from '../../../training/packing.ts';
import { train, type TrainInput } from '../../../training/train.ts';
import { openSafetensors, writeSafetensors } from '../../../training/weights/safetensors-file.ts';
import { classified } from '../models/model-fixture.ts';
import { initializedSession } from './initialized-session.ts';
import { SMALL_CONFIG, smallRows, smallTraining, temporaryFolder } from './small-training.ts';

let folder = '';
let input: TrainInput;
beforeAll(async () => {
  folder = await temporaryFolder();
  input = await smallTraining(folder);
});
afterAll(() => rm(folder, { recursive: true }));

test('writes a history of losses and evaluations, under the names of Hugging Face', async () => {
  const result = await train(input);
  const lines = (await readFile(result.historyFile, 'utf8')).trim().split('\n');
  expect(lines.map((line) => JSON.parse(line) as unknown)).toEqual(result.history);
  const kinds = result.history.map((row) => [row.step, 'loss' in row ? 'loss' : 'eval_loss']);
  expect(kinds).toEqual([
    [3, 'loss'],
    [6, 'loss'],
    [7, 'eval_loss'],
    [9, 'loss'],
    [12, 'loss'],
    [14, 'eval_loss'],
    [15, 'loss'],
    [18, 'loss'],
    [21, 'loss'],
    [21, 'eval_loss'],
  ]);
  const evaluations = result.history.flatMap((row) => ('eval_loss' in row ? [row] : []));
  const best = evaluations.toSorted((a, b) => a.eval_loss - b.eval_loss)[0];
  expect(result.bestStep).toBe(best?.step);
  expect(result.created).toEqual([]);
});

test('max_steps ends the training in the middle of an epoch, with an evaluation', async () => {
  const args = { ...input.args, max_steps: 2 };
  const { history, steps } = await train({ ...input, args });
  expect(steps).toBe(2);
  expect(history.map(({ step, epoch }) => [step, epoch])).toEqual([
    [2, 4 / 13],
    [2, 4 / 13],
  ]);
});

/** Gradients of the same examples, packed as the limits say. */
async function gradients(examples: readonly Example[], limits: PackingLimits) {
  const model = defineModel(SMALL_CONFIG);
  const session = await initializedSession(model, { limits, threads: 2 });
  const { state } = session;
  const { loss, computedTokens } = await session.computeGradients(examples);
  const values = state.tensors.flatMap((tensor) => [...state.view('gradients', tensor)]);
  await session.close();
  return { loss, computedTokens, values };
}

test('one pass over packed rows equals a pass an example, with dropout', async () => {
  const rows = smallRows(9, 3);
  const model = defineModel(SMALL_CONFIG);
  const examples = rows.ids.map((rowId, row) => {
    const inputIds = rows.inputIds.subarray(rows.offsets[row], rows.offsets[row + 1]);
    const keys = dropoutKeys({ seed: 1, epoch: 0, rowId, length: inputIds.length });
    const label = rows.labels![row]!;
    return { ...classified(model, inputIds, label, 1 / 9), dropoutKeys: keys };
  });
  const packed = await gradients(examples, { tokensPerPass: 1024, tokensPerRow: 256 });
  const several = await gradients(examples, { tokensPerPass: 30, tokensPerRow: 15 });
  const apart = await gradients(examples, { tokensPerPass: 1, tokensPerRow: 1 });
  expect(packed.computedTokens).toBeLessThan(1.1 * rows.inputIds.length);
  const largest = Math.max(...packed.values.map(Math.abs));
  for (const other of [several, apart]) {
    expect(Math.abs(other.loss - packed.loss)).toBeLessThan(1e-6);
    const worst = other.values.reduce((w, g, i) => Math.max(w, Math.abs(g - packed.values[i]!)), 0);
    expect(worst / largest).toBeLessThan(2e-6);
  }
});

test('a loss that is not a number stops the training, naming step and rows', async () => {
  const weights = join(folder, 'broken.safetensors');
  const file = await openSafetensors(input.modelFiles['model.safetensors']!);
  const entries = [];
  for (const tensor of file.tensors) {
    const values = new Float32Array(tensor.byteLength / 4);
    await file.read(tensor, values);
    // Only rows that hold token 60 see it.
    if (tensor.name === 'transformer.wte.weight') values.fill(NaN, 60 * 16);
    entries.push({ name: tensor.name, shape: tensor.shape, pieces: [values] });
  }
  await file.close();
  await writeSafetensors(weights, entries);
  const modelFiles = { ...input.modelFiles, 'model.safetensors': weights };
  await expect(train({ ...input, modelFiles })).rejects.toMatchObject({
    type: 'Diverged',
    message:
      'the loss is NaN at optimizer step 2, on the rows row-1-2, row-1-22, row-1-4, row-1-13, with learning_rate 0.01; lower learning_rate, add warmup_steps, or look for broken text in those rows',
  });
});

test.each([
  {
    what: 'no rows',
    change: { trainRows: smallRows(0, 1) },
    message: 'train_dataset has no rows; expected at least 1',
  },
  {
    what: 'no labels',
    change: { evalRows: { ...smallRows(2, 1), labels: null } },
    message: 'eval_dataset has no labels; give download-dataset a label column',
  },
  {
    what: 'a label without a class',
    change: { trainRows: { ...smallRows(2, 1), labels: Int32Array.of(0, 3) } },
    message:
      'row "row-1-1" of train_dataset has the label 3, and the model 3 classes; give download-model config: { num_labels: 4 } or more',
  },
  {
    what: 'a token outside the vocabulary',
    change: { trainRows: { ...smallRows(1, 1), inputIds: Int32Array.of(1, 61, 2, 3) } },
    message:
      'row "row-1-0" of train_dataset has the token 61, and the model\'s vocabulary ends at 60; tokenize with the model\'s own tokenizer, or make a fresh model with its vocab_size',
  },
  {
    what: 'a row too long',
    change: {
      trainRows: {
        ...smallRows(1, 1),
        ids: ['long'],
        inputIds: new Int32Array(33).fill(1),
        offsets: Int32Array.of(0, 33),
        labels: Int32Array.of(0),
      },
    },
    message:
      'row "long" of train_dataset has 33 tokens, and the model reads 32; give tokenize max_length: 32 or less',
  },
  {
    what: 'other labels than classes',
    change: { labels: ['yes', 'no'] },
    message:
      'the dataset has 2 labels (yes, no), and the model 3 classes; give download-model config: { num_labels: 2 }',
  },
])('refuses $what before it trains', async ({ change, message }) => {
  await expect(train({ ...input, ...change })).rejects.toMatchObject({
    type: 'InvalidInput',
    message,
  });
});

test('a row without tokens is read as one pad token', async () => {
  const rows = {
    ids: ['empty'],
    inputIds: new Int32Array(),
    offsets: Int32Array.of(0, 0),
    labels: null,
    values: null,
    valuesPerRow: 0,
    completionMask: null,
  };
  const pad = { ...rows, inputIds: Int32Array.of(0), offsets: Int32Array.of(0, 1) };
  const shared = { modelFiles: input.modelFiles, padTokenId: 0, threads: 1 };
  const empty = await evaluate({ ...shared, rows });
  expect(empty).toEqual(await evaluate({ ...shared, rows: pad }));
});
