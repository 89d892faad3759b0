import { product } from '../graph/dimension.ts';
import type { Value } from '../graph/graph.ts';
import { bitwiseXor, cast, lessOrEqual, matMul, mul, reshape, shiftRight } from '../graph/ops.ts';
import { combine32 } from './dropout-keys.ts';

/** Odd, from murmur3's finaliser: multiplying by it carries low bits into high ones. */
const MULTIPLIER = 0x85ebca6b;

/** One place of the model where dropout is applied. */
export interface DropoutSite {
  /** uint32, one a token: of `dropout_keys`. */
  readonly keys: Value;
  /** Distinct for every place of the model. */
  readonly site: number;
  /** Probability that an element becomes 0. */
  readonly probability: number;
}

/**
 * Dropout of x [tokens,C]: zeroes elements with the site's probability, scales the others by
 * 1/(1 − p). An element's fate is a hash of (token's key, site, feature).
 */
export function dropFeatures(x: Value, { keys, site, probability }: DropoutSite): Value {
  if (probability === 0) return x;
  const C = Number(x.shape[1]);
  const key = reshape(keys, [product(keys.shape), 1]);
  const feature = keys.graph.constant('uint32', [1, C], siteMultipliers(site, C));
  const kept = keptMask(hash(mul(key, feature)), probability);
  return mul(mul(x, 1 / (1 - probability)), kept);
}

/** The same for an attention: one key a token that looks, and one a token that is looked at. */
export interface AttentionDropoutSite extends DropoutSite {
  readonly queries: Value;
}

/**
 * dropout(probabilities)·values: [R,H,Q,T] by [R,H,T,D] → [R,H,Q,D]. A probability's fate is a hash
 * of (query token's key, key token's key, site, head). The scale 1/(1 − p) is applied to the
 * product, which has fewer elements.
 */
export function dropAttention(
  probabilities: Value,
  values: Value,
  { queries, keys, site, probability }: AttentionDropoutSite,
): Value {
  if (probability === 0) return matMul(probabilities, values);
  const [R = 0, H = 0, Q = 0, T = 0] = probabilities.shape;
  const head = keys.graph.constant(
    'uint32',
    [1, Number(H), 1, 1],
    siteMultipliers(site, Number(H)),
  );
  const key = hash(mul(reshape(keys, [R, 1, 1, T]), head));
  const query = reshape(queries, [R, 1, Q, 1]);
  const kept = keptMask(hash(mul(query, key)), probability);
  return mul(matMul(mul(probabilities, kept), values), 1 / (1 - probability));
}

/** One round of murmur3's finaliser, over the product of two words that are hashes themselves. */
function hash(words: Value): Value {
  return mul(bitwiseXor(words, shiftRight(words, 16)), MULTIPLIER);
}

/** 1 where the element stays, 0 where it is dropped. */
function keptMask(hashes: Value, probability: number): Value {
  return cast(lessOrEqual(Math.round(probability * 2 ** 32), hashes), 'float32');
}

/** An odd pseudo-random word for each feature or head of a site. */
function siteMultipliers(site: number, count: number): Uint32Array {
  return Uint32Array.from({ length: count }, (_, i) => combine32(combine32(1, site), i) | 1);
}
