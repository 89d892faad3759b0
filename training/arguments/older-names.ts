import { z } from 'zod';

/** An older name of Hugging Face's for what another argument says. */
export interface OlderName {
  readonly schema: z.ZodOptional;
  /** The argument that says it now. */
  readonly now: string;
  /** What a person is told to write. */
  readonly hint: string;
}

/** Names of transformers 4.x that are accepted; each means what the argument `now` means. */
export const OLDER_NAMES = {
  evaluation_strategy: {
    schema: z.enum(['no', 'steps', 'epoch']).optional(),
    now: 'eval_strategy',
    hint: 'write eval_strategy',
  },
  warmup_ratio: {
    schema: z.number().min(0).lt(1).optional(),
    now: 'warmup_steps',
    hint: 'write warmup_steps, which below 1 is a share of all steps',
  },
  group_by_length: {
    schema: z.boolean().optional(),
    now: 'train_sampling_strategy',
    hint: 'write train_sampling_strategy: group_by_length',
  },
  per_gpu_train_batch_size: {
    schema: z.int().min(1).optional(),
    now: 'per_device_train_batch_size',
    hint: 'write per_device_train_batch_size',
  },
  adafactor: {
    schema: z.boolean().optional(),
    now: 'optim',
    hint: 'write optim: adafactor',
  },
} as const satisfies { readonly [name: string]: OlderName };
