/** Temporal carries no larger value. */
const MAX_TEXT = 2 * 1024 * 1024;

/**
 * The characters that expressions may make: a few calls of format() within one another could make
 * more than memory holds.
 */
export class TextBudget {
  readonly #limit: number;
  #made = 0;

  constructor(limit = MAX_TEXT) {
    this.#limit = limit;
  }

  /** Characters so far. */
  get made(): number {
    return this.#made;
  }

  add(characters: number): void {
    this.#made += characters;
  }

  /** @throws Error when that is more than there may be */
  take(characters: number): void {
    this.add(characters);
    if (this.#made <= this.#limit) return;
    throw new Error(`the expressions make more than ${this.#limit} characters; make less text`);
  }
}
