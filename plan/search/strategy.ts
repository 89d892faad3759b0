import type { JsonValue } from '../json.ts';

export const SAMPLERS = ['random', 'grid', 'tpe'] as const;
export const GOALS = ['minimize', 'maximize'] as const;
export const DISTRIBUTIONS = ['uniform', 'log_uniform', 'int'] as const;
/** Of one search: its table travels in one message, and its history in one workflow. */
export const MAX_TRIALS = 1000;

/** An input of the step: its place in `with`. */
export type InputPlace = readonly string[];

/** What an input is tried with. */
export type SearchParameter = { readonly path: InputPlace } & (
  | { readonly kind: 'values'; readonly values: readonly JsonValue[] }
  | {
      readonly kind: 'range';
      readonly min: number;
      readonly max: number;
      readonly distribution: (typeof DISTRIBUTIONS)[number];
    }
);

/** Successive halving: a rung trains what the one before left over for longer. */
export interface SearchScheduler {
  /** One in so many goes on to the next rung. */
  readonly eta: number;
  /** Optimizer steps of the first rung, at least. */
  readonly minSteps: number;
  /** Optimizer steps of the last rung, and of every learning rate's schedule. */
  readonly maxSteps: number;
  /** The input that says how long the whole training is. */
  readonly lengthInput: InputPlace;
  /** The input that says after which optimizer step it stops for now. */
  readonly stopInput: InputPlace;
}

/** After this no trial begins, and none goes on to the next rung. */
export interface SearchBudget {
  /** Optimizer steps of all trials together. */
  readonly steps?: number;
  readonly timeMs?: number;
}

/** Runs a step with many inputs, and takes the result that is best: hyperparameter search. */
export interface SearchStrategy {
  /** The number to compare, by its path inside the step's outputs. */
  readonly metric: string;
  readonly goal: (typeof GOALS)[number];
  readonly sampler: (typeof SAMPLERS)[number];
  readonly seed: number;
  readonly maxTrials: number;
  /** Trials that run at once. */
  readonly maxParallel: number;
  readonly parameters: readonly SearchParameter[];
  readonly scheduler?: SearchScheduler;
  readonly budget?: SearchBudget;
  /** The input that says how many optimizer steps a trial has, where a budget counts them. */
  readonly lengthInput?: InputPlace;
}

/** What a trial came to at one rung. */
export interface RungResult {
  /** Of the step at this rung: its result is in the cache. */
  readonly fingerprint: string;
  readonly value: number;
}

/** One choice of values. Small: a search keeps all of its trials. */
export interface Trial {
  /** From 0; it alone decides, with the results of trials before it, over the values. */
  readonly number: number;
  /** In the order of the parameters. */
  readonly values: readonly JsonValue[];
  /** Of the rungs that it has ended, from the first. */
  readonly rungs: readonly RungResult[];
  /** It failed by what its values are, and goes no further. */
  readonly failure?: string;
}

/** As Trainer's greater_is_better, which knows of the loss alone. */
const LESS_IS_BETTER = /(^|[._])(loss|perplexity|mse|mae)$/;

/** Which number is best when nobody says so: of a loss the lowest, as Trainer has it. */
export function usualGoal(path: string): (typeof GOALS)[number] {
  return LESS_IS_BETTER.test(path) ? 'minimize' : 'maximize';
}

/** `args.learning_rate`: how a person writes a place. */
export function placeName(place: InputPlace): string {
  return place.join('.');
}
