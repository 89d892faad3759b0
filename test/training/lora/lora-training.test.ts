import { mkdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { Failure } from '../../../plan/failures.ts';
import { readManifest } from '../../../store/artifacts.ts';
import { openStore } from '../../../store/open.ts';
import type { Store } from '../../../store/store.ts';
import { listCheckpoints } from '../../../training/checkpoints/checkpoint-store.ts';
import type { TrainingEvent } from '../../../training/training-event.ts';
import { writeFreshModel } from '../../../training/fresh-model.ts';
import { defineModel } from '../../../training/model.ts';
import { train, type TrainInput, type TrainResult } from '../../../training/train.ts';
import type { ModelFiles } from '../../../training/weights/model-files.ts';
import { writeSafetensors } from '../../../training/weights/safetensors-file.ts';
import {
  modelDigests,
  smallTraining,
  temporaryFolder,
  withoutSpeed,
} from '../loop/small-training.ts';
import { tensorsOf } from './lora-fixture.ts';

vi.setConfig({ testTimeout: 60_000 });

const LORA = { r: 2, alpha: 4, dropout: 0.1 };

/** Elements of the small model: two layers of 16 channels. */
const SIZES = { all: 8128, adapters: 2 * (2 * 16 + 48 * 2), head: 3 * 16, layer: 3280, norm: 32 };

interface Case {
  readonly name: string;
  readonly change: Partial<TrainInput>;
  /** Elements. */
  readonly trained: number;
  readonly share: string;
  readonly isFrozen: (name: string) => boolean;
}

const CASES: readonly Case[] = [
  {
    name: 'LoRA',
    change: { lora: LORA },
    trained: SIZES.adapters + SIZES.head,
    share: '304 of 8,384 parameters (3.6 %)',
    isFrozen: (name) => !/c_attn\.weight$|^score/.test(name),
  },
  {
    name: 'LoRA of every linear layer, the head frozen',
    change: { lora: { ...LORA, targetModules: 'all-linear' }, freeze: ['score.*'] },
    trained: 2 * 2 * (16 + 48 + 16 + 16 + 16 + 64 + 64 + 16),
    share: '1,024 of 9,152 parameters (11.2 %)',
    isFrozen: (name) => !/\.(c_attn|c_proj|c_fc)\.weight$/.test(name),
  },
  {
    name: 'all but the last layer frozen',
    change: { freeze: { all_but_last: 1 } },
    trained: SIZES.layer + SIZES.norm + SIZES.head,
    share: '3,360 of 8,128 parameters (41.3 %)',
    isFrozen: (name) => /^transformer\.(wte|wpe|h\.0)\./.test(name),
  },
  {
    name: 'LoRA of a language model',
    change: { lora: LORA, task: 'causal-lm', labels: null },
    trained: SIZES.adapters,
    share: '256 of 8,336 parameters (3.1 %)',
    isFrozen: (name) => !name.endsWith('c_attn.weight'),
  },
];

let folder = '';
let store: Store;
let input: TrainInput;
beforeAll(async () => {
  folder = await temporaryFolder();
  store = await openStore(`file:${join(folder, 'store')}`);
  input = await smallTraining(folder);
});
afterAll(() => rm(folder, { recursive: true }));

const reason = new Failure('ShuttingDown', 'the worker is shutting down');

/** Trains with checkpoints, stopping after the step `stopAt` if it is given. */
async function attempt(
  { name, change }: Case,
  options: { stopAt?: number; threads?: number } = {},
): Promise<{ result: TrainResult | undefined; events: TrainingEvent[] }> {
  const { stopAt, threads = 1 } = options;
  const controller = new AbortController();
  const events: TrainingEvent[] = [];
  const onEvent = (event: TrainingEvent): void => {
    events.push(event);
    if (event.kind === 'step' && event.step === stopAt) controller.abort(reason);
  };
  const key = keyOf(name);
  const checkpoints = { store, key, directory: join(folder, key), everySeconds: 1000 };
  const { signal } = controller;
  try {
    const result = await train({ ...input, ...change, checkpoints, signal, threads, onEvent });
    return { result, events };
  } catch (error) {
    expect(error).toBe(reason);
    return { result: undefined, events };
  }
}

function keyOf(name: string): string {
  return name.replaceAll(/\W+/g, '-');
}

describe.each(CASES)('$name', (testCase) => {
  let whole: TrainResult;
  let expected: Record<string, string>;
  beforeAll(async () => {
    whole = await train({ ...input, ...testCase.change });
    expected = await modelDigests(whole);
  });

  test('stopped and resumed, on any number of threads, it gives the same bytes', async () => {
    for (const [stopAt, threads] of [
      [1, 1],
      [7, 3],
      [12, 2],
    ] as const) {
      const { events } = await attempt(testCase, { stopAt, threads });
      expect(events.filter(({ kind }) => kind === 'step').at(-1)).toMatchObject({ step: stopAt });
    }
    const { result, events } = await attempt(testCase, { threads: 2 });
    expect(result?.resumedFromStep).toBe(12);
    expect(await modelDigests(result!)).toEqual(expected);
    expect(withoutSpeed(result!)).toEqual(withoutSpeed(whole));
    expect(result?.exact).toBe(true);
    expect(events.find((event) => event.kind === 'trainable')?.message).toBe(
      `${testCase.share}; their gradients and moments take ` +
        `${((12 * testCase.trained) / 1024).toFixed(1)} KiB`,
    );
  });

  test('a checkpoint holds what is trained, and nothing that is frozen', async () => {
    const { trained } = testCase;
    expect(whole.trainableParameters).toBe(trained);
    expect(whole.parameters).toBe(
      testCase.change.task === 'causal-lm' ? SIZES.all - SIZES.head : SIZES.all,
    );
    const [newest] = await listCheckpoints(store, keyOf(testCase.name));
    const { files } = await readManifest(store, newest!.manifest, 'checkpoint');
    const segments = files.filter(({ path }) => path !== 'progress.json');
    const bytes = segments.reduce((sum, { size }) => sum + size, 0);
    // Parameters and two moments, each tensor up to the next 64 bytes; a header a file.
    expect(bytes).toBeGreaterThanOrEqual(3 * 4 * trained);
    expect(bytes).toBeLessThan(3 * (4 * trained + 64 * 20) + 256 * segments.length);
  });

  test('what is frozen keeps its bytes, and nothing else does', async () => {
    const before = await tensorsOf(input.modelFiles['model.safetensors'] ?? '');
    const after = await tensorsOf(whole.modelFiles['model.safetensors'] ?? '');
    const same = [...after].filter(([name, values]) => {
      return (
        Buffer.compare(Buffer.from(values.buffer), Buffer.from(before.get(name)!.buffer)) === 0
      );
    });
    const names = same.map(([name]) => name);
    expect(names).toEqual([...after.keys()].filter(testCase.isFrozen));
  });

  test('its result has an adapter with LoRA alone', async () => {
    const files = Object.keys(whole.modelFiles).toSorted();
    const adapter = ['adapter/adapter_config.json', 'adapter/adapter_model.safetensors'];
    expect(files).toEqual([
      ...(testCase.change.lora === undefined ? [] : adapter),
      'config.json',
      'model.safetensors',
    ]);
  });
});

/** A BERT as sentence encoders are saved: without pooler and head. */
async function bertBase(): Promise<ModelFiles> {
  const directory = join(folder, 'bert');
  await mkdir(directory);
  const config = {
    ...{ model_type: 'bert', hidden_size: 8, num_hidden_layers: 1, num_attention_heads: 2 },
    ...{ intermediate_size: 12, vocab_size: 61, max_position_embeddings: 32, num_labels: 3 },
  };
  const { modelFiles } = await writeFreshModel({ config, seed: 1, directory });
  const path = modelFiles['model.safetensors'] ?? '';
  const weights = await tensorsOf(path);
  const entries = defineModel(config)
    .parameters.filter(({ name }) => !/pooler|classifier/.test(name))
    .map(({ name, shape }) => ({ name, shape, pieces: [weights.get(name)!] }));
  await writeSafetensors(path, entries);
  return modelFiles;
}

test("what the base lacks is saved with the adapter, as BERT's pooler", async () => {
  const args = { ...input.args, max_steps: 1 };
  const base = { ...input, modelFiles: await bertBase(), args };
  const { modelFiles, created } = await train({ ...base, lora: LORA });
  const lacking = ['bert.pooler.dense.weight', 'bert.pooler.dense.bias'];
  expect(created).toEqual([...lacking, 'classifier.weight', 'classifier.bias']);
  const saved = await tensorsOf(modelFiles['adapter/adapter_model.safetensors'] ?? '');
  const whole = await tensorsOf(modelFiles['model.safetensors'] ?? '');
  const beside = [...saved].filter(([name]) => !name.includes('.lora_'));
  expect(beside).toEqual(
    created.toSorted().map((name) => [`base_model.model.${name}`, whole.get(name)]),
  );
  const config = await readFile(modelFiles['adapter/adapter_config.json'] ?? '', 'utf8');
  expect(JSON.parse(config)).toMatchObject({
    modules_to_save: ['bert.pooler.dense', 'classifier'],
    lora_dropout: 0.1,
  });
});
