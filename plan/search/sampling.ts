import type { JsonValue } from '../json.ts';
import { parzen } from './parzen.ts';
import { randomNumbers } from './random.ts';
import { drawn, gridPoint, gridSize } from './space.ts';
import { placeName, type SearchParameter, type SearchStrategy, type Trial } from './strategy.ts';

// Defaults of Optuna's TPESampler.
const STARTUP_TRIALS = 10;
const CANDIDATES = 24;
const GOOD_SHARE = 0.1;
const MAX_GOOD = 25;

/** How many trials a search has, if its budget lasts. */
export function trialCount({ sampler, maxTrials, parameters }: SearchStrategy): number {
  return sampler === 'grid' ? Math.min(maxTrials, gridSize(parameters)) : maxTrials;
}

/**
 * How many of the next trials are chosen at once: with tpe those that run side by side, and the
 * results of all before them are known then.
 */
export function batchSize({ sampler, maxParallel }: SearchStrategy): number {
  return sampler === 'tpe' ? maxParallel : Infinity;
}

/**
 * The values of a trial. They follow from the search, the trial's number, and with tpe from the
 * results of `ended` at the first rung: from nothing else.
 *
 * @param ended trials of the batches before
 */
export function sampled(
  search: SearchStrategy,
  number: number,
  ended: readonly Trial[],
): readonly JsonValue[] {
  const { sampler, parameters, seed } = search;
  if (sampler === 'grid') return gridPoint(parameters, number);
  const known = sampler === 'tpe' ? ended.filter(({ rungs }) => rungs.length > 0) : [];
  return parameters.map((parameter, index) => {
    const draw = randomNumbers(seed, number, placeName(parameter.path));
    if (known.length < STARTUP_TRIALS) return drawn(parameter, draw);
    return likelyGood(parameter, index, split(search, known), draw);
  });
}

interface Split {
  readonly good: readonly Trial[];
  readonly others: readonly Trial[];
}

/** The best tenth, but 25 at most, and the rest; each in the order of the trials. */
function split({ goal }: SearchStrategy, known: readonly Trial[]): Split {
  const sign = goal === 'minimize' ? 1 : -1;
  const valueOf = ({ rungs: [first] }: Trial): number => sign * (first?.value ?? 0);
  const ranked = [...known].sort((a, b) => valueOf(a) - valueOf(b) || a.number - b.number);
  const count = Math.min(Math.ceil(GOOD_SHARE * known.length), MAX_GOOD);
  const good = new Set(ranked.slice(0, count));
  return {
    good: known.filter((trial) => good.has(trial)),
    others: known.filter((trial) => !good.has(trial)),
  };
}

/**
 * Of values drawn from the density l of good trials the one with the greatest l / g, g the density
 * of the others. Source: Bergstra, Bardenet, Bengio, Kégl, "Algorithms for Hyper-Parameter
 * Optimization", 2011, section 4.
 */
function likelyGood(
  parameter: SearchParameter,
  index: number,
  { good, others }: Split,
  draw: () => number,
): JsonValue {
  const valuesOf = (trials: readonly Trial[]): JsonValue[] =>
    trials.map(({ values }) => values[index] ?? null);
  const [l, g] = [parzen(parameter, valuesOf(good)), parzen(parameter, valuesOf(others))];
  const candidates = Array.from({ length: CANDIDATES }, () => l.sample(draw));
  const scores = candidates.map((value) => l.logDensity(value) - g.logDensity(value));
  return candidates[scores.indexOf(Math.max(...scores))] ?? null;
}
