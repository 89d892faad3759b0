import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { diskFailure } from '../data/disk-failure.ts';
import { defineModel } from './model.ts';
import { initializeTensor, type InitializationRule } from './random/weight-initialization.ts';
import { freshConfigJson } from './weights/model-config.ts';
import { CONFIG_FILE, WEIGHTS_FILE, type ModelFiles } from './weights/model-files.ts';
import { writeSafetensors } from './weights/safetensors-file.ts';

export interface FreshModelInput {
  /** As in config.json; what is left out has Hugging Face's defaults. */
  readonly config: { readonly [key: string]: unknown };
  readonly seed: number;
  readonly directory: string;
}

export interface FreshModel {
  /** Local paths of config.json and model.safetensors. */
  readonly modelFiles: ModelFiles;
  readonly parameters: number;
}

/** Elements that are in memory at once. */
const PIECE_ELEMENTS = 1 << 20;

/**
 * Writes a model of any architecture with random weights. The bytes follow from config and seed alone; the event
 * loop gets a turn every few milliseconds.
 * @throws InvalidInput for a config that is not supported, DiskFull
 */
export async function writeFreshModel(input: FreshModelInput): Promise<FreshModel> {
  const { config, seed, directory } = input;
  const model = defineModel(config);
  const configFile = join(directory, CONFIG_FILE);
  const weightsFile = join(directory, WEIGHTS_FILE);
  try {
    await writeFile(configFile, freshConfigJson(config, model.architecture));
  } catch (error) {
    throw diskFailure(error, configFile);
  }
  let parameters = 0;
  const entries = model.parameters.map(({ name, shape, initializer }) => {
    const elements = shape.reduce((product, axis) => product * axis, 1);
    parameters += elements;
    return { name, shape, pieces: pieces(seed, name, initializer, elements) };
  });
  await writeSafetensors(weightsFile, entries);
  return { modelFiles: { [CONFIG_FILE]: configFile, [WEIGHTS_FILE]: weightsFile }, parameters };
}

async function* pieces(
  seed: number,
  name: string,
  rule: InitializationRule,
  elements: number,
): AsyncGenerator<Float32Array> {
  const buffer = new Float32Array(Math.min(elements, PIECE_ELEMENTS));
  for (let offset = 0; offset < elements; offset += buffer.length) {
    const target = buffer.subarray(0, elements - offset);
    await initializeTensor({ seed, name, rule, target, offset });
    yield target;
  }
}
