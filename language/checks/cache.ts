import type { CachePolicy } from '../../plan/plan.ts';
import { kindName } from '../catalog.ts';
import { CACHE, keysOfPart } from '../grammar.ts';
import { unknownInput } from '../input-name.ts';
import type { Located, LocatedEntry, LocatedMap } from '../located.ts';
import { describeFound, quote, toJson } from '../located.ts';
import type { Reporter } from '../reporter.ts';
import type { StepSignature } from '../step-declaration.ts';
import { readDuration } from './duration.ts';
import { checkUnknownKeys } from './unknown-key.ts';
import { readBoolean, readList, readMap } from './value-type.ts';

type InputNames = readonly string[];

/**
 * `cache: { enabled, max_age, ignore }`. Rule `cache`: results of the kind can be used again, and
 * `ignore` names inputs that it has; besides `value-type` and `duration`.
 *
 * @param signature of the step's kind, where that is known
 * @returns undefined also where it says what holds without it
 */
export function readCache(
  entry: LocatedEntry | undefined,
  signature: StepSignature | undefined,
  reporter: Reporter,
): CachePolicy | undefined {
  const map = readMap(entry, 'a map such as { enabled: false } or { max_age: 7d }', reporter);
  if (entry === undefined || map === undefined) return undefined;
  checkUnknownKeys(map, keysOfPart(CACHE), "'cache'", reporter);
  const enabled = readBoolean(map.entries.get('enabled'), reporter) ?? true;
  const maxAgeMs = readDuration(map.entries.get('max_age'), 1, reporter);
  const ignore = readIgnore(map, signature, reporter);
  if (signature?.effect === 'external') {
    const message = `${kindName(signature)} does its work in every run, whatever was done before; remove 'cache'`;
    reporter.error('cache', entry.keyRange, message);
  }
  if (enabled && maxAgeMs === undefined && ignore.length === 0) return undefined;
  return {
    enabled,
    ...(maxAgeMs !== undefined && { maxAgeMs }),
    ...(ignore.length > 0 && { ignore }),
  };
}

function readIgnore(
  { entries }: LocatedMap,
  signature: StepSignature | undefined,
  reporter: Reporter,
): readonly InputNames[] {
  const list = readList(entries.get('ignore'), 'a list of inputs, such as [args.seed]', reporter);
  return list?.items.flatMap((item) => readInput(item, signature, reporter) ?? []) ?? [];
}

/** `args.seed`, or `with.args.seed`: no kind has an input of that name. */
function readInput(
  item: Located,
  signature: StepSignature | undefined,
  reporter: Reporter,
): readonly [InputNames] | undefined {
  const found = toJson(item);
  if (typeof found !== 'string' || found === '') {
    const message = `'ignore' holds ${describeFound(found)}; expected the name of an input, such as args.seed`;
    reporter.error('value-type', item.range, message);
    return undefined;
  }
  const names = found.replace(/^with\./, '').split('.');
  const unknown =
    signature && unknownInput(names, signature, (around) => `write ${around} to ignore all of it`);
  if (unknown !== undefined) {
    const message = `'ignore' names ${quote(names.join('.'))}, and ${unknown}`;
    reporter.error('cache', item.range, message);
  }
  return [names];
}
