import type { TrainingArguments } from './arguments.ts';
import { epochAfter, isEpochEnd, type Schedule } from './schedule.ts';

/** When something happens again; `every` is in optimizer steps, or below 1 a share of all. */
export type Interval =
  | { readonly by: 'no' }
  | { readonly by: 'epoch' }
  | { readonly by: 'steps'; readonly every: number };

/** When a training logs, evaluates and takes checkpoints besides those by time. */
export interface Strategies {
  readonly logging: Interval;
  readonly evaluation: Interval;
  /** `best`: at each evaluation that is the best so far. */
  readonly saving: Interval | { readonly by: 'best' };
}

/** Without save_steps, where no steps between evaluations could stand for them. */
const SAVE_STEPS = 500;

/** The strategies of the arguments, with the defaults that depend on other arguments. */
export function chooseStrategies(args: TrainingArguments, hasEvaluation: boolean): Strategies {
  const { logging_steps, eval_steps = logging_steps } = args;
  const evaluation = args.eval_strategy ?? (hasEvaluation ? 'epoch' : 'no');
  const saving = args.save_strategy ?? (evaluation === 'steps' ? 'steps' : 'epoch');
  const save_steps = args.save_steps ?? (evaluation === 'steps' ? eval_steps : SAVE_STEPS);
  return {
    logging: interval(args.logging_strategy, logging_steps),
    evaluation: interval(evaluation, eval_steps),
    saving: saving === 'best' ? { by: 'best' } : interval(saving, save_steps),
  };
}

function interval(by: Interval['by'], every: number): Interval {
  return by === 'steps' ? { by, every } : { by };
}

/** A moment after an optimizer step. */
export interface Moment {
  /** Optimizer steps done. */
  readonly step: number;
  /** Early stopping ends the training here. */
  readonly isStopped: boolean;
}

/**
 * What is due at moments of one training. Source: transformers 5.23, DefaultFlowCallback: an
 * epoch's end is also where a training ends before it.
 */
export class DueTimes {
  readonly #schedule: Schedule;
  readonly #strategies: Strategies;
  readonly #args: TrainingArguments;

  constructor(schedule: Schedule, strategies: Strategies, args: TrainingArguments) {
    this.#schedule = schedule;
    this.#strategies = strategies;
    this.#args = args;
  }

  /** By steps also after the last one, so that no loss is missing from the curve. */
  isLogDue(moment: Moment): boolean {
    const { logging } = this.#strategies;
    if (moment.step === 1 && this.#args.logging_first_step) return true;
    const isLast = logging.by === 'steps' && moment.step === this.#schedule.totalSteps;
    return isLast || this.#isDue(logging, moment);
  }

  /** By steps also after the last one of the schedule. */
  isEvaluationDue(moment: Moment): boolean {
    const { evaluation } = this.#strategies;
    const { step } = moment;
    if (step === 0) return this.#args.eval_on_start;
    const done = evaluation.by === 'epoch' ? epochAfter(this.#schedule, step) : step;
    if (done < this.#args.eval_delay) return false;
    const isLast = evaluation.by === 'steps' && step === this.#schedule.totalSteps;
    return isLast || this.#isDue(evaluation, moment);
  }

  /** @param isBest the evaluation of this moment is the best so far */
  isSaveDue(moment: Moment, isBest: boolean): boolean {
    const { saving } = this.#strategies;
    if (moment.step === 0) return false;
    if (saving.by === 'best') return isBest;
    const isLast = saving.by === 'steps' && moment.step === this.#schedule.totalSteps;
    return isLast || this.#isDue(saving, moment);
  }

  #isDue(interval: Interval, { step, isStopped }: Moment): boolean {
    if (interval.by === 'no' || step === 0) return false;
    if (interval.by === 'epoch') return isStopped || isEpochEnd(this.#schedule, step);
    return step % stepsOf(interval.every, this.#schedule.totalSteps) === 0;
  }
}

/** Source: transformers 5.23, TrainerState.compute_steps. */
function stepsOf(every: number, totalSteps: number): number {
  return every < 1 ? Math.ceil(totalSteps * every) : every;
}
