import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { diskFailure } from '../data/disk-failure.ts';
import { Failure } from '../plan/failures.ts';
import { mergedWeight } from './merged-weight.ts';
import type { ModelDefinition } from './model.ts';
import type { Adapter } from './models/lora.ts';
import type { HistoryRow } from './training-progress.ts';
import { trainedConfigJson } from './weights/model-config.ts';
import { CONFIG_FILE, ONNX_FILE, WEIGHTS_FILE } from './weights/model-files.ts';
import { writeSafetensors } from './weights/safetensors-file.ts';

export interface TrainedModelInput {
  readonly directory: string;
  readonly config: { readonly [key: string]: unknown };
  readonly model: ModelDefinition;
  /** They are merged into what they adapt. */
  readonly adapters: readonly Adapter[];
  /** A parameter's or adapter's elements. */
  readonly weights: (name: string) => Float32Array;
  /** Names of the classes; null for a language model. */
  readonly labels: readonly string[] | null;
  readonly padTokenId: number | null;
}

/**
 * Writes config.json and model.safetensors as `from_pretrained` reads them, or model.onnx with new
 * weights. The bytes follow from the input alone.
 * @returns local paths by name
 * @throws DiskFull
 */
export async function writeTrainedModel(
  input: TrainedModelInput,
): Promise<{ readonly [name: string]: string }> {
  const { directory, config, model, adapters, weights, labels, padTokenId } = input;
  const { architecture, problemType } = model;
  const configFile = join(directory, CONFIG_FILE);
  const weightsFile = join(directory, WEIGHTS_FILE);
  const classes = labels === null ? null : { labels, problemType };
  await writeText(configFile, trainedConfigJson(config, { architecture, classes, padTokenId }));
  if (model.imported !== undefined) {
    const onnxFile = join(directory, ONNX_FILE);
    await writeBytes(onnxFile, model.imported.saved(weights));
    return { [CONFIG_FILE]: configFile, [ONNX_FILE]: onnxFile };
  }
  const byWeight = new Map(adapters.map((adapter) => [`${adapter.path}.weight`, adapter]));
  await writeSafetensors(
    weightsFile,
    model.parameters.map((spec) => {
      const adapter = byWeight.get(spec.name);
      const pieces =
        adapter === undefined ? [weights(spec.name)] : mergedWeight(spec, adapter, weights);
      return { name: spec.name, shape: spec.shape, pieces };
    }),
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

export function writeText(path: string, text: string): Promise<void> {
  return writeBytes(path, new TextEncoder().encode(text));
}

async function writeBytes(path: string, bytes: Uint8Array): Promise<void> {
  try {
    await writeFile(path, bytes);
  } catch (error) {
    throw diskFailure(error, path);
  }
}
