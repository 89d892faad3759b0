/**
 * Murmur3's 32-bit finaliser: a bijection that flips each output bit with probability 1/2 when one
 * input bit flips. Source: Austin Appleby, MurmurHash3, fmix32.
 */
export function mix32(value: number): number {
  let h = value >>> 0;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

/** Mixes one more 32-bit word into a hash. */
export function combine32(hash: number, word: number): number {
  return mix32((Math.imul(hash, 0x9e3779b1) + word) | 0);
}

export interface DropoutKeysInput {
  /** The run's seed; any safe integer. */
  readonly seed: number;
  /** From 0. */
  readonly epoch: number;
  /** The example's id in its dataset. */
  readonly rowId: string;
  /** Tokens of the example. */
  readonly length: number;
}

/**
 * The example's part of the graph input `dropout_keys`: one 32-bit key a token position, from
 * (seed, epoch, row id, position) alone. So a token's dropout masks depend neither on what it is
 * packed with, nor on the process, nor on how often the run was resumed.
 */
export function dropoutKeys(input: DropoutKeysInput): Uint32Array {
  let example = combine32(0, input.seed >>> 0);
  example = combine32(example, Math.floor(input.seed / 2 ** 32) >>> 0);
  example = combine32(example, input.epoch);
  for (const byte of new TextEncoder().encode(input.rowId)) example = combine32(example, byte);
  return Uint32Array.from({ length: input.length }, (_, position) => combine32(example, position));
}
