import { distance } from 'fastest-levenshtein';
import { quote } from './located.ts';

/** Looked at for one misspelt name: 5,000 of them among 5,000 must stay quick. */
const MAX_CANDIDATES = 500;
const MAX_LISTED = 20;
const LEAST_PART = 4;

/** The candidate that a misspelt name most likely means, if one is near or has it as a part. */
export function closest(name: string, candidates: Iterable<string>): string | undefined {
  const wanted = normalised(name);
  const containing: string[] = [];
  let best: string | undefined;
  let bestDistance = farthest(wanted.length) + 1;
  let compared = 0;
  for (const candidate of candidates) {
    if ((compared += 1) > MAX_CANDIDATES) break;
    const known = normalised(candidate);
    // As many edits as the lengths differ by are needed in any case.
    if (Math.abs(known.length - wanted.length) < bestDistance) {
      const edits = distance(wanted, known);
      if (edits < bestDistance) {
        best = candidate;
        bestDistance = edits;
      }
    }
    if (wanted.length >= LEAST_PART && known.includes(wanted)) containing.push(candidate);
  }
  return best ?? (containing.length === 1 ? containing[0] : undefined);
}

/** Edits that still leave a word recognisable: two swapped letters are two. */
function farthest(length: number): number {
  if (length < 2) return 0;
  return length < 4 ? 1 : Math.max(2, Math.floor(length / 3));
}

/** `did you mean 'x'?` when a candidate is near, else `expected one of a, b`. */
export function suggestion(name: string, candidates: readonly string[]): string {
  const near = closest(name, candidates);
  return near === undefined ? `expected ${oneOf(candidates)}` : `did you mean ${quote(near)}?`;
}

/** `none`, `a`, or `one of a, b, c`; a long list is cut. */
export function oneOf(names: readonly string[]): string {
  if (names.length === 0) return 'none';
  if (names.length === 1) return names.join('');
  const shown = names.slice(0, MAX_LISTED).join(', ');
  return `one of ${shown}${names.length > MAX_LISTED ? `, ... (${names.length} in all)` : ''}`;
}

function normalised(name: string): string {
  const lower = name.slice(0, 100).toLowerCase();
  return /[- ]/.test(lower) ? lower.replaceAll(/[- ]/g, '_') : lower;
}
