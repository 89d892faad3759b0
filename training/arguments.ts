import { z } from 'zod';

const probability = z.number().min(0).lt(1);
const count = z.int().min(1);
/** Source: transformers 5.x, get_polynomial_decay_schedule_with_warmup. */
export const POLYNOMIAL_END = 1e-7;
/** The schedulers that an option of lr_scheduler_kwargs is for. */
const SCHEDULER_OPTIONS = {
  num_cycles: ['cosine', 'cosine_with_restarts'],
  power: ['polynomial'],
  lr_end: ['polynomial'],
  timescale: ['inverse_sqrt'],
} as const satisfies { readonly [option: string]: readonly string[] };

/**
 * Hugging Face's TrainingArguments, as far as they are built: names, meanings and defaults of
 * transformers 5.x, but where a description says otherwise. Any other key is refused.
 */
export const trainingArgumentsSchema = z
  .strictObject({
    per_device_train_batch_size: count.default(8).describe('examples of one batch'),
    per_device_eval_batch_size: z
      .never({
        error: 'it would change nothing, as evaluation packs as many rows as fit a pass: remove it',
      })
      .optional()
      .describe('refused: evaluation packs as many rows as fit a pass'),
    gradient_accumulation_steps: count
      .default(1)
      .describe(
        'batches of one optimizer step; loss and gradient are the mean over all their examples',
      ),
    num_train_epochs: z
      .number()
      .positive()
      .default(3)
      .describe('passes over the training data; may be a fraction'),
    max_steps: z
      .int()
      .min(-1)
      .default(-1)
      .refine((steps) => steps !== 0, 'expected -1 (no limit) or at least 1')
      .describe('optimizer steps; overrides num_train_epochs when above 0'),
    learning_rate: z.number().min(0).default(5e-5).describe('highest learning rate of AdamW'),
    weight_decay: z
      .number()
      .min(0)
      .default(0)
      .describe('decoupled weight decay; biases and LayerNorm weights get none'),
    adam_beta1: probability.default(0.9).describe("decay of AdamW's first moment"),
    adam_beta2: probability.default(0.999).describe("decay of AdamW's second moment"),
    adam_epsilon: z
      .number()
      .positive()
      .default(1e-8)
      .describe("added to the root of AdamW's second moment"),
    max_grad_norm: z
      .number()
      .min(0)
      .default(1)
      .describe('gradients with a larger norm are scaled down to it; 0: never'),
    lr_scheduler_type: z
      .enum([
        ...['linear', 'cosine', 'cosine_with_restarts', 'polynomial', 'constant'],
        ...['constant_with_warmup', 'inverse_sqrt'],
      ] as const)
      .default('linear')
      .describe('how the learning rate goes on after the warm-up'),
    lr_scheduler_kwargs: z
      .strictObject({
        num_cycles: z.number().positive().optional(),
        power: z.number().positive().optional(),
        lr_end: z.number().min(0).optional(),
        timescale: z.int().min(1).optional(),
      })
      .optional()
      .describe(
        'of the scheduler: num_cycles (cosine 0.5, cosine_with_restarts 1), power and lr_end (polynomial 1 and 1e-7), timescale (inverse_sqrt: the warm-up, or 10000)',
      ),
    warmup_steps: z
      .number()
      .min(0)
      .default(0)
      .refine((steps) => steps < 1 || Number.isInteger(steps), 'expected an integer, or below 1')
      .describe('steps over which the learning rate rises from 0; below 1: share of all steps'),
    warmup_ratio: probability
      .optional()
      .describe('older name for a warmup_steps below 1; give one of the two'),
    seed: z.int().min(0).default(42).describe('of dropout, a fresh head, and the data order'),
    data_seed: z.int().min(0).optional().describe('of the data order, in place of seed'),
    logging_steps: count
      .default(10)
      .describe('optimizer steps between two rows of the training history; Hugging Face: 500'),
  })
  .refine(
    ({ lr_scheduler_type: type, warmup_steps, warmup_ratio }) => {
      return type !== 'constant' || (warmup_steps === 0 && warmup_ratio === undefined);
    },
    {
      path: ['lr_scheduler_type'],
      error: "'constant' has no warm-up: use 'constant_with_warmup', or remove the warm-up",
    },
  )
  .refine(
    ({ learning_rate: highest, lr_scheduler_type: type, lr_scheduler_kwargs: options }) => {
      return type !== 'polynomial' || highest > (options?.lr_end ?? POLYNOMIAL_END);
    },
    {
      path: ['learning_rate'],
      error: 'expected more than lr_end (1e-7 by default), where the polynomial schedule ends',
    },
  )
  .superRefine(({ lr_scheduler_type: type, lr_scheduler_kwargs: options = {} }, context) => {
    for (const [key, types] of Object.entries(SCHEDULER_OPTIONS)) {
      const fitting: readonly string[] = types;
      if (options[key as keyof typeof options] === undefined || fitting.includes(type)) continue;
      const path = ['lr_scheduler_kwargs', key];
      const message = `it is an option of ${fitting.join(' and ')}: remove it, '${type}' has none such`;
      context.addIssue({ code: 'custom', path, message, input: options });
    }
  })
  .refine((args) => args.warmup_ratio === undefined || args.warmup_steps === 0, {
    path: ['warmup_ratio'],
    error: 'warmup_steps is given too: remove warmup_ratio, its older name',
  });

/** What a person writes: every key may be left out. */
export type TrainingArgumentsInput = z.input<typeof trainingArgumentsSchema>;
/** With every default filled in. */
export type TrainingArguments = z.output<typeof trainingArgumentsSchema>;
