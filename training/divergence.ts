import { z } from 'zod';
import type { TokenizedRows } from '../data/tokenized-dataset.ts';
import type { ModelDefinition } from './model.ts';

/** When a training whose loss stays finite counts as diverged. */
export interface DivergenceRule {
  /** How many times its level a loss has to be. */
  readonly factor: number;
  /** For so many optimizer steps one after the other. */
  readonly patience: number;
}

export const DEFAULT_DIVERGENCE: DivergenceRule = { factor: 2, patience: 20 };

/** Weight of the newest loss in the level: the mean of about the last hundred steps. */
const NEWEST = 0.01;
/** No level is above so many times the loss of a guess: a training that blows up at once has no other. */
const MOST_GUESSES = 5;

/** What losses of a task are like, whatever the model. */
export interface LossScale {
  /** The loss of who knows nothing of a row. */
  readonly guess: number;
  /** Lower levels count as this much: what is far below is noise beside a wrong answer. */
  readonly least: number;
}

/** The state of the rule: a part of a training's progress. */
export const lossLevelSchema = z.strictObject({
  /** Exponential mean of the losses, not corrected for its beginning. */
  average: z.number(),
  /** The lowest corrected mean after the first `patience` steps. */
  lowest: z.number().nullable(),
  /** Losses above the limit, up to the newest. */
  stepsAbove: z.int().min(0),
});
export type LossLevel = z.infer<typeof lossLevelSchema>;

export const START_LEVEL: LossLevel = { average: 0, lowest: null, stepsAbove: 0 };

/**
 * The scale of a model's losses on rows: ln C nats for a guess among C classes or tokens, and no
 * level below one nat; for numbers the mean of their squares.
 */
export function lossScale(
  {
    task,
    problemType,
    classes,
    vocabulary,
  }: Pick<ModelDefinition, 'task' | 'problemType' | 'classes' | 'vocabulary'>,
  { values }: Pick<TokenizedRows, 'values'>,
): LossScale {
  if (task === 'causal-lm') return { guess: Math.log(vocabulary), least: 1 };
  if (problemType === 'regression') {
    const squares = values?.reduce((sum, value) => sum + value * value, 0) ?? 0;
    const mean = squares / (values?.length || 1) || 1;
    return { guess: mean, least: mean };
  }
  const isSingle = problemType === 'single_label_classification';
  return { guess: isSingle ? Math.max(1, Math.log(classes)) : 1, least: 1 };
}

/**
 * The level after one more loss. One loss above the limit says nothing where a batch is one example;
 * `patience` of them in a row do: at a chance of 0.3 each, 20 in a row come once in 10^10 steps.
 *
 * @param step number of the optimizer step whose loss it is, from 1
 * @param limit of the level before: see lossLimit
 */
export function nextLevel(
  level: LossLevel,
  { step, loss, limit }: { readonly step: number; readonly loss: number; readonly limit: number },
  { patience }: DivergenceRule,
): LossLevel {
  const average = (1 - NEWEST) * level.average + NEWEST * loss;
  const mean = average / (1 - (1 - NEWEST) ** step);
  return {
    average,
    lowest: step < patience ? null : Math.min(level.lowest ?? Infinity, mean),
    stepsAbove: loss > limit ? level.stepsAbove + 1 : 0,
  };
}

/**
 * The loss above which a step counts: factor × the lowest mean of about a hundred losses so far, at
 * least `least` and at most 5 × `guess`, which also stands for it in the first steps.
 */
export function lossLimit(
  { lowest }: LossLevel,
  { factor }: DivergenceRule,
  { guess, least }: LossScale,
): number {
  return factor * Math.max(least, Math.min(lowest ?? Infinity, MOST_GUESSES * guess));
}

/** Whether the training has diverged. */
export function hasDiverged({ stepsAbove }: LossLevel, { patience }: DivergenceRule): boolean {
  return stepsAbove >= patience;
}

/** Whether so many losses are above the limit that no checkpoint should replace an older one. */
export function isDoubtful({ stepsAbove }: LossLevel, { patience }: DivergenceRule): boolean {
  return 2 * stepsAbove > patience;
}
