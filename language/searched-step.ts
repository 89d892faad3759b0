import type { LocatedEntry, LocatedMap } from './located.ts';
import { quote, valueRange } from './located.ts';
import { readText } from './checks/value-type.ts';
import type { Reporter } from './reporter.ts';
import type { StepSignature } from './step-declaration.ts';
import { suggestion } from './suggestion.ts';

/** The step around a search. */
export interface SearchedStep {
  readonly signature: StepSignature | undefined;
  /** Its `with`. */
  readonly inputs: LocatedMap | undefined;
}

/** One of a few words, as keys of a search have them. */
export function readWord<W extends string>(
  entry: LocatedEntry | undefined,
  words: readonly W[],
  reporter: Reporter,
): W | undefined {
  const text = readText(entry, reporter);
  if (entry === undefined || text === undefined) return undefined;
  const word = words.find((known) => known === text);
  if (word !== undefined) return word;
  const message = `${quote(entry.key)} is ${quote(text)}; ${suggestion(text, words)}`;
  reporter.error('search', valueRange(entry), message);
  return undefined;
}
