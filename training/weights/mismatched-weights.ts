import { writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { diskFailure } from '../../data/disk-failure.ts';
import { defineModel } from '../model.ts';
import { INDEX_FILE, readConfig, readIndex, weightFiles, type ModelFiles } from './model-files.ts';
import { writeSafetensors, type SafetensorsFile } from './safetensors-file.ts';
import type { SafetensorsTensor } from './safetensors-header.ts';
import { openWeights, sourceOf, tensorsOf, type WeightsInput } from './weight-loading.ts';

export interface FittingModel {
  /** Local paths: copies of the files that had to change. */
  readonly modelFiles: ModelFiles;
  /** Names of the tensors that the copies lack. */
  readonly leftOut: readonly string[];
}

/**
 * Leaves out the tensors that have other shapes than config.json says, where a model may lack them:
 * those of its head. Source: transformers, from_pretrained(ignore_mismatched_sizes=True).
 *
 * @param directory an empty folder for copies, which are float32 and lack what is of no use
 * @throws InvalidInput for files that cannot be read, NotFound, DiskFull
 */
export async function leaveOutMismatched(
  modelFiles: ModelFiles,
  directory: string,
): Promise<FittingModel> {
  const model = defineModel(await readConfig(modelFiles));
  const paths = await weightFiles(modelFiles);
  const files = await openWeights(paths);
  try {
    const weights = { ...model, specs: model.parameters, files: paths };
    const leftOut = mismatched(weights, files);
    const changing = files.filter(({ tensors }) => tensors.some(({ name }) => leftOut.has(name)));
    const dropped = new Set([...leftOut, ...useless(weights, changing)]);
    const copies: { [path: string]: string } = {};
    for (const file of changing) {
      copies[file.path] = join(directory, basename(file.path));
      await copyWithout(file, copies[file.path] ?? '', dropped);
    }
    const entries = Object.entries(modelFiles).map(([name, path]) => [name, copies[path] ?? path]);
    const changed: ModelFiles = Object.fromEntries(entries);
    const index = leftOut.size === 0 ? {} : await indexWithout(modelFiles, dropped, directory);
    return { modelFiles: { ...changed, ...index }, leftOut: [...leftOut] };
  } finally {
    await Promise.all(files.map((file) => file.close()));
  }
}

function mismatched(
  { specs, basePrefix, mayLack }: WeightsInput,
  files: readonly SafetensorsFile[],
): ReadonlySet<string> {
  const found = tensorsOf(files);
  const names = new Set<string>();
  for (const { name, shape } of specs) {
    const tensor = sourceOf(name, basePrefix, found)?.tensor;
    if (tensor === undefined || !mayLack.includes(name)) continue;
    if (tensor.shape.join() !== shape.join()) names.add(tensor.name);
  }
  return names;
}

/** What no parameter is read from: it may have an element type that is not read either. */
function useless(
  { specs, basePrefix, knownExtras }: WeightsInput,
  files: readonly SafetensorsFile[],
): readonly string[] {
  const found = tensorsOf(files);
  const used = new Set(specs.map(({ name }) => sourceOf(name, basePrefix, found)));
  return [...found]
    .filter(([name, source]) => !used.has(source) && knownExtras.test(name))
    .map(([, { tensor }]) => tensor.name);
}

async function copyWithout(
  file: SafetensorsFile,
  path: string,
  dropped: ReadonlySet<string>,
): Promise<void> {
  const kept = file.tensors.filter(({ name }) => !dropped.has(name));
  const entries = kept.map((tensor) => ({
    ...{ name: tensor.name, shape: tensor.shape, pieces: elementsOf(file, tensor) },
  }));
  await writeSafetensors(path, entries);
}

/** Read when it is written, so that one tensor is in memory at once. */
async function* elementsOf(
  file: SafetensorsFile,
  tensor: SafetensorsTensor,
): AsyncGenerator<Float32Array> {
  const elements = new Float32Array(tensor.shape.reduce((product, axis) => product * axis, 1));
  await file.read(tensor, elements);
  yield elements;
}

async function indexWithout(
  modelFiles: ModelFiles,
  dropped: ReadonlySet<string>,
  directory: string,
): Promise<ModelFiles> {
  if (modelFiles[INDEX_FILE] === undefined) return {};
  const { weight_map: map, ...rest } = await readIndex(modelFiles);
  const kept = Object.entries(map).filter(([name]) => !dropped.has(name));
  const index = { ...rest, weight_map: Object.fromEntries(kept) };
  const path = join(directory, INDEX_FILE);
  try {
    await writeFile(path, `${JSON.stringify(index, null, 2)}\n`);
  } catch (error) {
    throw diskFailure(error, path);
  }
  return { [INDEX_FILE]: path };
}
