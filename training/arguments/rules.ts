import type { TrainingArguments } from '../arguments.ts';
import { chooseStrategies } from '../strategies.ts';
import { readSgdArguments } from './optimizer-arguments.ts';

/** Source: transformers 5.x, get_polynomial_decay_schedule_with_warmup. */
export const POLYNOMIAL_END = 1e-7;

/** The schedulers that an option of lr_scheduler_kwargs is for. */
const SCHEDULER_OPTIONS = {
  num_cycles: ['cosine', 'cosine_with_restarts'],
  power: ['polynomial'],
  lr_end: ['polynomial'],
  timescale: ['inverse_sqrt'],
} as const satisfies { readonly [option: string]: readonly string[] };

/** Arguments that do not fit each other. */
export interface ArgumentProblem {
  readonly path: readonly string[];
  readonly message: string;
}

/** A rule finds problems that show at a key which the person has written. */
type Rule = (args: TrainingArguments) => readonly ArgumentProblem[];

const problem = (name: string, message: string): readonly ArgumentProblem[] => [
  { path: [name], message },
];
const NONE: readonly ArgumentProblem[] = [];

const scheduler: Rule = (args) => {
  const { lr_scheduler_type: type, lr_scheduler_kwargs: options = {}, learning_rate } = args;
  const strangers = Object.entries(SCHEDULER_OPTIONS).flatMap(([key, types]) => {
    const fitting: readonly string[] = types;
    if (options[key as keyof typeof options] === undefined || fitting.includes(type)) return NONE;
    const message = `it is an option of ${fitting.join(' and ')}: remove it, '${type}' has none such`;
    return [{ path: ['lr_scheduler_kwargs', key], message }];
  });
  if (type === 'constant' && args.warmup_steps !== 0) {
    const message = "'constant' has no warm-up: use 'constant_with_warmup', or remove the warm-up";
    return [...strangers, ...problem('lr_scheduler_type', message)];
  }
  if (type === 'polynomial' && learning_rate <= (options.lr_end ?? POLYNOMIAL_END)) {
    const message =
      'expected more than lr_end (1e-7 by default), where the polynomial schedule ends';
    return [...strangers, ...problem('learning_rate', message)];
  }
  return strangers;
};

const optimizer: Rule = ({ optim, optim_args: text, bf16, fp16 }) => {
  if (bf16 && fp16) return problem('fp16', 'bf16 is set too: remove one of the two');
  if (text === undefined) return NONE;
  if (optim !== 'sgd') return problem('optim_args', `'${optim}' takes none: remove it`);
  const read = readSgdArguments(text);
  return typeof read === 'string' ? problem('optim_args', read) : NONE;
};

/** Keys that count only with another: Trainer ignores them, which nobody wants. */
const idle: Rule = (args) => {
  const { evaluation, saving } = chooseStrategies(args, true);
  if (args.eval_steps !== undefined && evaluation.by !== 'steps') {
    return problem(
      'eval_steps',
      'it counts with eval_strategy: steps only; set that, or remove it',
    );
  }
  if (args.eval_delay > 0 && evaluation.by === 'no') {
    return problem('eval_delay', 'eval_strategy: no evaluates nothing; remove one of the two');
  }
  if (args.save_steps !== undefined && saving.by !== 'steps') {
    return problem(
      'save_steps',
      'it counts with save_strategy: steps only; set that, or remove it',
    );
  }
  return NONE;
};

/** Source: transformers 5.23, TrainingArguments._validate_args. */
const best: Rule = (args) => {
  const { evaluation, saving } = chooseStrategies(args, true);
  if (evaluation.by === 'no') {
    const message = "it needs evaluations: set eval_strategy to 'steps' or 'epoch'";
    if (args.load_best_model_at_end) return problem('load_best_model_at_end', message);
    return saving.by === 'best' ? problem('save_strategy', message) : NONE;
  }
  if (!args.load_best_model_at_end || saving.by === 'best') return NONE;
  if (evaluation.by !== saving.by) {
    return problem(
      'load_best_model_at_end',
      `it needs a checkpoint where it evaluates, and eval_strategy is '${evaluation.by}', ` +
        `save_strategy '${saving.by}': make them equal, or save_strategy 'best'`,
    );
  }
  if (evaluation.by !== 'steps' || saving.by !== 'steps') return NONE;
  return isMultiple(saving.every, evaluation.every)
    ? NONE
    : problem(
        'load_best_model_at_end',
        `it needs a checkpoint where it evaluates: save_steps (${saving.every}) has to be a ` +
          `multiple of eval_steps (${evaluation.every}), both in steps or both a share`,
      );
};

/** In millionths, as Trainer: shares are no exact binary fractions. */
function isMultiple(steps: number, of: number): boolean {
  if (steps < 1 !== of < 1) return false;
  const scale = steps < 1 ? 1_000_000 : 1;
  return (steps * scale) % (of * scale) === 0;
}

/** Everything that does not fit together. */
export function argumentProblems(args: TrainingArguments): readonly ArgumentProblem[] {
  return [scheduler, optimizer, idle, best].flatMap((rule) => rule(args));
}
