import { elementsOf } from './models/parameters.ts';
import { checkModelWeights, openModel } from './open-model.ts';
import type { ModelFiles } from './weights/model-files.ts';

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
  const { model } = await openModel(modelFiles);
  const { parameters: specs, architecture, positions } = model;
  await checkModelWeights(modelFiles, model);
  const parameters = specs.reduce((sum, spec) => sum + elementsOf(spec), 0);
  return { architecture, parameters, positions };
}
