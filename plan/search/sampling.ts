import type { JsonValue } from '../json.ts';
import { type Density, parzen } from './parzen.ts';
import { randomNumbers } from './random.ts';
import { drawn, gridPoint, gridSize } from './space.ts';
import { placeName, type SearchStrategy, type Trial } from './strategy.ts';

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
 * Chooses the values of trials, each by its number. They follow from the search, the number, and with
 * tpe from the results of `ended` at the first rung: from nothing else.
 *
 * @param ended trials of the batches before
 */
export function sampling(
  search: SearchStrategy,
  ended: readonly Trial[],
): (number: number) => readonly JsonValue[] {
  const { sampler, parameters, seed } = search;
  if (sampler === 'grid') return (number) => gridPoint(parameters, number);
  const known = sampler === 'tpe' ? ended.filter(({ rungs }) => rungs.length > 0) : [];
  const densities = known.length < STARTUP_TRIALS ? undefined : densitiesOf(search, known);
  return (number) =>
    parameters.map((parameter, index) => {
      const draw = randomNumbers(seed, number, placeName(parameter.path));
      const density = densities?.[index];
      return density === undefined ? drawn(parameter, draw) : likelyGood(density, draw);
    });
}

/** Of one parameter: l of good trials, g of the others. */
interface Densities {
  readonly l: Density;
  readonly g: Density;
}

function densitiesOf(search: SearchStrategy, known: readonly Trial[]): readonly Densities[] {
  const { good, others } = split(search, known);
  return search.parameters.map((parameter, index) => {
    const valuesOf = (trials: readonly Trial[]): JsonValue[] =>
      trials.map(({ values }) => values[index] ?? null);
    return { l: parzen(parameter, valuesOf(good)), g: parzen(parameter, valuesOf(others)) };
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
 * Of values drawn from l the one with the greatest l / g. Source: Bergstra, Bardenet, Bengio, Kégl,
 * "Algorithms for Hyper-Parameter Optimization", 2011, section 4.
 */
function likelyGood({ l, g }: Densities, draw: () => number): JsonValue {
  const candidates = Array.from({ length: CANDIDATES }, () => l.sample(draw));
  const scores = candidates.map((value) => l.logDensity(value) - g.logDensity(value));
  return candidates[scores.indexOf(Math.max(...scores))] ?? null;
}
