import { z } from 'zod';

const probability = z.number().min(0).lt(1);
const count = z.int().min(1);

/** A number of optimizer steps, or below 1 a share of all of them. */
const interval = z
  .number()
  .positive()
  .refine((steps) => steps < 1 || Number.isInteger(steps), 'expected an integer, or below 1');

const OPTIMIZERS = ['adamw_torch', 'adamw_torch_fused', 'adafactor', 'sgd'] as const;

const duration = {
  per_device_train_batch_size: count.default(8).describe('examples of one batch'),
  gradient_accumulation_steps: count
    .default(1)
    .describe(
      "batches of one optimizer step; its loss and gradient are the mean of the batches' means",
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
  dataloader_drop_last: z
    .boolean()
    .default(false)
    .describe("leaves out an epoch's last batch when it is short"),
  train_sampling_strategy: z
    .enum(['random', 'sequential', 'group_by_length'])
    .default('random')
    .describe(
      'order of the rows; group_by_length: each effective batch of rows alike in length, the longest first. Nothing is padded here, so it saves little',
    ),
  seed: z.int().min(0).default(42).describe('of dropout, a fresh head, and the data order'),
  data_seed: z.int().min(0).optional().describe('of the data order, in place of seed'),
};

const optimization = {
  learning_rate: z.number().min(0).default(5e-5).describe('highest learning rate'),
  lr_scheduler_type: z
    .enum([
      ...['linear', 'cosine', 'cosine_with_restarts', 'polynomial', 'constant'],
      ...['constant_with_warmup', 'inverse_sqrt'],
    ] as const)
    .default('linear')
    .describe('how the learning rate goes on after the warm-up'),
  lr_scheduler_kwargs: z
    .strictObject({
      num_cycles: z
        .number()
        .positive()
        .optional()
        .describe('of cosine: waves (0.5); of cosine_with_restarts: restarts (1)'),
      power: z.number().positive().optional().describe('of polynomial (1)'),
      lr_end: z.number().min(0).optional().describe('of polynomial: the last learning rate (1e-7)'),
      timescale: z
        .int()
        .min(1)
        .optional()
        .describe('of inverse_sqrt: in steps (the warm-up, or 10000)'),
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
  optim: z
    .enum(OPTIMIZERS)
    .default('adamw_torch')
    .describe('the optimizer; adamw_torch_fused is the same mathematics as adamw_torch'),
  optim_args: z
    .string()
    .optional()
    .describe('of sgd, as momentum=0.9,dampening=0,nesterov=true; 0, 0 and false without it'),
  weight_decay: z
    .number()
    .min(0)
    .default(0)
    .describe(
      'biases and LayerNorm weights get none; decoupled for AdamW, in the gradient for sgd',
    ),
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
  label_smoothing_factor: probability
    .default(0)
    .describe(
      'share e of the loss that asks for all classes alike: (1 - e) · loss + e · mean loss',
    ),
  bf16: z.boolean().default(false).describe('passes in bfloat16, where the device can: not cpu'),
  fp16: z.boolean().default(false).describe('passes in float16, where the device can: not cpu'),
};

const logging = {
  logging_strategy: z
    .enum(['no', 'steps', 'epoch'])
    .default('steps')
    .describe('when a row is added to the training history'),
  logging_steps: interval
    .default(10)
    .describe(
      'optimizer steps between two rows of the history, which also has the last step; below 1: share of all steps',
    ),
  logging_first_step: z.boolean().default(false).describe('also after the first optimizer step'),
  include_num_input_tokens_seen: z
    .union([z.boolean(), z.enum(['no', 'all', 'non_padding'])])
    .default('no')
    .describe(
      'puts num_input_tokens_seen into the history: all tokens computed (all or true), or those that are no padding',
    ),
};

const evaluating = {
  eval_strategy: z
    .enum(['no', 'steps', 'epoch'])
    .optional()
    .describe('when the eval_dataset is evaluated; without it epoch when there is one, else no'),
  eval_steps: interval
    .optional()
    .describe(
      'optimizer steps between two evaluations, the last step is evaluated too; below 1: share of all steps; without it logging_steps',
    ),
  eval_delay: z
    .number()
    .min(0)
    .default(0)
    .describe('epochs or optimizer steps, as eval_strategy counts, before the first evaluation'),
  eval_on_start: z.boolean().default(false).describe('also before the first optimizer step'),
};

const saving = {
  save_strategy: z
    .enum(['no', 'steps', 'epoch', 'best'])
    .optional()
    .describe(
      'when a checkpoint is taken besides those by time; without it as eval_strategy, epoch for no',
    ),
  save_steps: interval
    .optional()
    .describe(
      'optimizer steps between two checkpoints; below 1: share of all steps; without it as between evaluations by steps, else 500',
    ),
  save_total_limit: count
    .default(2)
    .describe('checkpoints that are kept until the training is done, the newest; and the best'),
  load_best_model_at_end: z
    .boolean()
    .default(false)
    .describe('the model is that of the best evaluation at which a checkpoint was due'),
  metric_for_best_model: z
    .string()
    .optional()
    .describe('metric of the evaluations that says which is best, with or without eval_; loss'),
  greater_is_better: z
    .boolean()
    .optional()
    .describe("whether more of it is better; without it false for a name that ends with 'loss'"),
};

/** Arguments of Hugging Face's Trainer that are built, with its meanings; see DIFFERENT_DEFAULTS. */
export const BUILT_ARGUMENTS = {
  ...duration,
  ...optimization,
  ...logging,
  ...evaluating,
  ...saving,
};

/** Where a default is another than Hugging Face's, and why. */
export const DIFFERENT_DEFAULTS = {
  optim: "Hugging Face's is adamw_torch_fused, with torch 2.8 or later",
  logging_steps: "Hugging Face's is 500: a row costs nothing, and most trainings here are shorter",
  eval_strategy: "Hugging Face's is no: whoever gives an eval_dataset wants it evaluated",
  save_strategy:
    "Hugging Face's is steps: checkpoints are taken by time here (every 2 minutes, and more often where they are cheap), at shutdown, and as this says",
  save_steps: "Hugging Face's is 500, also where evaluations are closer",
  save_total_limit: "Hugging Face's is no limit: checkpoints are for resumption, and end with it",
} as const satisfies { readonly [name in keyof typeof BUILT_ARGUMENTS]?: string };
