import { readFile } from 'node:fs/promises';
import { defineModel, type ModelDefinition, type ModelPurpose } from './model.ts';
import { importClassifier } from './onnx/classifier.ts';
import { importedModel } from './onnx/imported-model.ts';
import { externalFiles } from './onnx/model-file.ts';
import { ONNX_FILE, readConfig, weightFiles, type ModelFiles } from './weights/model-files.ts';
import { checkWeights, loadWeights, type LoadWeightsInput } from './weights/weight-loading.ts';

/** A model's files, read as far as their weights. */
export interface OpenedModel {
  /** Parsed config.json. */
  readonly config: { readonly [key: string]: unknown };
  readonly model: ModelDefinition;
}

/**
 * The model of a Hugging Face directory, or of config.json and model.onnx.
 * @throws NotFound, InvalidInput for a file that is missing or cannot be used
 */
export async function openModel(files: ModelFiles, purpose?: ModelPurpose): Promise<OpenedModel> {
  const config = await readConfig(files);
  const path = files[ONNX_FILE];
  if (path === undefined) return { config, model: defineModel(config, purpose) };
  const bytes = await readFile(path);
  const beside = externalFiles(bytes).filter((name) => files[name] !== undefined);
  const external = new Map<string, Uint8Array>();
  for (const name of beside) external.set(name, await readFile(files[name] ?? ''));
  return { config, model: importedModel(importClassifier(bytes, external), config, purpose) };
}

/** @throws InvalidInput when a model's files do not have the weights that it needs */
export async function checkModelWeights(files: ModelFiles, model: ModelDefinition): Promise<void> {
  if (model.imported !== undefined) return;
  await checkWeights({ ...model, specs: model.parameters, files: await weightFiles(files) });
}

/** Where a model's parameters go. */
type Destination = Pick<LoadWeightsInput, 'target' | 'seed'> & {
  readonly mayLack?: readonly string[];
};

/**
 * Fills a model's parameters from its files.
 * @returns the names of those that no file has
 * @throws InvalidInput as `loadWeights`
 */
export async function loadModelWeights(
  files: ModelFiles,
  model: ModelDefinition,
  destination: Destination,
): Promise<readonly string[]> {
  const { imported, parameters: specs } = model;
  if (imported === undefined) {
    return loadWeights({ ...model, specs, files: await weightFiles(files), ...destination });
  }
  for (const spec of specs) destination.target(spec)?.set(imported.weights(spec.name));
  return [];
}
