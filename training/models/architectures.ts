import { parseBertConfig, parseRobertaConfig } from './bert-config.ts';
import { bert } from './bert.ts';
import { type ConfigJson, invalid } from './config-schema.ts';
import { parseDistilbertConfig } from './distilbert-config.ts';
import { distilbert } from './distilbert.ts';
import { parseGpt2Config } from './gpt2-config.ts';
import { gpt2 } from './gpt2.ts';
import { roberta } from './roberta.ts';
import type { Transformer } from './transformer.ts';

/** The architectures there are, by `model_type`. */
const ARCHITECTURES = {
  gpt2: (json) => gpt2(parseGpt2Config(json)),
  bert: (json) => bert(parseBertConfig(json)),
  distilbert: (json) => distilbert(parseDistilbertConfig(json)),
  roberta: (json) => roberta(parseRobertaConfig(json)),
} as const satisfies { readonly [modelType: string]: (json: ConfigJson) => Transformer };

export type ModelType = keyof typeof ARCHITECTURES;

const MODEL_TYPES = Object.keys(ARCHITECTURES) as readonly ModelType[];

/**
 * The architecture of a parsed config.json; GPT-2 where it does not say.
 * @throws InvalidInput for one that is not built
 */
export function modelTypeOf(json: ConfigJson): ModelType {
  const found = json['model_type'] ?? 'gpt2';
  const known = MODEL_TYPES.find((modelType) => modelType === found);
  if (known !== undefined) return known;
  throw invalid(
    `model_type ${JSON.stringify(found)} cannot be trained; expected one of ${MODEL_TYPES.join(', ')}`,
  );
}

/** @throws InvalidInput for an architecture or an option that is not built */
export function transformerOf(json: ConfigJson): Transformer {
  return ARCHITECTURES[modelTypeOf(json)](json);
}
