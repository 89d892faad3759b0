import { expect, test } from 'vitest';
import { trainingArgumentsSchema } from '../../../training/arguments.ts';

test('every default is the one of Hugging Face, but for logging_steps', () => {
  expect(trainingArgumentsSchema.parse({})).toEqual({
    per_device_train_batch_size: 8,
    gradient_accumulation_steps: 1,
    num_train_epochs: 3,
    max_steps: -1,
    learning_rate: 5e-5,
    weight_decay: 0,
    adam_beta1: 0.9,
    adam_beta2: 0.999,
    adam_epsilon: 1e-8,
    max_grad_norm: 1,
    lr_scheduler_type: 'linear',
    warmup_steps: 0,
    seed: 42,
    logging_steps: 10,
  });
});

test.each([
  [{ learning_rates: 1 }, 'Unrecognized key: "learning_rates"'],
  [
    { lr_scheduler_type: 'constant', warmup_steps: 3 },
    "'constant' has no warm-up: use 'constant_with_warmup', or remove the warm-up",
  ],
  [
    { lr_scheduler_type: 'polynomial', learning_rate: 1e-7 },
    'expected more than lr_end (1e-7 by default), where the polynomial schedule ends',
  ],
  [
    { lr_scheduler_kwargs: { num_cycles: 2 } },
    "it is an option of cosine and cosine_with_restarts: remove it, 'linear' has none such",
  ],
  [
    { lr_scheduler_type: 'cosine', lr_scheduler_kwargs: { power: 2 } },
    "it is an option of polynomial: remove it, 'cosine' has none such",
  ],
  [{ max_steps: 0 }, 'expected -1 (no limit) or at least 1'],
  [{ warmup_steps: 1.5 }, 'expected an integer, or below 1'],
  [
    { warmup_steps: 10, warmup_ratio: 0.1 },
    'warmup_steps is given too: remove warmup_ratio, its older name',
  ],
])('refuses %o: %s', (args, message) => {
  const result = trainingArgumentsSchema.safeParse(args);
  expect(result.error?.issues.map((issue) => issue.message)).toEqual([message]);
});
