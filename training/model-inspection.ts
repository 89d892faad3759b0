import { defineModel } from './model.ts';
import { elementsOf } from './models/parameters.ts';
import { readConfig, weightFiles, type ModelFiles } from './weights/model-files.ts';
import { checkWeights } from './weights/weight-loading.ts';

export interface ModelFacts {
  /** Hugging Face's class of the model. */
  readonly architecture: string;
  /** Number of weights, with those of a head that training will create. */
  readonly parameters: number;
  /** Tokens of the longest row that it reads. */
  readonly positions: number;
}

/**
 * Reads a model's config.json and the headers of its weights.
 * @throws NotFound, InvalidInput when a file is missing or the weights do not fit the config
 */
export async function inspectModel(modelFiles: ModelFiles): Promise<ModelFacts> {
  const model = defineModel(await readConfig(modelFiles));
  const { parameters: specs, architecture, positions } = model;
  await checkWeights({ ...model, specs, files: await weightFiles(modelFiles) });
  const parameters = specs.reduce((sum, spec) => sum + elementsOf(spec), 0);
  return { architecture, parameters, positions };
}
