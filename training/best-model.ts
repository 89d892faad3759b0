import { Failure } from '../plan/failures.ts';
import type { TrainingArguments } from './arguments.ts';
import type { DueTimes } from './strategies.ts';
import type { TrainingProgress } from './training-progress.ts';

/** Ends a training whose evaluations stop getting better. */
export interface EarlyStopping {
  /** Evaluations that may be no better, one after the other. */
  readonly patience: number;
  /** By how much an evaluation has to be better than the best before, to count as better. */
  readonly threshold: number;
}

/** Which of two evaluations is better. */
export interface Criterion {
  /** A key of an evaluation's row in the history: `eval_loss`. */
  readonly metric: string;
  readonly isGreaterBetter: boolean;
}

/** Source: transformers 5.23, TrainingArguments.__post_init__. */
export function criterionOf(args: TrainingArguments): Criterion {
  const name = args.metric_for_best_model ?? 'loss';
  return {
    metric: name.startsWith('eval_') ? name : `eval_${name}`,
    isGreaterBetter: args.greater_is_better ?? !name.endsWith('loss'),
  };
}

/**
 * Checks that evaluations have the metric, before the first of them.
 * @param metrics names in the history, `eval_loss` among them
 * @throws InvalidInput
 */
export function checkCriterion({ metric }: Criterion, metrics: readonly string[]): void {
  if (metrics.includes(metric)) return;
  const names = metrics.map((name) => name.replace(/^eval_/, '')).join(', ');
  throw new Failure(
    'InvalidInput',
    `metric_for_best_model is ${JSON.stringify(metric.replace(/^eval_/, ''))}, and evaluations ` +
      `have ${names}; set it to one of these`,
  );
}

/**
 * Takes note of an evaluation: the best so far, and whether training stops early.
 * Source: transformers 5.23, EarlyStoppingCallback (which compares with the best before this one)
 * and Trainer._determine_best_metric.
 *
 * @returns whether it is the best so far
 */
export function judge(
  progress: TrainingProgress,
  value: number,
  criterion: Criterion,
  stopping: EarlyStopping | undefined,
): boolean {
  const before = progress.best;
  const isBetter = before === null || isAbove(value, before.value, criterion);
  if (stopping !== undefined) {
    const isClearlyBetter =
      before === null || (isBetter && Math.abs(value - before.value) > stopping.threshold);
    progress.evaluationsWithoutGain = isClearlyBetter ? 0 : progress.evaluationsWithoutGain + 1;
    if (progress.evaluationsWithoutGain >= stopping.patience) progress.isStopped = true;
  }
  if (isBetter) progress.best = { step: progress.step, value };
  return isBetter;
}

/** What a moment asks of checkpoints. */
export interface SaveDecision {
  readonly isDue: boolean;
  /** Its parameters are those of the best evaluation so far, and kept. */
  readonly isBest: boolean;
}

/**
 * Decides on the checkpoint after an optimizer step and its evaluation, and takes note of a best
 * that is kept. Source: transformers 5.23, Trainer._save_checkpoint: only what a checkpoint took
 * can be loaded at the end.
 */
export function decideSave(
  progress: TrainingProgress,
  due: Pick<DueTimes, 'isSaveDue'>,
): SaveDecision {
  const { step, isStopped, best } = progress;
  const isBestStep = best !== null && best.step === step;
  const isDue = due.isSaveDue({ step, isStopped }, isBestStep);
  if (isDue && isBestStep) progress.savedBestStep = step;
  return { isDue, isBest: isDue && isBestStep };
}

function isAbove(value: number, best: number, { isGreaterBetter }: Criterion): boolean {
  return isGreaterBetter ? value > best : value < best;
}
