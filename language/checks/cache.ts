import type { CachePolicy } from '../../plan/plan.ts';
import { kindName } from '../catalog.ts';
import { CACHE, keysOfPart } from '../grammar.ts';
import type { Located, LocatedEntry, LocatedMap } from '../located.ts';
import { describeFound, quote, toJson } from '../located.ts';
import type { Reporter } from '../reporter.ts';
import { keysOf, schemasAt, type ValueSchema, valueSchema } from '../schema.ts';
import type { StepSignature } from '../step-declaration.ts';
import { closest, oneOf } from '../suggestion.ts';
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
  if (signature !== undefined) checkInput(names, item, signature, reporter);
  return [names];
}

function checkInput(
  names: InputNames,
  { range }: Located,
  signature: StepSignature,
  reporter: Reporter,
): void {
  const schema = valueSchema(signature.with, 'input');
  const known = (count: number): readonly ValueSchema[] => schemasAt(schema, names.slice(0, count));
  const wrong = names.findIndex((_, index) => !isThere(known(index + 1)));
  const name = names[wrong];
  if (name === undefined) return;
  const around = names.slice(0, wrong);
  const candidates = known(wrong).flatMap((each) => keysOf(each) ?? []);
  const owner = around.length === 0 ? kindName(signature) : quote(around.join('.'));
  const near = closest(name, candidates);
  const remedy =
    near !== undefined
      ? `did you mean ${quote([...around, near].join('.'))}?`
      : candidates.length > 0
        ? `expected ${oneOf(candidates)}`
        : `write ${quote(around.join('.'))} to ignore all of it`;
  const message = `'ignore' names ${quote(names.join('.'))}, and ${owner} has no ${quote(name)}; ${remedy}`;
  reporter.error('cache', range, message);
}

/** What is not built yet has no value that could be ignored. */
function isThere(schemas: readonly ValueSchema[]): boolean {
  return schemas.some(({ notBuilt }) => notBuilt === undefined);
}
