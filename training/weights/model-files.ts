import { readFile } from 'node:fs/promises';
import { z } from 'zod';
import { Failure } from '../../plan/failures.ts';
import { errorCode } from '../../store/fs-files.ts';

/** Local paths of a model's files, by their names in a Hugging Face directory. */
export type ModelFiles = { readonly [name: string]: string };

export const CONFIG_FILE = 'config.json';
export const WEIGHTS_FILE = 'model.safetensors';
/** A graph with its weights, in place of WEIGHTS_FILE. */
export const ONNX_FILE = 'model.onnx';
export const INDEX_FILE = 'model.safetensors.index.json';

/** Weights of formats that are not read. */
const OTHER_WEIGHTS = /\.(bin|h5|msgpack|ckpt|gguf|pt|pth)$/;

const indexSchema = z.looseObject({ weight_map: z.record(z.string(), z.string()) });

/**
 * Parsed config.json.
 * @throws NotFound when the model has none, InvalidInput when it is not a JSON object
 */
export async function readConfig(files: ModelFiles): Promise<{ readonly [key: string]: unknown }> {
  const config = z.record(z.string(), z.unknown()).safeParse(await readJson(files, CONFIG_FILE));
  if (config.success) return config.data;
  throw new Failure(
    'InvalidInput',
    `${CONFIG_FILE} is not a JSON object; download the model again`,
  );
}

/**
 * Local paths of the files that hold the weights: one, or the shards that an index names.
 * @throws NotFound when there are none or a shard is missing, saying what there is
 */
export async function weightFiles(files: ModelFiles): Promise<readonly string[]> {
  const single = files[WEIGHTS_FILE];
  if (single !== undefined) return [single];
  if (files[INDEX_FILE] === undefined) throw noWeights(Object.keys(files));
  const { weight_map: map } = await readIndex(files);
  const shards = [...new Set(Object.values(map))].sort();
  return shards.map((shard) => {
    const path = files[shard];
    if (path !== undefined) return path;
    const message = `the model has no file ${shard}, which its ${INDEX_FILE} names`;
    throw new Failure('NotFound', `${message}; download the model again`);
  });
}

/** Which shard holds each tensor. @throws InvalidInput when the index does not say */
export async function readIndex(files: ModelFiles): Promise<z.infer<typeof indexSchema>> {
  const index = indexSchema.safeParse(await readJson(files, INDEX_FILE));
  if (index.success) return index.data;
  throw new Failure('InvalidInput', `${INDEX_FILE} has no weight_map; download the model again`);
}

async function readJson(files: ModelFiles, name: string): Promise<unknown> {
  const path = files[name];
  if (path === undefined) {
    throw new Failure(
      'NotFound',
      `the model has no ${name}: found ${listed(Object.keys(files))}; expected a Hugging Face directory with ` +
        `${CONFIG_FILE}, ${WEIGHTS_FILE} and tokenizer.json`,
    );
  }
  try {
    return JSON.parse(await readFile(path, 'utf8'));
  } catch (error) {
    if (errorCode(error) !== undefined) throw error;
    throw new Failure('InvalidInput', `${name} is not JSON; download the model again`, {
      cause: error,
    });
  }
}

/** The failure of a model that has these files, and none with weights that can be read. */
export function noWeights(names: readonly string[]): Failure {
  const others = names.filter((name) => OTHER_WEIGHTS.test(name));
  const remedy =
    others.length === 0
      ? 'download the model again, with its weights'
      : `save ${others.join(', ')} as safetensors: model.save_pretrained(folder) in transformers`;
  return new Failure(
    'NotFound',
    `the model has no weights: expected ${WEIGHTS_FILE} or ${INDEX_FILE}, found ${listed(names)}; ${remedy}`,
  );
}

function listed(names: readonly string[]): string {
  return [...names].sort().join(', ') || 'no files at all';
}
