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
  /** Tokens of one row; a longer example makes longer rows. */
  readonly tokensPerRow: number;
}

/**
 * How examples are packed. The order of sums, and so the last bits of a model, depend on it: a
 * change must raise the revision of the step kinds that train.
 */
export const PACKING: PackingLimits = { tokensPerPass: 1024, tokensPerRow: 256 };

/**
 * Shares examples out to passes of packed rows: few rows, of nearly equal length; then the rows, the longest first, into passes. A function of the lengths and limits alone.
 *
 * @param lengths tokens of each example, at least 1
 */
export function packExamples(lengths: readonly number[], limits: PackingLimits): readonly Pass[] {
  const rows = fewestRows(lengths, Math.max(limits.tokensPerRow, ...lengths));
  rows.sort((a, b) => b.used - a.used);
  const passes: Pass[] = [];
  for (let first = 0; first < rows.length;) {
    const tokens = rows[first]?.used ?? 0;
    const count = Math.max(1, Math.floor(limits.tokensPerPass / tokens));
    passes.push(toPass(rows.slice(first, first + count), tokens));
    first += count;
  }
  return passes;
}

function fewestRows(lengths: readonly number[], capacity: number): Row[] {
  const total = lengths.reduce((sum, length) => sum + length, 0);
  for (let count = Math.ceil(total / capacity); ; count++) {
    const rows = balancedRows(lengths, count);
    if (rows.every(({ used }) => used <= capacity)) return rows;
  }
}

/** The longest first, each into the shortest row. Source: Graham, 1969, LPT scheduling. */
function balancedRows(lengths: readonly number[], count: number): Row[] {
  const longestFirst = lengths
    .map((length, example) => ({ length, example }))
    .sort((a, b) => b.length - a.length || a.example - b.example);
  const rows = Array.from({ length: count }, (): Row => ({ used: 0, examples: [] }));
  for (const { length, example } of longestFirst) {
    const row = rows.reduce((shortest, other) => (other.used < shortest.used ? other : shortest));
    row.examples.push({ example, start: row.used });
    row.used += length;
  }
  return rows;
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
