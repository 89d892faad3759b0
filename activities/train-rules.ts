import { z } from 'zod';
import type { TrainingArguments } from '../training/arguments.ts';

/** The inputs of train@1 that rules read; before a run, some values are known to be there only. */
interface Given {
  readonly args?: Partial<TrainingArguments>;
  readonly eval_dataset?: unknown;
  readonly early_stopping?: unknown;
  readonly class_weights?: unknown;
  readonly problem_type?: unknown;
  readonly device?: unknown;
}

interface Rule {
  readonly path: readonly string[];
  readonly isBroken: (given: Given, args: Partial<TrainingArguments>) => boolean;
  readonly error: string;
}

const NO_EVALUATION = 'there is no eval_dataset to evaluate: add one, or remove it';
const hasNoEvaluation = ({ eval_dataset }: Given): boolean => eval_dataset === undefined;

const RULES: readonly Rule[] = [
  {
    path: ['args', 'eval_strategy'],
    isBroken: (given, args) =>
      hasNoEvaluation(given) && !['no', undefined].includes(args.eval_strategy),
    error: NO_EVALUATION,
  },
  ...(['eval_steps', 'metric_for_best_model', 'greater_is_better'] as const).map((name) => ({
    path: ['args', name],
    isBroken: (given: Given, args: Partial<TrainingArguments>) =>
      hasNoEvaluation(given) && args[name] !== undefined,
    error: NO_EVALUATION,
  })),
  ...(['eval_on_start', 'load_best_model_at_end'] as const).map((name) => ({
    path: ['args', name],
    isBroken: (given: Given, args: Partial<TrainingArguments>) =>
      hasNoEvaluation(given) && args[name] === true,
    error: NO_EVALUATION,
  })),
  {
    path: ['args', 'save_strategy'],
    isBroken: (given, args) => hasNoEvaluation(given) && args.save_strategy === 'best',
    error: NO_EVALUATION,
  },
  {
    path: ['early_stopping'],
    isBroken: (given) => hasNoEvaluation(given) && given.early_stopping !== undefined,
    error: NO_EVALUATION,
  },
  {
    path: ['early_stopping'],
    isBroken: (given, args) => given.early_stopping !== undefined && args.eval_strategy === 'no',
    error: "it needs evaluations, and args.eval_strategy is 'no': remove one of the two",
  },
  ...(['bf16', 'fp16'] as const).map((name) => ({
    path: ['args', name],
    isBroken: ({ device }: Given, args: Partial<TrainingArguments>) =>
      device === 'cpu' && args[name] === true,
    error:
      'a CPU computes in float32 here, where half precision is no faster: remove it, or set device to a GPU',
  })),
  {
    path: ['args', 'bf16'],
    isBroken: ({ device }, args) => device === 'webgpu' && args.bf16 === true,
    error: 'WebGPU has no bfloat16: set fp16 in its place, or device to cuda',
  },
  {
    path: ['args', 'optim'],
    isBroken: ({ device }, args) =>
      args.optim === 'adafactor' && (device === 'cuda' || device === 'webgpu'),
    error: 'it is built for the CPU only: use adamw_torch or sgd, or set device to cpu',
  },
  {
    path: ['class_weights'],
    isBroken: ({ class_weights, problem_type }) =>
      class_weights !== undefined && problem_type === 'regression',
    error: 'a regression has no classes: remove it',
  },
  {
    path: ['args', 'label_smoothing_factor'],
    isBroken: ({ problem_type }, args) =>
      (args.label_smoothing_factor ?? 0) > 0 &&
      problem_type !== undefined &&
      problem_type !== 'single_label_classification',
    error: 'only one label of several classes can be smoothed: remove it',
  },
];

/**
 * What inputs of train@1 have to do with each other. They are looked at also when the values of
 * others are not known yet, as those of datasets never are before a run.
 */
export const trainRules = RULES.map(({ path, isBroken, error }) =>
  z.refine<Given>((given) => !isBroken(given, isMap(given.args) ? given.args : {}), {
    path: [...path],
    error,
    when: ({ value }) => isMap(value),
  }),
);

function isMap(value: unknown): value is object {
  return typeof value === 'object' && value !== null;
}
