import type { JsonValue } from '../../plan/json.ts';
import { keysOfPart, PARAM } from '../grammar.ts';
import type { Located, LocatedEntry, LocatedMap } from '../located.ts';
import { describeFound, quote, toJson, valueRange } from '../located.ts';
import type { ParamDeclaration, ParamType } from '../params.ts';
import { isOfType, PARAM_TYPES, paramProblem, paramSchema } from '../params.ts';
import type { Patterns } from '../pattern.ts';
import type { Reporter } from '../reporter.ts';
import { describeSchema } from '../schema.ts';
import { suggestion } from '../suggestion.ts';
import { checkUnknownKeys } from './unknown-key.ts';
import { readText } from './value-type.ts';

/** Rule `param`: the declaration of one param, in its short form or its long one. */
export function readParam(
  entry: LocatedEntry,
  reporter: Reporter,
  patterns: Patterns,
): ParamDeclaration | undefined {
  const { key: name, value } = entry;
  if (value.kind === 'map') {
    const errorsBefore = reporter.errorCount;
    const declaration = readLongForm(value, entry, reporter, patterns);
    return reporter.errorCount === errorsBefore ? declaration : undefined;
  }
  const type = typeOf(value);
  if (type === undefined) {
    const message = `param ${quote(name)} has no default; declare ${name}: { type: string }, with the type you need`;
    reporter.error('param', valueRange(entry), message);
    return undefined;
  }
  return { name, type, isTypeInferred: true, default: toJson(value) };
}

function readLongForm(
  map: LocatedMap,
  entry: LocatedEntry,
  reporter: Reporter,
  patterns: Patterns,
): ParamDeclaration | undefined {
  const { key: name } = entry;
  checkUnknownKeys(map, keysOfPart(PARAM), `param ${quote(name)}`, reporter);
  const { entries } = map;
  const type = readType(name, entry, map, reporter);
  if (type === undefined) return undefined;
  const bounds = {
    ...readBound('minimum', type, map, reporter),
    ...readBound('maximum', type, map, reporter),
    ...readEnum(type, map, reporter),
    ...readPattern(type, map, reporter, patterns),
  };
  const description = readText(entries.get('description'), reporter);
  const declaration: ParamDeclaration = {
    name,
    type,
    isTypeInferred: !entries.has('type'),
    ...bounds,
    ...(description !== undefined && { description }),
  };
  if (!isSatisfiable(declaration, map, reporter, patterns)) return undefined;
  return { ...declaration, ...readDefault(declaration, map, reporter, patterns) };
}

/** Whether some value fits the bounds, and one of the enum the rest. */
function isSatisfiable(
  declaration: ParamDeclaration,
  { entries }: LocatedMap,
  reporter: Reporter,
  patterns: Patterns,
): boolean {
  const { minimum = -Infinity, maximum = Infinity, enum: values } = declaration;
  const highest = entries.get('maximum');
  if (highest !== undefined && minimum > maximum) {
    const message = `'maximum' is ${maximum}, below 'minimum', ${minimum}, so that no value fits; change one of them`;
    reporter.error('param', valueRange(highest), message);
    return false;
  }
  const listed = entries.get('enum');
  if (listed === undefined || values === undefined) return true;
  if (values.some((value) => paramProblem(declaration, value, patterns) === undefined)) return true;
  const { enum: _, ...rest } = declaration;
  const expected = describeSchema(paramSchema(rest));
  const limits = ['minimum', 'maximum', 'pattern'].filter((key) => entries.has(key)).map(quote);
  const message = `no value of 'enum' fits: expected ${expected}; change 'enum' or ${limits.join(' and ')}`;
  reporter.error('param', valueRange(listed), message);
  return false;
}

function readType(
  name: string,
  entry: LocatedEntry,
  { entries }: LocatedMap,
  reporter: Reporter,
): ParamType | undefined {
  const written = entries.get('type');
  if (written === undefined) {
    const inferred = inferredType(entries);
    if (inferred !== undefined) return inferred;
    const message = `param ${quote(name)} has no type; add type: ${PARAM_TYPES[0]} or a default`;
    reporter.error('param', entry.keyRange, message);
    return undefined;
  }
  const found = toJson(written.value);
  const type = PARAM_TYPES.find((known) => known === found);
  if (type === undefined) {
    const text = typeof found === 'string' ? found : '';
    const remedy = REMEDIES.get(text) ?? suggestion(SYNONYMS.get(text) ?? text, PARAM_TYPES);
    const message = `'type' is ${describeFound(found)}; ${remedy}`;
    reporter.error('param', valueRange(written), message);
  }
  return type;
}

