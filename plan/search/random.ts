/**
 * Random numbers of a key: the same key gives the same numbers, whatever else was drawn. The key is
 * hashed by MurmurHash3's mixing into the state of sfc32 (Chris Doty-Humphrey, PractRand).
 *
 * @returns draws numbers in [0, 1), of 53 bits
 */
export function randomNumbers(...key: readonly (string | number)[]): () => number {
  const hash = hashOf(JSON.stringify(key));
  let [a, b, c, counter] = [hash(), hash(), hash(), 1];
  const next = (): number => {
    const sum = (a + b + counter) | 0;
    counter = (counter + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = (((c << 21) | (c >>> 11)) + sum) | 0;
    return sum >>> 0;
  };
  for (let round = 0; round < 12; round++) next();
  return () => ((next() >>> 5) * 2 ** 26 + (next() >>> 6)) / 2 ** 53;
}

/** Source: MurmurHash3 by Austin Appleby, public domain; one word a character. */
function hashOf(text: string): () => number {
  let state = 0x9747b28c ^ text.length;
  for (let i = 0; i < text.length; i++) {
    const word = Math.imul(text.charCodeAt(i), 0xcc9e2d51);
    state ^= Math.imul((word << 15) | (word >>> 17), 0x1b873593);
    state = (Math.imul((state << 13) | (state >>> 19), 5) + 0xe6546b64) | 0;
  }
  return () => {
    state = Math.imul(state ^ (state >>> 16), 0x85ebca6b);
    state = Math.imul(state ^ (state >>> 13), 0xc2b2ae35);
    state ^= state >>> 16;
    return state;
  };
}

/**
 * A number of the standard normal distribution, by Box and Muller.
 *
 * @param draw of numbers in [0, 1)
 */
export function normal(draw: () => number): number {
  const radius = Math.sqrt(-2 * Math.log(1 - draw()));
  return radius * Math.cos(2 * Math.PI * draw());
}
