import { z } from 'zod';
import { Failure } from '../../plan/failures.ts';
import { OTHER_NAMES } from './config-keys.ts';

const probability = z.number().min(0).lt(1);
const count = z.int().min(1);

/**
 * The fields of a GPT-2 config.json that decide the mathematics, with Hugging Face's names and
 * defaults (transformers 5.x, GPT2Config). All others are left alone.
 */
const schema = z.object({
  model_type: z.literal('gpt2').default('gpt2'),
  vocab_size: count.default(50257),
  n_positions: count.default(1024),
  n_embd: count.default(768),
  n_layer: count.default(12),
  n_head: count.default(12),
  n_inner: count.nullable().default(null),
  activation_function: z
    .enum(['gelu_new', 'gelu_pytorch_tanh', 'gelu', 'relu'])
    .default('gelu_new'),
  resid_pdrop: probability.default(0.1),
  embd_pdrop: probability.default(0.1),
  attn_pdrop: probability.default(0.1),
  layer_norm_epsilon: z.number().positive().default(1e-5),
  initializer_range: z.number().positive().default(0.02),
  scale_attn_weights: z.boolean().default(true),
  pad_token_id: z.int().min(0).nullable().default(null),
  id2label: z.record(z.string(), z.string()).optional(),
  num_labels: count.optional(),
  // Accepted only where they leave the mathematics as it is.
  scale_attn_by_inverse_layer_idx: z.literal(false).default(false),
  add_cross_attention: z.literal(false).default(false),
  problem_type: z.literal('single_label_classification').nullish(),
  quantization_config: z.null().optional(),
});

type Gpt2Fields = z.infer<typeof schema>;

/** A checked GPT-2 configuration, under Hugging Face's field names. */
export type Gpt2Config = Omit<
  Gpt2Fields,
  | 'model_type'
  | 'id2label'
  | 'num_labels'
  | 'scale_attn_by_inverse_layer_idx'
  | 'add_cross_attention'
  | 'problem_type'
  | 'quantization_config'
> & {
  /** Classes, from `id2label` or else `num_labels`; at least 2. */
  readonly num_labels: number;
};

/** What a person can do about a field that has a value we do not compute. */
const REMEDIES: { readonly [field: string]: string } = {
  model_type: 'use a model whose model_type is gpt2',
  activation_function: 'use a model that has one of these',
  scale_attn_by_inverse_layer_idx: 'use a model trained with it set to false',
  add_cross_attention: 'use a decoder without an encoder',
  problem_type: 'remove it; each example has one label',
  quantization_config: 'use a model whose weights are not quantized',
};

/**
 * Reads the parsed config.json of a GPT-2.
 * @throws InvalidInput naming the field, its value, what is expected and the remedy
 */
export function parseGpt2Config(json: unknown): Gpt2Config {
  const result = schema.safeParse(json, { reportInput: true });
  if (!result.success) throw invalidField(result.error);
  refuseOtherNames(json as { readonly [key: string]: unknown }, result.data);
  const { model_type, id2label, num_labels, problem_type, ...fields } = result.data;
  const { scale_attn_by_inverse_layer_idx, add_cross_attention, quantization_config, ...config } =
    fields;
  const labels = id2label === undefined ? (num_labels ?? 2) : Object.keys(id2label).length;
  if (labels < 2) {
    throw new Failure(
      'InvalidInput',
      `config.json: found ${labels} label, expected at least 2 to classify; set num_labels to the number of classes`,
    );
  }
  if (config.n_embd % config.n_head !== 0) {
    throw new Failure(
      'InvalidInput',
      `config.json: n_embd ${config.n_embd} is not a multiple of n_head ${config.n_head}; set n_head to a divisor of n_embd`,
    );
  }
  return { ...config, num_labels: labels };
}

/** Left alone where they say the same as the field. */
function refuseOtherNames(json: { readonly [key: string]: unknown }, fields: Gpt2Fields): void {
  for (const [other, field] of Object.entries(OTHER_NAMES)) {
    if (!Object.hasOwn(json, other) || json[other] === fields[field]) continue;
    throw new Failure(
      'InvalidInput',
      `config.json: ${other} ${JSON.stringify(json[other])} is not supported: call it ${field}, ` +
        `as GPT-2's own configuration does`,
    );
  }
}

function invalidField(error: z.ZodError): Failure {
  const issue = error.issues[0];
  if (issue === undefined) throw new Error('internal: a zod error without issues');
  const field = issue.path.join('.');
  const expected = issue.message.replace(/^Invalid (input|option): /, '');
  const remedy = REMEDIES[field] ?? 'correct it in config.json';
  const where = field === '' ? 'config.json' : `config.json: ${field}`;
  return new Failure(
    'InvalidInput',
    `${where} ${JSON.stringify(issue.input)} is not supported: ${expected}; ${remedy}`,
    { cause: error },
  );
}
