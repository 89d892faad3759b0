import type { TrainingArguments } from './arguments.ts';
import { POLYNOMIAL_END } from './arguments/rules.ts';
import type { Schedule } from './schedule.ts';

/** The part of a training that a rule may depend on; steps count from 0. */
interface Course {
  readonly step: number;
  readonly warmupSteps: number;
  readonly totalSteps: number;
  readonly highest: number;
  readonly options: NonNullable<TrainingArguments['lr_scheduler_kwargs']>;
}

/**
 * What the highest learning rate is multiplied by after the warm-up, for each name of Hugging Face's
 * SchedulerType that is built. Source: transformers 5.x, optimization.py.
 */
const AFTER_WARM_UP: {
  readonly [type in TrainingArguments['lr_scheduler_type']]: (course: Course) => number;
} = {
  // (total − step) / (total − warm-up)
  linear: ({ step, warmupSteps, totalSteps }) =>
    Math.max(0, (totalSteps - step) / Math.max(1, totalSteps - warmupSteps)),
  // (1 + cos(2π · cycles · progress)) / 2, half a cycle by default
  cosine: (course) => {
    const { num_cycles: cycles = 0.5 } = course.options;
    return Math.max(0, 0.5 * (1 + Math.cos(Math.PI * cycles * 2 * progressOf(course))));
  },
  // (1 + cos(π · fraction of the cycle)) / 2: from the top again with each of the cycles
  cosine_with_restarts: (course) => {
    const { num_cycles: cycles = 1 } = course.options;
    const progress = progressOf(course);
    if (progress >= 1) return 0;
    return Math.max(0, 0.5 * (1 + Math.cos(Math.PI * ((cycles * progress) % 1))));
  },
  // ((highest − end) · (1 − progress)^power + end) / highest
  polynomial: ({ step, warmupSteps, totalSteps, highest, options }) => {
    const { power = 1, lr_end: end = POLYNOMIAL_END } = options;
    if (step > totalSteps) return end / highest;
    const remaining = 1 - (step - warmupSteps) / (totalSteps - warmupSteps);
    return ((highest - end) * remaining ** power + end) / highest;
  },
  constant: () => 1,
  constant_with_warmup: () => 1,
  // sqrt(timescale / (step + timescale − warm-up))
  inverse_sqrt: ({ step, warmupSteps, options }) => {
    const timescale = options.timescale ?? (warmupSteps || 10_000);
    return 1 / Math.sqrt((step + timescale - warmupSteps) / timescale);
  },
};

/** Share of the steps after the warm-up that is done. */
function progressOf({ step, warmupSteps, totalSteps }: Course): number {
  return (step - warmupSteps) / Math.max(1, totalSteps - warmupSteps);
}

/**
 * Learning rate of the optimizer step that comes after `step` others: it rises linearly from 0 over
 * the warm-up, then goes as lr_scheduler_type says.
 */
export function learningRateAt(
  { totalSteps, warmupSteps }: Schedule,
  step: number,
  args: TrainingArguments,
): number {
  const {
    learning_rate: highest,
    lr_scheduler_type: type,
    lr_scheduler_kwargs: options = {},
  } = args;
  if (step < warmupSteps) return highest * (step / Math.max(1, warmupSteps));
  return highest * AFTER_WARM_UP[type]({ step, warmupSteps, totalSteps, highest, options });
}
