import { createHash } from 'node:crypto';
import { setImmediate as yieldToEvents } from 'node:timers/promises';
import { normalQuantile } from './normal-quantile.ts';

/** How a parameter that no checkpoint holds is filled. */
export type InitializationRule =
  | { readonly kind: 'normal'; readonly std: number }
  /** On the open interval from -bound to bound. */
  | { readonly kind: 'uniform'; readonly bound: number }
  | { readonly kind: 'zeros' }
  | { readonly kind: 'ones' };

export interface InitializeTensorInput {
  readonly seed: number;
  /** Hugging Face name: each tensor has numbers of its own. */
  readonly name: string;
  readonly rule: InitializationRule;
  /** Filled; its first element is element `offset` of the tensor. */
  readonly target: Float32Array;
  /** 0 when left out. */
  readonly offset?: number;
}

/** Elements between two turns of the event loop, about 3 ms. */
const TURN_ELEMENTS = 1 << 17;

/**
 * Fills (a part of) a fresh tensor. Element i is a function of (seed, name, i) alone, in arithmetic
 * that every machine rounds alike: so a part, a resume or another machine gives the same bits.
 * The event loop gets a turn every few milliseconds.
 */
export async function initializeTensor(input: InitializeTensorInput): Promise<void> {
  const { rule, target, offset = 0 } = input;
  if (rule.kind === 'zeros' || rule.kind === 'ones') {
    target.fill(rule.kind === 'ones' ? 1 : 0);
    return;
  }
  const keys = tensorKeys(input.seed, input.name);
  for (let start = 0; start < target.length; start += TURN_ELEMENTS) {
    const part = target.subarray(start, start + TURN_ELEMENTS);
    fillRandom(part, offset + start, keys, rule);
    if (start + TURN_ELEMENTS < target.length) await yieldToEvents();
  }
}

type TensorKeys = readonly [number, number];

/** Two 32-bit keys from SHA-256 of the seed and the name. */
function tensorKeys(seed: number, name: string): TensorKeys {
  const digest = createHash('sha256')
    .update(JSON.stringify([seed, name]))
    .digest();
  return [digest.readUInt32LE(0), digest.readUInt32LE(4)];
}

type RandomRule = Extract<InitializationRule, { readonly kind: 'normal' | 'uniform' }>;

/** The rule's quantile of (h + 1/2) / 2³² for a 32-bit hash h of the element's number. */
function fillRandom(
  target: Float32Array,
  first: number,
  [key1, key2]: TensorKeys,
  rule: RandomRule,
): void {
  for (let i = 0; i < target.length; i++) {
    const p = (mix(mix((first + i) ^ key1) ^ key2) + 0.5) / 2 ** 32;
    target[i] = rule.kind === 'normal' ? rule.std * normalQuantile(p) : rule.bound * (2 * p - 1);
  }
}

/**
 * A bijection of 32 bits with low avalanche bias. Source: Chris Wellons, hash-prospector
 * (triple32).
 */
function mix(value: number): number {
  let x = value >>> 0;
  x = Math.imul(x ^ (x >>> 17), 0xed5ad4bb);
  x = Math.imul(x ^ (x >>> 11), 0xac4c1b51);
  x = Math.imul(x ^ (x >>> 15), 0x31848bab);
  return (x ^ (x >>> 14)) >>> 0;
}
