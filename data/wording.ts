import { distance } from 'fastest-levenshtein';

/** `; did you mean "x"?` when one of the names is close to what was written, else nothing. */
export function didYouMean(written: string, names: Iterable<string>): string {
  let best: string | undefined;
  let fewest = Math.max(1, Math.floor(written.length / 3)) + 1;
  for (const name of names) {
    const edits = distance(written.toLowerCase(), name.toLowerCase());
    if (edits < fewest) [best, fewest] = [name, edits];
  }
  return best === undefined ? '' : `; did you mean "${best}"?`;
}

/** `"a", "b" and 3 more`: at most `limit` of the names, quoted. */
export function quotedList(names: readonly string[], limit = 20): string {
  const shown = names.slice(0, limit).map((name) => `"${name}"`);
  const more = names.length - shown.length;
  return more > 0 ? `${shown.join(', ')} and ${more} more` : shown.join(', ');
}

/** `1 row`, `2 rows`. */
export function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}
