import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { diskFailure } from '../data/disk-failure.ts';
import { Failure } from '../plan/failures.ts';
import type { ModelDefinition } from './model.ts';
import type { TrainingState } from './optimizers/training-state.ts';
import type { HistoryRow } from './training-progress.ts';
import { trainedConfigJson } from './weights/model-config.ts';
import { CONFIG_FILE, WEIGHTS_FILE } from './weights/model-files.ts';
import { writeSafetensors } from './weights/safetensors-file.ts';

export interface TrainedModelInput {
  readonly directory: string;
  readonly config: { readonly [key: string]: unknown };
  readonly model: ModelDefinition;
  readonly state: TrainingState;
  /** Names of the classes. */
  readonly labels: readonly string[];
  readonly padTokenId: number | null;
}

/**
 * Writes config.json and model.safetensors as `from_pretrained` reads them. The bytes follow from
 * the input alone.
 * @returns local paths by name
 * @throws DiskFull
 */
export async function writeTrainedModel(
  input: TrainedModelInput,
): Promise<{ readonly [name: string]: string }> {
  const { directory, config, model, state, labels, padTokenId } = input;
  const { architecture } = model;
  const configFile = join(directory, CONFIG_FILE);
  const weightsFile = join(directory, WEIGHTS_FILE);
  await writeText(configFile, trainedConfigJson(config, { architecture, labels, padTokenId }));
  await writeSafetensors(
    weightsFile,
    state.tensors.map((tensor) => ({
      name: tensor.name,
      shape: tensor.shape,
      pieces: [state.view('parameters', tensor)],
    })),
  );
  return { [CONFIG_FILE]: configFile, [WEIGHTS_FILE]: weightsFile };
}

/** Writes history.jsonl: one object a row. @returns its path @throws DiskFull */
export async function writeHistory(
  directory: string,
  history: readonly HistoryRow[],
): Promise<string> {
  const file = join(directory, 'history.jsonl');
  await writeText(file, history.map((row) => `${JSON.stringify(row)}\n`).join(''));
  return file;
}

/**
 * Names of a model's classes: the dataset's, or else those of config.json, or else LABEL_0, ....
 * @throws InvalidInput when the dataset has another number of classes than the model
 */
export function classLabels(
  datasetLabels: readonly string[] | null,
  config: { readonly [key: string]: unknown },
  model: ModelDefinition,
): readonly string[] {
  if (datasetLabels !== null) {
    if (datasetLabels.length === model.classes) return datasetLabels;
    const count = datasetLabels.length;
    throw new Failure(
      'InvalidInput',
      count < 2
        ? `the dataset has ${count === 1 ? `one label (${datasetLabels.join()})` : 'no label'}, and ` +
            'a classifier tells at least 2 apart; take rows with more labels'
        : `the dataset has ${count} labels (${datasetLabels.join(', ')}), and the model ` +
            `${model.classes} classes; give download-model config: { num_labels: ${count} }`,
    );
  }
  const known = (config['id2label'] ?? {}) as { readonly [id: string]: unknown };
  return Array.from({ length: model.classes }, (_, id) => {
    const label = known[id];
    return typeof label === 'string' ? label : `LABEL_${id}`;
  });
}

async function writeText(path: string, text: string): Promise<void> {
  try {
    await writeFile(path, text);
  } catch (error) {
    throw diskFailure(error, path);
  }
}
