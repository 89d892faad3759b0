import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Failure } from '../../../plan/failures.ts';
import { openStore } from '../../../store/open.ts';
import { evaluate } from '../../../training/evaluate.ts';
import { train, type TrainInput, type TrainResult } from '../../../training/train.ts';
import { openSafetensors, writeSafetensors } from '../../../training/weights/safetensors-file.ts';
import {
  modelDigests,
  smallTraining,
  temporaryFolder,
  withoutSpeed,
} from '../loop/small-training.ts';

// The device is the CPU, but tensors and optimizer are where they would be on any device.

let folder = '';
let input: TrainInput;
let whole: TrainResult;

beforeAll(async () => {
  folder = await temporaryFolder();
  const args = { load_best_model_at_end: true, save_strategy: 'epoch' } as const;
  input = { ...(await smallTraining(folder, args)), device: 'cpu' };
  whole = await train(input);
});
afterAll(() => rm(folder, { recursive: true }));

test('a training on a device ends where the same one in our memory ends', async () => {
  const { device: _, ...rest } = input;
  const expected = await train(rest);
  const losses = ({ history }: TrainResult): readonly number[] =>
    history.flatMap((row) => ('loss' in row ? [row.loss, row.grad_norm] : [row.eval_loss]));
  const [found, wanted] = [losses(whole), losses(expected)];
  expect(found.length).toBe(wanted.length);
  for (const [i, number] of wanted.entries()) expect(found[i]).toBeCloseTo(number, 5);
  expect(whole.bestStep).toBe(expected.bestStep);
});

test('stopped and resumed it gives the same model and history, and says that it may not', async () => {
  const store = await openStore(`file:${join(folder, 'store')}`);
  const checkpoints = { store, key: 'stops', everySeconds: 1000, everySteps: 4 };
  const reason = new Failure('ShuttingDown', 'the worker is shutting down');
  for (const stopAt of [3, 9, 15]) {
    const controller = new AbortController();
    const attempt = train({
      ...{ ...input, checkpoints, signal: controller.signal },
      onEvent: (event) => {
        if (event.kind === 'step' && event.step === stopAt) controller.abort(reason);
      },
    });
    await expect(attempt).rejects.toBe(reason);
  }
  const result = await train({ ...input, checkpoints });
  expect(result.resumedFromStep).toBe(15);
  expect(withoutSpeed(result)).toEqual(withoutSpeed(whole));
  expect(await modelDigests(result)).toEqual(await modelDigests(whole));
});

test('an evaluation on a device answers as one in our memory', async () => {
  const { modelFiles } = whole;
  const shared = { modelFiles, rows: input.evalRows!, padTokenId: 0, threads: 1 };
  const [found, expected] = [await evaluate({ ...shared, device: 'cpu' }), await evaluate(shared)];
  expect(found).toEqual(expected);
});

test('float16: gradients that overflow at every scale end the training, after skipped steps', async () => {
  const file = await openSafetensors(input.modelFiles['model.safetensors']!);
  const entries = [];
  for (const tensor of file.tensors) {
    const values = new Float32Array(tensor.byteLength / 4);
    await file.read(tensor, values);
    if (tensor.name === 'score.weight') values.fill(1e37, 0, 16);
    entries.push({ name: tensor.name, shape: tensor.shape, pieces: [values] });
  }
  await file.close();
  const weights = join(folder, 'huge.safetensors');
  await writeSafetensors(weights, entries);
  const notes: string[] = [];
  const attempt = train({
    ...input,
    args: { ...input.args, fp16: true },
    modelFiles: { ...input.modelFiles, 'model.safetensors': weights },
    onEvent: (event) => {
      if (event.kind === 'note') notes.push(event.message);
    },
  });
  await expect(attempt).rejects.toMatchObject({
    type: 'Diverged',
    message: expect.stringMatching(/^the gradient norm is Infinity at optimizer step \d+, on the/),
  });
  const note =
    /^step \d+ changed nothing: gradients overflowed in float16; the loss is scaled by (\d+) from now on$/;
  expect(notes.map((text) => Number(note.exec(text)?.[1]))).toEqual(
    Array.from({ length: 16 }, (_, i) => 2 ** (15 - i)),
  );
});
