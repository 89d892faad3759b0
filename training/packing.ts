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
  /** A row for each example, padded to the longest of its pass. */
  readonly isUnpacked?: boolean;
}

/** How a model that takes one example a row wants its passes; null = any number. */
export interface RowShape {
  readonly rows: number | null;
  readonly tokens: number | null;
}

/**
 * How examples are packed. The order of sums, and so the last bits of a model, depend on it: a
 * change must raise the revision of the step kinds that train.
 */
export const PACKING: PackingLimits = { tokensPerPass: 1024, tokensPerRow: 256 };

/** The same limits for passes of at most `tokensPerPass` tokens. */
export function limitedTo(limits: PackingLimits, tokensPerPass: number): PackingLimits {
  const tokens = Math.min(limits.tokensPerPass, tokensPerPass);
  return { ...limits, tokensPerPass: tokens, tokensPerRow: Math.min(limits.tokensPerRow, tokens) };
}

/**
 * What one token costs, in pairs of tokens of its row: attention looks at all of them, also at those
 * of other examples.
 */
const PAIRS_PER_TOKEN = 512;
/** Numbers of rows that are tried. */
const MOST_TRIALS = 16;

const ANY_SHAPE: RowShape = { rows: null, tokens: null };

/**
 * Shares examples out to passes: of packed rows, or of one example a row where that is wanted.
 * @param lengths tokens of each example, at least 1
 * @param shape of a model that takes no packed rows
 */
export function passesOf(
  lengths: readonly number[],
  limits: PackingLimits,
  shape: RowShape | undefined,
): readonly Pass[] {
  const unpacked = shape ?? (limits.isUnpacked === true ? ANY_SHAPE : undefined);
  return unpacked === undefined
    ? packExamples(lengths, limits)
    : oneExampleARow(lengths, limits, unpacked);
}

/**
 * Shares examples out to passes of packed rows of nearly equal length. Few long rows cost attention,
 * many short ones padding: of several numbers of rows the cheapest is taken. A function of the
 * examples' lengths and the limits alone.
 *
 * @param lengths tokens of each example, at least 1
 */
export function packExamples(lengths: readonly number[], limits: PackingLimits): readonly Pass[] {
  const longest = Math.max(...lengths);
  const capacity = Math.max(limits.tokensPerRow, longest);
  const total = lengths.reduce((sum, length) => sum + length, 0);
  const fewest = Math.ceil(total / capacity);
  const most = Math.max(fewest, Math.ceil(total / longest));
  const stride = Math.ceil((most - fewest + 1) / MOST_TRIALS);
  const longestFirst = lengths
    .map((length, example) => ({ length, example }))
    .sort((a, b) => b.length - a.length || a.example - b.example);
  let best: readonly Pass[] | undefined;
  let lowest = Infinity;
  for (let count = fewest; count <= most || best === undefined; count += stride) {
    const rows = balancedRows(longestFirst, count);
    if (rows.some(({ used }) => used > capacity)) continue;
    const passes = toPasses(rows, limits.tokensPerPass);
    const cost = passes.reduce((sum, pass) => sum + costOf(pass), 0);
    if (cost < lowest) [best, lowest] = [passes, cost];
  }
  return best;
}

function costOf({ rows, tokens }: Pass): number {
  return rows * tokens * (PAIRS_PER_TOKEN + tokens);
}

/** The longest first, each into the shortest row. Source: Graham, 1969, LPT scheduling. */
function balancedRows(
  longestFirst: readonly { readonly length: number; readonly example: number }[],
  count: number,
): Row[] {
  const rows = Array.from({ length: count }, (): Row => ({ used: 0, examples: [] }));
  for (const { length, example } of longestFirst) {
    const row = rows.reduce((shortest, other) => (other.used < shortest.used ? other : shortest));
    row.examples.push({ example, start: row.used });
    row.used += length;
  }
  return rows.filter(({ used }) => used > 0);
}

/** The longest rows first, as many to a pass as its budget allows. */
function toPasses(rows: Row[], tokensPerPass: number): readonly Pass[] {
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

/**
 * Shares examples out to passes of one example a row, the longest first. A pass of a fixed number of
 * rows may have fewer examples.
 *
 * @param lengths tokens of each example, at least 1 and at most those of a row
 */
function oneExampleARow(
  lengths: readonly number[],
  limits: PackingLimits,
  shape: RowShape,
): readonly Pass[] {
  const longestFirst = lengths
    .map((length, example) => ({ length, example }))
    .sort((a, b) => b.length - a.length || a.example - b.example);
  const passes: Pass[] = [];
  for (let first = 0; first < longestFirst.length;) {
    const tokens = shape.tokens ?? longestFirst[first]?.length ?? 0;
    const count = shape.rows ?? Math.max(1, Math.floor(limits.tokensPerPass / tokens));
    const chosen = longestFirst.slice(first, first + count);
    const placements = chosen.map(({ example }, row) => ({ example, row, start: 0 }));
    passes.push({ rows: shape.rows ?? chosen.length, tokens, placements });
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
