import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { diskFailure } from '../data/disk-failure.ts';
import type { LoraOptions } from './models/lora.ts';
import { writeText, type TrainedModelInput } from './trained-model.ts';
import { writeSafetensors } from './weights/safetensors-file.ts';

export interface TrainedAdapterInput extends TrainedModelInput {
  readonly lora: LoraOptions;
}

/** Folder of the adapter below that of the model. */
const FOLDER = 'adapter';
const PREFIX = 'base_model.model.';

/**
 * Writes the adapters and the trained head as PEFT's `PeftModel.from_pretrained` reads them, below
 * `adapter/`. Source: PEFT 0.21, save_pretrained and LoraConfig.
 * @returns local paths by name
 * @throws DiskFull
 */
export async function writeAdapter(
  input: TrainedAdapterInput,
): Promise<{ readonly [name: string]: string }> {
  const { directory, model, adapters, weights } = input;
  const folder = join(directory, FOLDER);
  await mkdir(folder, { recursive: true }).catch((error: unknown) => {
    throw diskFailure(error, folder);
  });
  const configFile = join(folder, 'adapter_config.json');
  const weightsFile = join(folder, 'adapter_model.safetensors');
  await writeText(configFile, adapterConfigJson(input));
  const head = model.parameters.filter(({ name }) => model.head.includes(name));
  const saved = [...adapters.flatMap(({ a, b }) => [a, b]), ...head];
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

function adapterConfigJson({ model, adapters, lora, config }: TrainedAdapterInput): string {
  const modules = new Set(model.head.map((name) => name.split('.')[0] ?? name));
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
