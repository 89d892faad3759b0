import type { JsonObject } from '../json.ts';
import { valueAt, withInput } from './space.ts';
import type { SearchScheduler, SearchStrategy, Trial } from './strategy.ts';

/**
 * Optimizer steps at which the rungs end, ascending: max_steps / eta^k, rounded down, as long as that
 * is at least min_steps. Source: Li et al., "Hyperband", 2018, algorithm 1.
 */
export function rungSteps({ minSteps, maxSteps, eta }: SearchScheduler): readonly number[] {
  const steps: number[] = [];
  for (let divisor = 1; ; divisor *= eta) {
    const at = Math.floor(maxSteps / divisor);
    if (at < minSteps || at === 0) return steps;
    steps.unshift(at);
  }
}

/** How many rungs a search has; without a scheduler a trial is trained to its end at once. */
export function rungCount({ scheduler }: SearchStrategy): number {
  return scheduler === undefined ? 1 : rungSteps(scheduler).length;
}

/**
 * The trials that go on from a rung that all of its trials have ended: one in eta, the best first; of
 * equal ones the first. Source: Jamieson and Talwalkar, "Non-stochastic Best Arm Identification and
 * Hyperparameter Optimization", 2016; Li et al., "ASHA", 2020, algorithm 1.
 *
 * @param rung that has ended, from 0
 */
export function promoted(
  search: SearchStrategy,
  trials: readonly Trial[],
  rung: number,
): readonly Trial[] {
  const eta = search.scheduler?.eta ?? Infinity;
  const entered = trials.filter(({ rungs, failure }) => {
    const hasFailedHere = failure !== undefined && rungs.length === rung;
    return rungs.length > rung || hasFailedHere;
  });
  const count = Math.max(1, Math.floor(entered.length / eta));
  return ranked(search, trials, rung).slice(0, count);
}

/** Trials that have a result at a rung, the best first. */
function ranked(
  { goal }: SearchStrategy,
  trials: readonly Trial[],
  rung: number,
): readonly Trial[] {
  const sign = goal === 'minimize' ? 1 : -1;
  const valueOf = ({ rungs }: Trial): number => sign * (rungs[rung]?.value ?? 0);
  return trials
    .filter(({ rungs }) => rungs.length > rung)
    .sort((a, b) => valueOf(a) - valueOf(b) || a.number - b.number);
}

/** The best of the highest rung that any trial has ended; undefined when all failed. */
export function bestTrial(search: SearchStrategy, trials: readonly Trial[]): Trial | undefined {
  const highest = Math.max(0, ...trials.map(({ rungs }) => rungs.length)) - 1;
  return highest < 0 ? undefined : ranked(search, trials, highest)[0];
}

/** The inputs of a trial at a rung. */
export function trialInputs(
  inputs: JsonObject,
  { parameters, scheduler }: SearchStrategy,
  { values }: Pick<Trial, 'values'>,
  rung: number,
): JsonObject {
  const own = parameters.reduce(
    (rest, { path }, index) => withInput(rest, path, values[index] ?? null),
    inputs,
  );
  if (scheduler === undefined) return own;
  const steps = rungSteps(scheduler);
  const whole = withInput(own, scheduler.lengthInput, scheduler.maxSteps);
  // The last rung is the whole training: it has the fingerprint of one without a search.
  return rung === steps.length - 1
    ? whole
    : withInput(whole, scheduler.stopInput, steps[rung] ?? scheduler.maxSteps);
}

/**
 * Optimizer steps that a trial takes at a rung beyond those of the one before.
 *
 * @throws Error when nothing says how many
 */
export function stepsOfRung(
  { scheduler, lengthInput = [] }: SearchStrategy,
  inputs: JsonObject,
  rung: number,
): number {
  if (scheduler !== undefined) {
    const steps = rungSteps(scheduler);
    return (steps[rung] ?? 0) - (rung === 0 ? 0 : (steps[rung - 1] ?? 0));
  }
  const found = valueAt(inputs, lengthInput);
  if (typeof found === 'number' && found > 0) return found;
  const name = lengthInput.join('.');
  throw new Error(
    `the search has a budget of steps, and ${name} is ${JSON.stringify(found ?? null)}; set it to how many a trial has, or add a scheduler`,
  );
}
