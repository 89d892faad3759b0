import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { trainingArgumentsSchema } from '../../../training/arguments.ts';
import { BUILT_ARGUMENTS, DIFFERENT_DEFAULTS } from '../../../training/arguments/built.ts';
import { OLDER_NAMES } from '../../../training/arguments/older-names.ts';
import { REFUSED_ARGUMENTS } from '../../../training/arguments/refused.ts';

// Of transformers' own sources: make-training-argument-names.py.
const file = new URL('../../fixtures/training-argument-names.json', import.meta.url);
const { defaults, names } = JSON.parse(readFileSync(file, 'utf8')) as {
  readonly defaults: Readonly<Record<string, unknown>>;
  readonly names: Readonly<Record<string, readonly string[]>>;
};

const isKnown = (name: string): boolean =>
  [BUILT_ARGUMENTS, OLDER_NAMES, REFUSED_ARGUMENTS].some((table) => Object.hasOwn(table, name));

test.each(Object.entries(names))(
  'every argument of transformers %s is built, an older name, or refused with a reason',
  (_, all) => {
    expect(all.length).toBeGreaterThan(90);
    expect(all.filter((name) => !isKnown(name))).toEqual([]);
  },
);

test('a name is in one of the three tables', () => {
  const all = [BUILT_ARGUMENTS, OLDER_NAMES, REFUSED_ARGUMENTS].flatMap(Object.keys);
  expect(all.toSorted()).toEqual([...new Set(all)].toSorted());
});

test('what is built has an argument of the same name in transformers', () => {
  const [newest = []] = Object.values(names);
  expect(Object.keys(BUILT_ARGUMENTS).filter((name) => !newest.includes(name))).toEqual([]);
});

test('every default is the one of Hugging Face, but for those that say why not', () => {
  const found: Readonly<Record<string, unknown>> = trainingArgumentsSchema.parse({});
  const different = Object.keys(BUILT_ARGUMENTS).filter((name) => found[name] !== defaults[name]);
  expect(different.toSorted()).toEqual(Object.keys(DIFFERENT_DEFAULTS).toSorted());
});

test.each([
  [{ evaluation_strategy: 'steps' }, { eval_strategy: 'steps' }],
  [{ warmup_ratio: 0.1 }, { warmup_steps: 0.1 }],
  [{ warmup_ratio: 0.1, warmup_steps: 0.1 }, { warmup_steps: 0.1 }],
  [{ group_by_length: true }, { train_sampling_strategy: 'group_by_length' }],
  [{ group_by_length: false }, { train_sampling_strategy: 'random' }],
  [{ per_gpu_train_batch_size: 2 }, { per_device_train_batch_size: 2 }],
  [{ adafactor: true }, { optim: 'adafactor' }],
  [{ adafactor: false, optim: 'sgd' }, { optim: 'sgd' }],
] as const)('%o means %o', (older, newer) => {
  const found = trainingArgumentsSchema.parse(older);
  expect(found).toMatchObject(newer);
  expect(Object.keys(found).filter((name) => name in OLDER_NAMES)).toEqual([]);
});

const BEST = { load_best_model_at_end: true, eval_strategy: 'steps', eval_steps: 4 } as const;

test.each([
  [{ learning_rates: 1 }, 'Unrecognized key: "learning_rates"'],
  [
    { output_dir: 'here' },
    "the model is the step's output, and checkpoints are the store's: remove it",
  ],
  [{ gradient_checkpointing: false }, REFUSED_ARGUMENTS.gradient_checkpointing],
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
  [{ eval_strategy: 'steps', eval_steps: 2.5 }, 'expected an integer, or below 1'],
  [
    { warmup_steps: 10, warmup_ratio: 0.1 },
    'warmup_steps is given too: remove warmup_ratio, its older name',
  ],
  [{ optim: 'sgd', adafactor: true }, 'optim is given too: remove adafactor, its older name'],
  [{ bf16: true, fp16: true }, 'bf16 is set too: remove one of the two'],
  [{ optim_args: 'momentum=0.9' }, "'adamw_torch' takes none: remove it"],
  [{ optim: 'sgd', optim_args: 'momentum=high' }, 'momentum=high: expected a number of at least 0'],
  [{ optim: 'sgd', optim_args: 'nesterov=maybe' }, 'nesterov=maybe: expected true or false'],
  [
    { optim: 'sgd', optim_args: 'nesterov=true' },
    'nesterov needs a momentum above 0, and no dampening',
  ],
  [
    { optim: 'sgd', optim_args: 'rho=1' },
    'unknown "rho"; expected momentum=..., dampening=..., nesterov=...',
  ],
  [
    { optim: 'sgd', optim_args: 'weight_decay=1' },
    'weight_decay is an argument of its own: set it there',
  ],
  [{ eval_steps: 5 }, 'it counts with eval_strategy: steps only; set that, or remove it'],
  [
    { eval_strategy: 'no', eval_delay: 5 },
    'eval_strategy: no evaluates nothing; remove one of the two',
  ],
  [{ save_steps: 5 }, 'it counts with save_strategy: steps only; set that, or remove it'],
  [
    { eval_strategy: 'no', load_best_model_at_end: true },
    "it needs evaluations: set eval_strategy to 'steps' or 'epoch'",
  ],
  [
    { eval_strategy: 'no', save_strategy: 'best' },
    "it needs evaluations: set eval_strategy to 'steps' or 'epoch'",
  ],
  [
    { ...BEST, save_strategy: 'epoch' },
    "it needs a checkpoint where it evaluates, and eval_strategy is 'steps', save_strategy 'epoch': make them equal, or save_strategy 'best'",
  ],
  [
    { ...BEST, save_steps: 6 },
    'it needs a checkpoint where it evaluates: save_steps (6) has to be a multiple of eval_steps (4), both in steps or both a share',
  ],
  [
    { ...BEST, save_steps: 0.5 },
    'it needs a checkpoint where it evaluates: save_steps (0.5) has to be a multiple of eval_steps (4), both in steps or both a share',
  ],
])('refuses %o: %s', (args, message) => {
  const result = trainingArgumentsSchema.safeParse(args);
  expect(result.error?.issues.map((issue) => issue.message)).toEqual([message]);
});

test.each([
  BEST,
  { ...BEST, save_steps: 8 },
  { ...BEST, save_strategy: 'best' },
  { ...BEST, eval_steps: 0.1, save_steps: 0.3 },
  { load_best_model_at_end: true },
  { optim: 'sgd', optim_args: 'momentum = 0.9, nesterov=yes' },
])('accepts %o', (args) => {
  expect(trainingArgumentsSchema.safeParse(args).error).toBeUndefined();
});
