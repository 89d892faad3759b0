import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import type { TokenizedRows } from '../../../data/tokenized-dataset.ts';
import { defineModel, type ModelDefinition } from '../../../training/model.ts';
import type { TrainingGraphOptions } from '../../../training/models/graph-building.ts';
import type { ModelGraph } from '../../../training/models/model-graph.ts';
import type { Pass } from '../../../training/packing.ts';
import { PassTensors, targetsOf, type Example } from '../../../training/pass-tensors.ts';
import { allocateTensorData, loadRuntime, type Tensor } from '../../../training/runtime/runtime.ts';
import { openSafetensors } from '../../../training/weights/safetensors-file.ts';

export type NamedValues = ReadonlyMap<string, Float32Array>;

/** What make-gpt2-reference.py or make-encoder-reference.py wrote. */
export interface ModelFixture {
  /** config.json */
  readonly config: { readonly [key: string]: unknown };
  readonly model: ModelDefinition;
  readonly weights: NamedValues;
  readonly gradients: NamedValues;
  readonly examples: readonly FixtureExample[];
  readonly logits: readonly (readonly number[])[];
  /** Mean cross entropy of the examples, or of a language model's tokens. */
  readonly loss: number;
  /** Names of the parameters that Trainer's weight decay applies to. */
  readonly decayed: readonly string[];
}

interface FixtureExample {
  readonly input_ids: readonly number[];
  /** Of a classifier. */
  readonly label: number;
  /** Of a language model. */
  readonly completion_mask: readonly number[];
}

export async function readModelFixture(name: string): Promise<ModelFixture> {
  const path = (file: string): string =>
    fileURLToPath(new URL(`../../fixtures/${name}/${file}`, import.meta.url));
  const json = async (file: string): Promise<unknown> =>
    JSON.parse(await readFile(path(file), 'utf8'));
  const config = (await json('config.json')) as ModelFixture['config'];
  const reference = (await json('reference.json')) as Pick<
    ModelFixture,
    'examples' | 'logits' | 'loss' | 'decayed'
  >;
  return {
    ...{ ...reference, config, model: defineModel(config) },
    weights: await tensorsOf(path('model.safetensors')),
    gradients: await tensorsOf(path('gradients.safetensors')),
  };
}

async function tensorsOf(path: string): Promise<NamedValues> {
  const file = await openSafetensors(path);
  const values = new Map<string, Float32Array>();
  for (const tensor of file.tensors) {
    const elements = tensor.shape.reduce((product, length) => product * length, 1);
    const data = new Float32Array(elements);
    await file.read(tensor, data);
    values.set(tensor.name, data);
  }
  await file.close();
  return values;
}

/** The fixture's examples as the graph takes them, each with its share of the mean. */
export function examplesOf({ model, examples }: ModelFixture): readonly Example[] {
  return examples.map(({ input_ids, label }) =>
    classified(model, Int32Array.from(input_ids), label, 1 / examples.length),
  );
}

/** Examples as rows of a tokenized dataset, without answers. */
export function rowsOf(examples: readonly Pick<FixtureExample, 'input_ids'>[]): TokenizedRows {
  const offsets = [0];
  for (const { input_ids } of examples) offsets.push((offsets.at(-1) ?? 0) + input_ids.length);
  return {
    ids: examples.map((_, row) => `${row}`),
    inputIds: Int32Array.from(examples.flatMap(({ input_ids }) => input_ids)),
    offsets: Int32Array.from(offsets),
    ...{ labels: null, values: null, valuesPerRow: 0, completionMask: null },
  };
}

/** An example of one class. */
export function classified(
  model: ModelDefinition,
  inputIds: Int32Array,
  label: number,
  weight: number,
): Example {
  const positions = Int32Array.of(model.pooledPosition(inputIds, model.padTokenId));
  return { inputIds, targets: { positions, labels: Int32Array.of(label), weights: weight } };
}

/** All parameters of a model trained, without dropout unless it is asked for. */
export function trainingGraph(
  model: ModelDefinition,
  options: Partial<TrainingGraphOptions> = {},
): ModelGraph {
  const trainable = model.parameters.map(({ name }) => name);
  return model.trainingGraph({ trainable, dropout: false, ...options });
}

/** One example a row, as Hugging Face pads them. */
export function onePerRow(examples: readonly Example[]): Pass {
  return {
    rows: examples.length,
    tokens: Math.max(...examples.map(({ inputIds }) => inputIds.length)),
    placements: examples.map((_, example) => ({ example, row: example, start: 0 })),
  };
}

/** All examples behind one another in a single row, then `padding` unused columns. */
export function inOneRow(examples: readonly Example[], padding = 0): Pass {
  let start = 0;
  const placements = examples.map(({ inputIds }, example) => {
    const placement = { example, row: 0, start };
    start += inputIds.length;
    return placement;
  });
  return { rows: 1, tokens: start + padding, placements };
}

export interface OpenModelInput {
  readonly model: ModelGraph;
  readonly weights: NamedValues;
  readonly padTokenId: number | null;
  /** Of a model whose targets are values. */
  readonly valuesWidth?: number | undefined;
  readonly threads?: number;
}

export interface OpenModel {
  /** Runs one pass. @returns every output's values, by name */
  run(examples: readonly Example[], pass: Pass): Promise<NamedValues>;
  release(): void;
}

/** Compiles a model for as many passes as wanted. */
export function openModel(input: OpenModelInput): OpenModel {
  const { model, weights, padTokenId, valuesWidth, threads = 1 } = input;
  const runtime = loadRuntime();
  const session = runtime.createSession(model.onnx, { threads });
  const passes = new PassTensors(runtime);
  const parameters = model.parameters.map(({ name, shape }) => {
    const data = weights.get(name);
    if (data === undefined) throw new Error(`the fixture has no ${name}`);
    return [name, tensor(shape, data)] as const;
  });
  return {
    run: async (examples, pass) => {
      const bound = passes.bind({ pass, examples, padTokenId, valuesWidth });
      const outputs = model.outputs.map(({ name, shape }) => {
        const known = shape.map((axis) =>
          axis === 'E' ? targetsOf(pass, examples) : Number(axis),
        );
        return [name, tensor(known)] as const;
      });
      await session.run(
        { ...bound.inputs, ...Object.fromEntries(parameters) },
        Object.fromEntries(outputs),
      );
      bound.release();
      for (const [, { release }] of outputs) release();
      return new Map(outputs.map(([name, { data }]) => [name, Float32Array.from(data)]));
    },
    release: () => {
      session.release();
      for (const [, { release }] of parameters) release();
    },
  };
}

export interface RunModelInput extends OpenModelInput {
  readonly examples: readonly Example[];
  readonly pass: Pass;
}

/** Runs one pass of a model that is not needed again. */
export async function runModel({ examples, pass, ...input }: RunModelInput): Promise<NamedValues> {
  const open = openModel(input);
  try {
    return await open.run(examples, pass);
  } finally {
    open.release();
  }
}

function tensor(shape: readonly number[], from?: Float32Array): Tensor<'float32'> {
  const elements = shape.reduce((product, length) => product * length, 1);
  const data = allocateTensorData('float32', elements);
  if (from !== undefined) data.set(from);
  return loadRuntime().createTensor({ elementType: 'float32', shape, data });
}

export function valuesOf(values: NamedValues, name: string): Float32Array {
  const found = values.get(name);
  if (found === undefined) throw new Error(`there is no ${name}`);
  return found;
}
