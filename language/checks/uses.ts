import { type Catalog, findKind, kindName } from '../catalog.ts';
import type { LocatedEntry } from '../located.ts';
import { quote, valueRange } from '../located.ts';
import type { Reporter } from '../reporter.ts';
import type { Range } from '../source-text.ts';
import type { StepSignature } from '../step-declaration.ts';
import { closest, oneOf } from '../suggestion.ts';
import { reportNotBuilt } from './not-built.ts';
import { readText } from './value-type.ts';

/** Rule `uses`: the kind of a step and its version, as in `train@1`. */
export function readUses(
  entry: LocatedEntry | undefined,
  catalog: Catalog,
  reporter: Reporter,
): StepSignature | undefined {
  const text = readText(entry, reporter);
  if (entry === undefined || text === undefined) return undefined;
  const range = valueRange(entry);
  const match = /^([^@]+)@([1-9]\d*)$/.exec(text);
  if (match === null) {
    reporter.error('uses', range, `'uses' is ${quote(text)}; ${formRemedy(text, catalog)}`);
    return undefined;
  }
  const [, kind = '', version = ''] = match;
  const lookup = findKind(catalog, kind, Number(version));
  switch (lookup.kind) {
    case 'found':
      return lookup.signature;
    case 'not-built':
      reportNotBuilt(text, range, reporter);
      return undefined;
    case 'unknown-version':
      reportVersion(
        text,
        lookup.versions.map((known) => `${kind}@${known}`),
        range,
        reporter,
      );
      return undefined;
    case 'unknown':
      reportKind(text, kind, catalog, range, reporter);
      return undefined;
  }
}

function reportVersion(
  text: string,
  known: readonly string[],
  range: Range,
  reporter: Reporter,
): void {
  const exists = known.length === 1 ? 'exists' : 'exist';
  const message = `unknown version ${quote(text)}; ${known.join(' and ')} ${exists}`;
  reporter.error('uses', range, message);
}

function reportKind(
  text: string,
  kind: string,
  catalog: Catalog,
  range: Range,
  reporter: Reporter,
): void {
  const near = nearestKind(kind, catalog);
  const guess = near === undefined ? '' : `did you mean ${quote(near)}? `;
  const expected = `expected ${oneOf(catalog.map(kindName))}, or a kind of your own, by --steps FILE`;
  const message = `unknown step kind ${quote(text)}; ${guess}${expected}`;
  reporter.error('uses', range, message);
}

/** The kind without a version, or with words where the number belongs. */
function formRemedy(text: string, catalog: Catalog): string {
  const near = nearestKind(text.split('@', 1).join(''), catalog);
  return near === undefined
    ? 'expected a kind and a version, such as train@1'
    : `expected a kind and a version; write ${near}`;
}

function nearestKind(kind: string, catalog: Catalog): string | undefined {
  const near = closest(
    kind,
    catalog.map((signature) => signature.kind),
  );
  const versions = catalog.filter((signature) => signature.kind === near);
  const latest = versions.sort((a, b) => b.version - a.version)[0];
  return latest === undefined ? undefined : kindName(latest);
}
