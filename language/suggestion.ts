import { distance } from 'fastest-levenshtein';
import { quote } from './located.ts';

/** Looked at for one misspelt name: 5,000 of them among 5,000 must stay quick. */
const MAX_CANDIDATES = 1000;
const MAX_LISTED = 20;

/** The candidate that a misspelt name most likely means, if one is near. */
export function closest(name: string, candidates: Iterable<string>): string | undefined {
  const wanted = normalised(name);
  let best: string | undefined;
  let bestDistance = Math.max(1, Math.floor(wanted.length / 3)) + 1;
  let compared = 0;
  for (const candidate of candidates) {
    if ((compared += 1) > MAX_CANDIDATES) break;
    const steps = distance(wanted, normalised(candidate));
    if (steps < bestDistance) {
      best = candidate;
      bestDistance = steps;
    }
  }
  return best;
}

/** `did you mean 'x'?` when a candidate is near, else `expected one of a, b`. */
export function suggestion(name: string, candidates: Iterable<string>): string {
  const all = [...candidates];
  const near = closest(name, all);
  if (near !== undefined) return `did you mean ${quote(near)}?`;
  return `expected ${oneOf(all)}`;
}

/** `a`, or `one of a, b, c`; a long list is cut. */
export function oneOf(names: readonly string[]): string {
  if (names.length === 1) return names.join('');
  const shown = names.slice(0, MAX_LISTED).join(', ');
  return `one of ${shown}${names.length > MAX_LISTED ? `, ... (${names.length} in all)` : ''}`;
}

function normalised(name: string): string {
  return name.slice(0, 100).toLowerCase().replaceAll(/[-_ ]/g, '_');
}