/** The type of the default, or else of the first value of the enum. */
function inferredType(entries: LocatedMap['entries']): ParamType | undefined {
  const listed = entries.get('enum')?.value;
  const first = listed?.kind === 'list' ? listed.items[0] : undefined;
  const shown = entries.get('default')?.value ?? first;
  return shown === undefined ? undefined : typeOf(shown);
}

const CHOICES = 'a param with choices is written { enum: [a, b], default: a }';

const REMEDIES: ReadonlyMap<string, string> = new Map([
  ['enum', CHOICES],
  ['choice', CHOICES],
  ['secret', 'params are kept with the run; a secret is read as ${{ secrets.NAME }}'],
]);

const SYNONYMS: ReadonlyMap<string, ParamType> = new Map([
  ['int', 'integer'],
  ['float', 'number'],
  ['double', 'number'],
  ['bool', 'boolean'],
  ['str', 'string'],
  ['text', 'string'],
  ['array', 'list'],
]);

function readBound(
  key: 'minimum' | 'maximum',
  type: ParamType,
  { entries }: LocatedMap,
  reporter: Reporter,
): { minimum?: number; maximum?: number } {
  const entry = entries.get(key);
  if (entry === undefined) return {};
  const found = toJson(entry.value);
  if (type !== 'integer' && type !== 'number') {
    const message = `'${key}' is for integer and number params, and this one is of type ${type}; remove it`;
    reporter.error('param', entry.keyRange, message);
    return {};
  }
  if (typeof found === 'number' && isOfType(type, found)) return { [key]: found };
  const message = `'${key}' is ${describeFound(found)}; expected ${type === 'integer' ? 'an integer' : 'a number'}`;
  reporter.error('param', valueRange(entry), message);
  return {};
}

function readEnum(
  type: ParamType,
  { entries }: LocatedMap,
  reporter: Reporter,
): { enum?: readonly JsonValue[] } {
  const entry = entries.get('enum');
  if (entry === undefined) return {};
  const { value } = entry;
  const values = value.kind === 'list' ? value.items.map(toJson) : [];
  const fits = type !== 'list' && values.length > 0 && values.every((item) => isOfType(type, item));
  if (fits) return { enum: values };
  const message =
    type === 'list'
      ? "'enum' is not for list params; remove it"
      : `'enum' is ${describeFound(toJson(value))}; expected a list of values of type ${type}`;
  reporter.error('param', valueRange(entry), message);
  return {};
}

function readPattern(
  type: ParamType,
  { entries }: LocatedMap,
  reporter: Reporter,
  patterns: Patterns,
): { pattern?: string } {
  const entry = entries.get('pattern');
  if (entry === undefined) return {};
  const found = toJson(entry.value);
  if (type !== 'string') {
    const message = `'pattern' is for string params, and this one is of type ${type}; remove it`;
    reporter.error('param', entry.keyRange, message);
    return {};
  }
  const problem =
    typeof found === 'string' ? patterns.problemOf(found) : 'expected a regular expression';
  if (problem === undefined && typeof found === 'string') return { pattern: found };
  reporter.error('param', valueRange(entry), `'pattern' is ${describeFound(found)}; ${problem}`);
  return {};
}

function readDefault(
  declaration: ParamDeclaration,
  { entries }: LocatedMap,
  reporter: Reporter,
  patterns: Patterns,
): { default?: JsonValue } {
  const entry = entries.get('default');
  if (entry === undefined) return {};
  const found = toJson(entry.value);
  const problem = paramProblem(declaration, found, patterns);
  if (problem === undefined) return { default: found };
  reporter.error('param', valueRange(entry), `'default' is ${problem}`);
  return {};
}

function typeOf(value: Located): ParamType | undefined {
  if (value.kind === 'list') return 'list';
  if (value.kind === 'map') return undefined;
  if (typeof value.value === 'string') return 'string';
  if (typeof value.value === 'boolean') return 'boolean';
  if (typeof value.value === 'number') return value.isInteger ? 'integer' : 'number';
  return undefined;
}
