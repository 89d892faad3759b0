import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { diskFailure } from '../data/disk-failure.ts';
import type { LoraOptions } from './models/lora.ts';
import type { ParameterSpec } from './models/model-graph.ts';
import { writeText, type TrainedModelInput } from './trained-model.ts';
import { writeSafetensors } from './weights/safetensors-file.ts';

export interface TrainedAdapterInput extends TrainedModelInput {
  readonly lora: LoraOptions;
  /** Parameters that the base's files lack. */
  readonly created: readonly string[];
}

/** Folder of the adapter below that of the model. */
const FOLDER = 'adapter';
const PREFIX = 'base_model.model.';

/**
 * Writes the adapters as PEFT's `PeftModel.from_pretrained` reads them, below `adapter/`, with the
 * head and what else the base lacks. Source: PEFT 0.21, save_pretrained and LoraConfig.
 * @returns local paths by name
 * @throws DiskFull
 */
export async function writeAdapter(
  input: TrainedAdapterInput,
): Promise<{ readonly [name: string]: string }> {
  const { directory, adapters, weights } = input;
  const folder = join(directory, FOLDER);
  await mkdir(folder, { recursive: true }).catch((error: unknown) => {
    throw diskFailure(error, folder);
  });
  const configFile = join(folder, 'adapter_config.json');
  const weightsFile = join(folder, 'adapter_model.safetensors');
  await writeText(configFile, adapterConfigJson(input));
  const saved = [...adapters.flatMap(({ a, b }) => [a, b]), ...besideAdapters(input)];
  await writeSafetensors(
    weightsFile,
    saved.map(({ name, shape }) => ({
      ...{ name: `${PREFIX}${name}`, shape, pieces: [weights(name)] },
    })),
  );
  return {
    [`${FOLDER}/adapter_config.json`]: configFile,
    [`${FOLDER}/adapter_model.safetensors`]: weightsFile,
  };
}

/** What is saved whole: the head, and what was created because the base lacks it. */
function besideAdapters({
  model,
  adapters,
  created,
}: TrainedAdapterInput): readonly ParameterSpec[] {
  const adapted = adapters.map(({ path }) => `${path}.`);
  const isSaved = (name: string): boolean =>
    model.head.includes(name) ||
    (created.includes(name) && !adapted.some((path) => name.startsWith(path)));
  return model.parameters.filter(({ name }) => isSaved(name));
}

function adapterConfigJson(input: TrainedAdapterInput): string {
  const { model, adapters, lora, config } = input;
  // PEFT looks for modules whose paths end in these.
  const moduleOf = (name: string): string =>
    model.head.includes(name) ? (name.split('.')[0] ?? name) : name.replace(/\.[^.]+$/, '');
  const modules = new Set(besideAdapters(input).map(({ name }) => moduleOf(name)));
  const linears = new Map(model.parameters.map((spec) => [spec.name, spec.linear]));
  const isConv1d = adapters.some(({ path }) => linears.get(`${path}.weight`) === 'inputs-outputs');
  const fields = {
    base_model_name_or_path: config['_name_or_path'] || null,
    bias: 'none',
    fan_in_fan_out: isConv1d,
    inference_mode: true,
    init_lora_weights: true,
    lora_alpha: lora.alpha,
    lora_dropout: lora.dropout,
    modules_to_save: modules.size === 0 ? null : [...modules].sort(),
    peft_type: 'LORA',
    r: lora.r,
    target_modules: adapters.map(({ path }) => path).sort(),
    task_type: model.task === 'causal-lm' ? 'CAUSAL_LM' : 'SEQ_CLS',
  };
  return `${JSON.stringify(fields, null, 2)}\n`;
}
