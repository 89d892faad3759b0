/** What training adds to a model's config.json. */
export interface TrainedModelConfig {
  /** As `GPT2ForSequenceClassification`. */
  readonly architecture: string;
  /** Of a classifier: names of the classes in the order of their ids, and what it predicts. */
  readonly classes: {
    readonly labels: readonly string[];
    readonly problemType: string;
  } | null;
  readonly padTokenId: number | null;
}

/** Keys that say again, in other words, what the written ones say. */
const REPLACED = ['torch_dtype'];
const REPLACED_OF_CLASSIFIERS = ['num_labels', '_num_labels'];

/**
 * config.json of a trained model, as Hugging Face writes it: keys sorted, two spaces.
 * Every other key of the original stays. Equal input gives equal text.
 */
export function trainedConfigJson(
  original: { readonly [key: string]: unknown },
  trained: TrainedModelConfig,
): string {
  const config: { [key: string]: unknown } = {
    ...original,
    architectures: [trained.architecture],
    dtype: 'float32',
    pad_token_id: trained.padTokenId,
    ...(trained.classes !== null && classFields(trained.classes)),
  };
  const replaced = trained.classes === null ? [] : REPLACED_OF_CLASSIFIERS;
  for (const key of [...REPLACED, ...replaced]) delete config[key];
  return configText(config);
}

function classFields({ labels, problemType }: NonNullable<TrainedModelConfig['classes']>): {
  readonly [key: string]: unknown;
} {
  return {
    id2label: Object.fromEntries(labels.entries()),
    label2id: Object.fromEntries(labels.map((label, id) => [label, id])),
    problem_type: problemType,
  };
}

/** config.json of a model with fresh weights: what was given, and what it is. */
export function freshConfigJson(
  given: { readonly [key: string]: unknown },
  architecture: string,
): string {
  return configText({
    model_type: 'gpt2',
    ...given,
    architectures: [architecture],
    dtype: 'float32',
  });
}

function configText(config: { readonly [key: string]: unknown }): string {
  return `${JSON.stringify(sortedKeys(config), null, 2)}\n`;
}

function sortedKeys(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sortedKeys);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(entries.map(([key, inner]) => [key, sortedKeys(inner)]));
}
