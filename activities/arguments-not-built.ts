import type { z } from 'zod';
import { notBuilt } from '../language/step-declaration.ts';

/** Of Hugging Face's TrainingArguments (transformers 5.x, and older names), those that are to come. */
const NAMES = [
  ...['optim', 'optim_args', 'label_smoothing_factor', 'bf16', 'fp16'],
  ...['gradient_checkpointing', 'gradient_checkpointing_kwargs', 'auto_find_batch_size'],
  ...['eval_strategy', 'evaluation_strategy', 'eval_steps', 'eval_delay', 'eval_on_start'],
  ...['logging_strategy', 'logging_first_step', 'save_strategy', 'save_steps'],
  ...['save_total_limit', 'load_best_model_at_end', 'metric_for_best_model'],
  ...['greater_is_better', 'train_sampling_strategy', 'group_by_length', 'neftune_noise_alpha'],
  ...['dataloader_drop_last', 'average_tokens_across_devices'],
] as const;

/** They are refused by name, so that none is taken for a misspelt other. */
export const argumentsNotBuilt = Object.fromEntries(NAMES.map((name) => [name, notBuilt()])) as {
  readonly [Name in (typeof NAMES)[number]]: z.ZodOptional<z.ZodNever>;
};
