import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import type { TokenizedRows } from '../../../data/tokenized-dataset.ts';
import { defineModel, type ModelDefinition } from '../../../training/model.ts';
import type { LoraOptions } from '../../../training/models/lora.ts';
import { PACKING, type PackingLimits } from '../../../training/packing.ts';
import type { Example } from '../../../training/pass-tensors.ts';
import { openPredictor, type Predictor } from '../../../training/prediction.ts';
import { loadRuntime } from '../../../training/runtime/runtime.ts';
import { stepExamples } from '../../../training/step-examples.ts';
import { chooseTrainable, type Trainable } from '../../../training/trainable.ts';
import { openTrainingSession, type TrainingSession } from '../../../training/training-session.ts';
import { openSafetensors } from '../../../training/weights/safetensors-file.ts';

export const FIXTURES = ['gpt2', 'gpt2-lm', 'bert', 'distilbert', 'roberta'] as const;

export type NamedValues = ReadonlyMap<string, Float32Array>;

/** What make-lora-reference.py wrote. */
export interface LoraFixture {
  readonly name: string;
  readonly files: { readonly 'config.json': string; readonly 'model.safetensors': string };
  readonly config: { readonly [key: string]: unknown };
  readonly model: ModelDefinition;
  readonly lora: LoraOptions;
  readonly rows: TokenizedRows;
  /** Of the base, and of PEFT's adapter under the names that PEFT gives them. */
  readonly weights: NamedValues;
  readonly adapter: NamedValues;
  readonly adapterConfig: { readonly [key: string]: unknown };
  readonly gradients: NamedValues;
  readonly merged: NamedValues;
  readonly reference: {
    readonly base_logits: readonly (readonly number[])[];
    readonly logits: readonly (readonly number[])[];
    readonly loss: number;
    readonly trained: readonly string[];
  };
}

const PREFIX = 'base_model.model.';

export async function readLoraFixture(name: (typeof FIXTURES)[number]): Promise<LoraFixture> {
  const path = (file: string): string =>
    fileURLToPath(new URL(`../../fixtures/lora/${name}/${file}`, import.meta.url));
  const json = async (file: string): Promise<unknown> =>
    JSON.parse(await readFile(path(file), 'utf8'));
  const config = (await json('config.json')) as LoraFixture['config'];
  const adapterConfig = (await json('adapter_config.json')) as LoraFixture['adapterConfig'];
  const reference = (await json('reference.json')) as LoraFixture['reference'] & {
    readonly examples: readonly Row[];
  };
  return {
    ...{ name, config, adapterConfig, reference },
    files: {
      'config.json': path('config.json'),
      'model.safetensors': path('model.safetensors'),
    },
    model: defineModel(config),
    lora: {
      r: Number(adapterConfig['r']),
      alpha: Number(adapterConfig['lora_alpha']),
      dropout: 0,
      targetModules: adapterConfig['target_modules'] as string[],
    },
    rows: rowsOf(reference.examples),
    weights: await tensorsOf(path('model.safetensors')),
    adapter: await tensorsOf(path('adapter_model.safetensors')),
    gradients: await tensorsOf(path('gradients.safetensors')),
    merged: await tensorsOf(path('merged.safetensors')),
  };
}

interface Row {
  readonly input_ids: readonly number[];
  readonly label?: number;
}

function rowsOf(examples: readonly Row[]): TokenizedRows {
  const offsets = [0];
  for (const { input_ids } of examples) offsets.push((offsets.at(-1) ?? 0) + input_ids.length);
  const hasLabels = examples.every(({ label }) => label !== undefined);
  return {
    ids: examples.map((_, row) => `row-${row}`),
    inputIds: Int32Array.from(examples.flatMap(({ input_ids }) => input_ids)),
    offsets: Int32Array.from(offsets),
    labels: hasLabels ? Int32Array.from(examples, ({ label = 0 }) => label) : null,
    values: null,
    valuesPerRow: 0,
    completionMask: null,
  };
}

/** Every tensor of a safetensors file. */
export async function tensorsOf(path: string): Promise<NamedValues> {
  const file = await openSafetensors(path);
  const values = new Map<string, Float32Array>();
  for (const tensor of file.tensors) {
    const data = new Float32Array(tensor.byteLength / Float32Array.BYTES_PER_ELEMENT);
    await file.read(tensor, data);
    values.set(tensor.name, data);
  }
  await file.close();
  return values;
}

export interface AdaptedSession {
  readonly session: TrainingSession;
  readonly trainable: Trainable;
  /** Without dropout, with the adapters. */
  readonly predictor: Predictor;
  /** All rows of the fixture as one batch. */
  readonly examples: readonly Example[];
  close(): Promise<void>;
}

export interface AdaptedOptions {
  /** The adapter is all zeros, in place of PEFT's. */
  readonly isFresh?: boolean;
  readonly limits?: PackingLimits;
  readonly dropoutSeed?: number;
}

/** A training of the fixture's base with an adapter. */
export async function openAdapted(
  { model, lora, rows, weights, adapter }: LoraFixture,
  { isFresh = false, limits = PACKING, dropoutSeed }: AdaptedOptions = {},
): Promise<AdaptedSession> {
  const trainable = chooseTrainable(model, { lora });
  const { padTokenId } = model;
  const shared = { runtime: loadRuntime(), model, padTokenId, limits, threads: 1 };
  const session = await openTrainingSession({
    ...{ ...shared, trainable, labelSmoothing: 0 },
    optimizer: { kind: 'adamw', beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0 },
  });
  for (const [name, values] of weights) session.weights(name).set(values);
  for (const [name, values] of isFresh ? [] : adapter) {
    session.weights(name.slice(PREFIX.length)).set(values);
  }
  const { adapters } = trainable;
  const predictor = openPredictor({ ...shared, adapters, parameters: session.parameters });
  const batch = Uint32Array.from(rows.ids.keys());
  return {
    ...{ session, trainable, predictor },
    examples: stepExamples({ rows, model, padTokenId, dropoutSeed }, [batch], 0),
    close: async () => {
      predictor.release();
      await session.close();
    },
  };
}
