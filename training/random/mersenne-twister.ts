const STATE_WORDS = 624;
const MIDDLE_WORD = 397;

/**
 * MT19937, as torch's CPU generator: 32 random bits a call.
 * Source: Matsumoto and Nishimura 1998; torch, ATen/core/MT19937RNGEngine.h.
 */
export class MersenneTwister {
  readonly #words = new Uint32Array(STATE_WORDS);
  #next = STATE_WORDS;

  /** @param seed torch's manual_seed: its low 32 bits count */
  constructor(seed: number) {
    const words = this.#words;
    words[0] = seed % 2 ** 32;
    for (let i = 1; i < STATE_WORDS; i++) {
      const previous = words[i - 1] ?? 0;
      words[i] = Math.imul(1812433253, previous ^ (previous >>> 30)) + i;
    }
  }

  /** The next 32 bits, unsigned. */
  next(): number {
    if (this.#next === STATE_WORDS) this.#refill();
    let word = this.#words[this.#next++] ?? 0;
    word ^= word >>> 11;
    word ^= (word << 7) & 0x9d2c5680;
    word ^= (word << 15) & 0xefc60000;
    return (word ^ (word >>> 18)) >>> 0;
  }

  #refill(): void {
    const words = this.#words;
    for (let i = 0; i < STATE_WORDS; i++) {
      const high = (words[i] ?? 0) & 0x80000000;
      const low = (words[(i + 1) % STATE_WORDS] ?? 0) & 0x7fffffff;
      const twist = (low & 1) === 0 ? 0 : 0x9908b0df;
      const middle = words[(i + MIDDLE_WORD) % STATE_WORDS] ?? 0;
      words[i] = middle ^ ((high | low) >>> 1) ^ twist;
    }
    this.#next = 0;
  }
}
