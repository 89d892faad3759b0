/** One example's place in a pass. */
export interface Placement {
  /** Index into the lengths that were packed. */
  readonly example: number;
  readonly row: number;
  /** First column. */
  readonly start: number;
}

/** Examples that the graph computes in one run: `rows` rows of `tokens` tokens. */
export interface Pass {
  readonly rows: number;
  readonly tokens: number;
  readonly placements: readonly Placement[];
}

export interface PackingLimits {
  /** Tokens of one pass, padding included; only a longer example exceeds it. */
  readonly tokensPerPass: number;
  /** Most tokens of one row; a longer example makes longer rows. */
  readonly tokensPerRow: number;
}

/**
 * How examples are packed. The order of sums, and so the last bits of a model, depend on it: a
 * change must raise the revision of the step kinds that train.
 */
export const PACKING: PackingLimits = { tokensPerPass: 1024, tokensPerRow: 256 };

/** Lengths of rows that are tried, as multiples of the longest example. */
const ROW_LENGTHS = [1, 1.25, 1.5, 1.75, 2, 2.5, 3, 4, 6, 8, 12, 16] as const;

/**
 * What one token costs, in pairs of tokens of its row: attention looks at all of them, also at those
 * of other examples.
 */
const PAIRS_PER_TOKEN = 512;

/**
 * Shares examples out to passes of packed rows: the longest first, each into the first row that has
 * room; then the rows, the longest first, into passes. Long rows hold little padding, short ones
 * cost less attention: of several lengths the cheapest is taken. A function of the examples' lengths
 * and the limits alone.
 *
 * @param lengths tokens of each example, at least 1
 */
export function packExamples(lengths: readonly number[], limits: PackingLimits): readonly Pass[] {
  const longest = Math.max(...lengths);
  const most = Math.max(limits.tokensPerRow, longest);
  const capacities = ROW_LENGTHS.map((factor) => Math.floor(factor * longest));
  let best: readonly Pass[] = [];
  let lowest = Infinity;
  for (const capacity of [...capacities.filter((tokens) => tokens < most), most]) {
    const passes = packRows(lengths, capacity, limits.tokensPerPass);
    const cost = passes.reduce((sum, pass) => sum + costOf(pass), 0);
    if (cost >= lowest) continue;
    [best, lowest] = [passes, cost];
  }
  return best;
}

function costOf({ rows, tokens }: Pass): number {
  return rows * tokens * (PAIRS_PER_TOKEN + tokens);
}

/** @param capacity tokens of one row, at least the longest example's */
function packRows(
  lengths: readonly number[],
  capacity: number,
  tokensPerPass: number,
): readonly Pass[] {
  const longestFirst = lengths
    .map((length, example) => ({ length, example }))
    .sort((a, b) => b.length - a.length || a.example - b.example);
  const rows: Row[] = [];
  for (const { length, example } of longestFirst) {
    let row = rows.find((candidate) => candidate.used + length <= capacity);
    if (row === undefined) rows.push((row = { used: 0, examples: [] }));
    row.examples.push({ example, start: row.used });
    row.used += length;
  }
  rows.sort((a, b) => b.used - a.used);
  const passes: Pass[] = [];
  for (let first = 0; first < rows.length;) {
    const tokens = rows[first]?.used ?? 0;
    const count = Math.max(1, Math.floor(tokensPerPass / tokens));
    passes.push(toPass(rows.slice(first, first + count), tokens));
    first += count;
  }
  return passes;
}

interface Row {
  used: number;
  readonly examples: { readonly example: number; readonly start: number }[];
}

function toPass(rows: readonly Row[], tokens: number): Pass {
  const placements = rows.flatMap(({ examples }, row) =>
    examples.map(({ example, start }) => ({ example, row, start })),
  );
  return { rows: rows.length, tokens, placements };
}
