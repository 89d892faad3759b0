import type { JsonValue } from '../json.ts';
import { normal } from './random.ts';
import { fromScale, onScale, type Range, scaleOf } from './space.ts';
import type { SearchParameter } from './strategy.ts';

/** A density over the values of one parameter, from values that were tried. */
export interface Density {
  sample(draw: () => number): JsonValue;
  logDensity(value: JsonValue): number;
}

/** Weight of what is known before anything was tried, against 1 of a value that was. */
const PRIOR_WEIGHT = 1;
/** The newest values count fully; of older ones the older count less. */
const FULL_WEIGHTS = 25;
const MAX_DRAWS = 1000;

/**
 * A Parzen estimator as that of Optuna's TPESampler with its defaults: a normal distribution about
 * each value that was tried, and one about the middle of the range; of listed values, counts.
 * Source: optuna 5.0, samplers/_tpe/parzen_estimator.py.
 *
 * @param tried in the order of the trials
 */
export function parzen(parameter: SearchParameter, tried: readonly JsonValue[]): Density {
  const weights = weightsOf(tried.length);
  return parameter.kind === 'values'
    ? overValues(parameter.values, tried, weights)
    : overRange(parameter, tried as readonly number[], weights);
}

/** Of each value tried, and of the prior: together 1. */
function weightsOf(count: number): readonly number[] {
  const older = Math.max(0, count - FULL_WEIGHTS);
  const weights = Array.from({ length: count }, (_, i) => {
    if (i >= older) return 1;
    // A line from 1 / count to 1.
    return older === 1 ? 1 / count : 1 / count + (i * (1 - 1 / count)) / (older - 1);
  });
  weights.push(PRIOR_WEIGHT);
  const sum = weights.reduce((total, weight) => total + weight, 0);
  return weights.map((weight) => weight / sum);
}

function overValues(
  values: readonly JsonValue[],
  tried: readonly JsonValue[],
  weights: readonly number[],
): Density {
  // Each kernel is the prior's equal share of every value, and 1 of the value that was tried.
  const share = PRIOR_WEIGHT / (tried.length + 1);
  const texts = values.map((value) => JSON.stringify(value));
  const kernels = [...tried.map((value) => texts.indexOf(JSON.stringify(value))), -1];
  const densities = texts.map((_, place) =>
    kernels.reduce((sum, kernel, i) => {
      const isPrior = kernel === -1;
      const total = share * texts.length + (isPrior ? 0 : 1);
      return sum + ((weights[i] ?? 0) * (share + (kernel === place ? 1 : 0))) / total;
    }, 0),
  );
  return {
    sample: (draw) => values[chosen(densities, draw())] ?? null,
    logDensity: (value) => Math.log(densities[texts.indexOf(JSON.stringify(value))] ?? 0),
  };
}

function overRange(range: Range, tried: readonly number[], weights: readonly number[]): Density {
  const { low, high } = scaleOf(range);
  const { means, deviations } = kernelsOf(
    tried.map((value) => onScale(range, value)),
    low,
    high,
  );
  const inside = means.map((mean, i) => {
    const deviation = deviations[i] ?? 1;
    return massBetween((low - mean) / deviation, (high - mean) / deviation);
  });
  const kernelDensity = (place: number, i: number): number => {
    const [mean, deviation, mass] = [means[i] ?? 0, deviations[i] ?? 1, inside[i] ?? 1];
    const at = (edge: number): number => (edge - mean) / deviation;
    if (range.distribution === 'int') return massBetween(at(place - 0.5), at(place + 0.5)) / mass;
    return Math.exp(-(at(place) ** 2) / 2) / (deviation * Math.sqrt(2 * Math.PI) * mass);
  };
  return {
    sample: (draw) => {
      const kernel = chosen(weights, draw());
      const [mean, deviation] = [means[kernel] ?? low, deviations[kernel] ?? 1];
      // At least a third of a kernel lies in the range.
      for (let i = 0; i < MAX_DRAWS; i++) {
        const place = mean + deviation * normal(draw);
        if (place >= low && place <= high) return fromScale(range, place);
      }
      return fromScale(range, mean);
    },
    logDensity: (value) => {
      const place = onScale(range, value as number);
      return Math.log(
        weights.reduce((sum, weight, i) => sum + weight * kernelDensity(place, i), 0),
      );
    },
  };
}

/**
 * A kernel about each place, as wide as the farther of its neighbours is away (of a single place the
 * farther end), but not too narrow (`consider_magic_clip`); the last is the prior's.
 */
function kernelsOf(
  places: readonly number[],
  low: number,
  high: number,
): { readonly means: readonly number[]; readonly deviations: readonly number[] } {
  const width = high - low;
  const order = places.map((_, i) => i).sort((a, b) => (places[a] ?? 0) - (places[b] ?? 0));
  const narrowest = width / Math.min(100, 2 + places.length);
  const deviations = places.map(() => width);
  const [begin, end] = places.length === 1 ? [low, high] : [undefined, undefined];
  for (const [rank, index] of order.entries()) {
    const place = places[index] ?? 0;
    const below = places[order[rank - 1] ?? -1] ?? begin ?? place;
    const above = places[order[rank + 1] ?? -1] ?? end ?? place;
    const widest = Math.max(place - below, above - place);
    deviations[index] = Math.min(width, Math.max(narrowest, widest));
  }
  return { means: [...places, (low + high) / 2], deviations: [...deviations, width] };
}

/** The index at which the sum of the weights passes a share of it. */
function chosen(weights: readonly number[], share: number): number {
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  let rest = share * total;
  for (const [index, weight] of weights.entries()) {
    rest -= weight;
    if (rest < 0) return index;
  }
  return weights.length - 1;
}

/** Of the standard normal distribution. */
function massBetween(from: number, to: number): number {
  // On the side where both tails are small, so that no digits are lost.
  if (from > 0) return lowerTail(-from) - lowerTail(-to);
  return lowerTail(to) - lowerTail(from);
}

/** Φ(x), from erf's series near 0 and the continued fraction of erfc far from it. */
function lowerTail(x: number): number {
  if (x > 0) return 1 - lowerTail(-x);
  const z = -x / Math.SQRT2;
  if (z < 2) {
    let [term, sum] = [z, z];
    for (let n = 1; n < 60; n++) {
      term *= -(z * z) / n;
      sum += term / (2 * n + 1);
    }
    return (1 - (2 / Math.sqrt(Math.PI)) * sum) / 2;
  }
  let fraction = z;
  for (let n = 60; n > 0; n--) fraction = z + n / 2 / fraction;
  return Math.exp(-z * z) / fraction / Math.sqrt(Math.PI) / 2;
}
