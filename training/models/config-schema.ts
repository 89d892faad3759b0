import { z } from 'zod';
import { Failure } from '../../plan/failures.ts';
import { ACTIVATION_NAMES } from './activations.ts';

export type ConfigJson = { readonly [key: string]: unknown };

export const probability = z.number().min(0).lt(1);
export const count = z.int().min(1);
export const activation = z.enum(ACTIVATION_NAMES);

/** A field that nothing but its absence is built for. */
const absent = z
  .unknown()
  .refine((value) => isEmpty(value), { error: 'expected none' })
  .optional();

/** Fields of any config.json that are accepted only where they leave the mathematics as it is. */
export const SHARED_FIELDS = {
  initializer_range: z.number().positive().default(0.02),
  add_cross_attention: z.literal(false).default(false),
  quantization_config: absent,
  pruned_heads: absent,
  per_layer_config: absent,
};

/** What a person can do about a field that has a value we do not compute. */
const REMEDIES: { readonly [field: string]: string } = {
  activation: 'use a model that has one of these',
  activation_function: 'use a model that has one of these',
  hidden_act: 'use a model that has one of these',
  scale_attn_by_inverse_layer_idx: 'use a model trained with it set to false',
  add_cross_attention: 'use a model without an encoder and a decoder',
  is_decoder: 'use an encoder: a model trained with it set to false',
  position_embedding_type: "use a model trained with 'absolute'",
  sinusoidal_pos_embds: 'use a model trained with it set to false',
  quantization_config: 'use a model whose weights are not quantized',
  pruned_heads: 'use a model that has all its attention heads',
  per_layer_config: 'use a model whose layers are all alike',
  is_causal: 'use a model trained with it set to true',
};

export interface ConfigFields<S extends z.ZodObject> {
  readonly schema: S;
  /** Names that Hugging Face takes for fields, too: its attribute_map. */
  readonly otherNames: { readonly [other: string]: string };
  /** As in "call it n_embd, as GPT-2's own configuration does". */
  readonly title: string;
}

/**
 * Reads the fields of a parsed config.json that decide the mathematics; all others are left alone.
 * @throws InvalidInput naming the field, its value, what is expected and the remedy
 */
export function parseConfig<S extends z.ZodObject>(
  { schema, otherNames, title }: ConfigFields<S>,
  json: ConfigJson,
): z.output<S> {
  const result = schema.safeParse(json, { reportInput: true });
  if (!result.success) throw invalidField(result.error);
  const fields: ConfigJson = result.data;
  for (const [other, field] of Object.entries(otherNames)) {
    // Left alone where they say the same as the field.
    if (!Object.hasOwn(json, other) || json[other] === fields[field]) continue;
    throw invalid(
      `${other} ${JSON.stringify(json[other])} is not supported: call it ${field}, as ${title}'s ` +
        'own configuration does',
    );
  }
  return result.data;
}

/** @throws InvalidInput when the width cannot be shared out to the heads */
export function requireDivisible(config: ConfigJson, width: string, heads: string): void {
  if (Number(config[width]) % Number(config[heads]) === 0) return;
  throw invalid(
    `${width} ${String(config[width])} is not a multiple of ${heads} ${String(config[heads])}; ` +
      `set ${heads} to a divisor of ${width}`,
  );
}

export function invalid(message: string): Failure {
  return new Failure('InvalidInput', `config.json: ${message}`);
}

function isEmpty(value: unknown): boolean {
  const isObject = typeof value === 'object' && value !== null;
  return value === null || value === undefined || (isObject && Object.keys(value).length === 0);
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
