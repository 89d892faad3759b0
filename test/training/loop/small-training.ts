import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TokenizedRows } from '../../../data/tokenized-dataset.ts';
import {
  trainingArgumentsSchema,
  type TrainingArgumentsInput,
} from '../../../training/arguments.ts';
import { writeFreshModel } from '../../../training/fresh-model.ts';
import type { TrainInput, TrainResult } from '../../../training/train.ts';

/** A GPT-2 with dropout that trains a step in milliseconds. */
export const SMALL_CONFIG = {
  vocab_size: 61,
  n_positions: 32,
  n_embd: 16,
  n_layer: 2,
  n_head: 2,
  num_labels: 3,
  pad_token_id: 0,
};

/** `count` rows of 3 to 12 tokens: fixed, and different for each `seed`. */
export function smallRows(count: number, seed: number): TokenizedRows {
  const offsets = new Int32Array(count + 1);
  for (let row = 0; row < count; row++) {
    offsets[row + 1] = (offsets[row] ?? 0) + 3 + ((row * 7 + seed) % 10);
  }
  const inputIds = Int32Array.from(
    { length: offsets[count] ?? 0 },
    (_, i) => 1 + ((Math.imul(i + seed, 0x9e3779b1) >>> 8) % 60),
  );
  return {
    ids: Array.from({ length: count }, (_, row) => `row-${seed}-${row}`),
    inputIds,
    offsets,
    labels: Int32Array.from({ length: count }, (_, row) => (row * 5 + seed) % 3),
    values: null,
    valuesPerRow: 0,
    completionMask: null,
  };
}

export async function temporaryFolder(): Promise<string> {
  return mkdtemp(join(tmpdir(), 'retune-training-'));
}

/** A training of three epochs of 7 steps, the last of each shorter, with an evaluation. */
export async function smallTraining(
  folder: string,
  args: TrainingArgumentsInput = {},
  config: Partial<typeof SMALL_CONFIG> = {},
): Promise<TrainInput> {
  const directory = join(folder, 'model');
  const outputDirectory = join(folder, 'output');
  await mkdir(directory, { recursive: true });
  await mkdir(outputDirectory, { recursive: true });
  const fresh = await writeFreshModel({
    config: { ...SMALL_CONFIG, ...config },
    seed: 7,
    directory,
  });
  return {
    modelFiles: fresh.modelFiles,
    trainRows: smallRows(26, 1),
    evalRows: smallRows(10, 2),
    labels: ['negative', 'neutral', 'positive'],
    padTokenId: 0,
    args: trainingArgumentsSchema.parse({
      per_device_train_batch_size: 2,
      gradient_accumulation_steps: 2,
      learning_rate: 1e-2,
      weight_decay: 0.01,
      warmup_steps: 2,
      logging_steps: 3,
      ...args,
    }),
    threads: 1,
    outputDirectory,
  };
}

/** Digests of what a training wrote. */
export async function modelDigests(result: TrainResult): Promise<Record<string, string>> {
  const entries = Object.entries(result.modelFiles).map(async ([name, path]) => [
    name,
    createHash('sha256')
      .update(await readFile(path))
      .digest('hex'),
  ]);
  return Object.fromEntries(await Promise.all(entries)) as Record<string, string>;
}

/** A history without what varies between runs. */
export function withoutSpeed(result: TrainResult): unknown[] {
  return result.history.map((row) => ({ ...row, tokens_per_second: 0 }));
}
