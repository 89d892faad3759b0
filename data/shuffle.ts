import { Failure } from '../plan/failures.ts';

const MASK_32 = 0xffffffffn;
const MASK_128 = (1n << 128n) - 1n;
const PCG_MULTIPLIER = 47026247687942121848144207491837523525n;

/**
 * The order in which Hugging Face's `Dataset.shuffle(seed)` puts `n` rows: row `i` of the result
 * is row `permutation(n, seed)[i]` of the input. Equal to numpy's
 * `default_rng(seed).permutation(n)`: PCG64 seeded by SeedSequence, then a Fisher-Yates shuffle
 * for i = n-1 .. 1 that swaps i with j in [0, i].
 *
 * @throws InvalidInput when `seed` is no integer from 0 to 2^53 - 1
 */
export function permutation(n: number, seed: number): Uint32Array {
  if (!Number.isSafeInteger(seed) || seed < 0) {
    throw new Failure(
      'InvalidInput',
      `shuffle_seed ${seed} is not a seed: expected an integer from 0 to 9007199254740991`,
    );
  }
  const order = Uint32Array.from({ length: n }, (_, index) => index);
  const random = new Pcg64(seed);
  for (let i = n - 1; i >= 1; i--) {
    const j = random.uint32AtMost(i);
    const swapped = order[i] as number;
    order[i] = order[j] as number;
    order[j] = swapped;
  }
  return order;
}

/** numpy's PCG64 (PCG XSL RR 128/64), read as 32-bit halves, low half first. */
class Pcg64 {
  #state: bigint;
  readonly #increment: bigint;
  #highHalf: number | undefined;

  constructor(seed: number) {
    const words = seedSequence(seed, 8);
    // Four 64-bit words, each low half first; state and stream are each (high, low).
    const [stateHigh, stateLow, streamHigh, streamLow] = [0, 1, 2, 3].map(
      (k) => (BigInt(words[2 * k + 1] as number) << 32n) | BigInt(words[2 * k] as number),
    ) as [bigint, bigint, bigint, bigint];
    this.#increment = ((((streamHigh << 64n) | streamLow) << 1n) | 1n) & MASK_128;
    this.#state = 0n;
    this.#advance();
    this.#state = (this.#state + ((stateHigh << 64n) | stateLow)) & MASK_128;
    this.#advance();
  }

  /** Uniform in [0, max], by masking and rejection, as numpy's `random_interval` does. */
  uint32AtMost(max: number): number {
    const mask = 2 ** (32 - Math.clz32(max)) - 1;
    for (;;) {
      const value = (this.#uint32() & mask) >>> 0;
      if (value <= max) return value;
    }
  }

  #uint32(): number {
    if (this.#highHalf !== undefined) {
      const value = this.#highHalf;
      this.#highHalf = undefined;
      return value;
    }
    this.#advance();
    const folded = ((this.#state >> 64n) ^ this.#state) & 0xffffffffffffffffn;
    const rotation = this.#state >> 122n;
    const output = (folded >> rotation) | (folded << (64n - rotation));
    this.#highHalf = Number((output >> 32n) & MASK_32);
    return Number(output & MASK_32);
  }

  #advance(): void {
    this.#state = (this.#state * PCG_MULTIPLIER + this.#increment) & MASK_128;
  }
}

/**
 * numpy's `SeedSequence(seed).generate_state(count)`: a pool of four words, mixed with
 * M. E. O'Neill's seed_seq hashes.
 */
function seedSequence(seed: number, count: number): Uint32Array {
  const entropy = [seed >>> 0, Math.floor(seed / 2 ** 32)];
  const pool = new Uint32Array(4);
  const hash = hasher(0x43b0d7e5, 0x931e8875);
  for (let i = 0; i < pool.length; i++) pool[i] = hash(entropy[i] ?? 0);
  for (let from = 0; from < pool.length; from++) {
    for (let to = 0; to < pool.length; to++) {
      if (from !== to) pool[to] = mix(pool[to] as number, hash(pool[from] as number));
    }
  }
  const generate = hasher(0x8b51f9dd, 0x58f38ded);
  return Uint32Array.from({ length: count }, (_, i) => generate(pool[i % pool.length] as number));
}

function hasher(initial: number, multiplier: number): (value: number) => number {
  let constant = initial;
  return (value) => {
    const mixed = value ^ constant;
    constant = Math.imul(constant, multiplier);
    const product = Math.imul(mixed, constant);
    return (product ^ (product >>> 16)) >>> 0;
  };
}

function mix(x: number, y: number): number {
  const result = (Math.imul(0xca01f9dd, x) - Math.imul(0x4973f715, y)) | 0;
  return (result ^ (result >>> 16)) >>> 0;
}
