/** Speed of this process: it restarts from zero after a resume. */
export class SpeedMeter {
  readonly #totalSteps: number;
  readonly #begun = performance.now();
  #steps = 0;
  #tokens = 0;
  #lapBegun = performance.now();
  #lapTokens = 0;

  constructor(totalSteps: number) {
    this.#totalSteps = totalSteps;
  }

  /** Counts one optimizer step. */
  count(tokens: number): void {
    this.#steps += 1;
    this.#tokens += tokens;
    this.#lapTokens += tokens;
  }

  /** @param step optimizer steps done, those of other processes included */
  read(step: number): { readonly tokensPerSecond: number; readonly etaSeconds: number } {
    const seconds = (performance.now() - this.#begun) / 1000;
    return {
      tokensPerSecond: this.#tokens / seconds,
      etaSeconds: ((this.#totalSteps - step) * seconds) / this.#steps,
    };
  }

  /** Tokens a second since the last lap, to one decimal; begins the next. */
  lap(): number {
    const now = performance.now();
    const speed = (1000 * this.#lapTokens) / (now - this.#lapBegun);
    this.#lapBegun = now;
    this.#lapTokens = 0;
    return Math.round(10 * speed) / 10;
  }
}
