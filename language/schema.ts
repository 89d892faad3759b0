import { z } from 'zod';
import type { JsonValue } from '../plan/json.ts';
import { plainText } from './located.ts';
import { type ArtifactType, schemaFacts } from './step-declaration.ts';

/** The part of JSON Schema that zod writes, with the facts of this project beside it. */
export interface ValueSchema {
  readonly type?: string | readonly string[];
  readonly properties?: Readonly<Record<string, ValueSchema>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: boolean | ValueSchema;
  readonly propertyNames?: ValueSchema;
  readonly items?: ValueSchema;
  readonly prefixItems?: readonly ValueSchema[];
  readonly anyOf?: readonly ValueSchema[];
  readonly oneOf?: readonly ValueSchema[];
  readonly allOf?: readonly ValueSchema[];
  readonly enum?: readonly JsonValue[];
  readonly const?: JsonValue;
  readonly not?: unknown;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly exclusiveMinimum?: number;
  readonly exclusiveMaximum?: number;
  readonly multipleOf?: number;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly pattern?: string;
  readonly format?: string;
  readonly artifact?: readonly ArtifactType[];
  readonly notBuilt?: string;
  readonly credential?: boolean;
  readonly hint?: string;
  readonly itemOf?: string;
  readonly pathIn?: string;
  readonly stopsWithin?: string;
  readonly evaluatedFrom?: string;
  readonly replacedBy?: string;
  readonly default?: JsonValue;
  readonly example?: string;
}

const converted = new WeakMap<z.ZodType, Map<'input' | 'output', ValueSchema>>();

/** What zod accepts (`input`) or gives (`output`), as data that can be walked beside a YAML value. */
export function valueSchema(schema: z.ZodType, io: 'input' | 'output'): ValueSchema {
  const known = converted.get(schema) ?? new Map<'input' | 'output', ValueSchema>();
  converted.set(schema, known);
  const found = known.get(io);
  if (found !== undefined) return found;
  const options = { io, unrepresentable: 'any', metadata: schemaFacts } as const;
  const made = z.toJSONSchema(schema, options) as ValueSchema;
  known.set(io, made);
  return made;
}

/** The schemas that a value under `key` may have; none when there is no such key. */
export function schemasUnder(schema: ValueSchema, key: string | number): readonly ValueSchema[] {
  const branches = branchesOf(schema);
  if (branches !== undefined) return branches.flatMap((branch) => schemasUnder(branch, key));
  if (isAnything(schema)) return [schema];
  if (typeof key === 'number') {
    const item = schema.prefixItems?.[key] ?? schema.items;
    return item === undefined ? [] : [item];
  }
  const { properties = {}, additionalProperties } = schema;
  const property = Object.hasOwn(properties, key) ? properties[key] : undefined;
  if (property !== undefined) return [property];
  if (typeof additionalProperties === 'object') return [additionalProperties];
  return additionalProperties === undefined && mayBe(schema, 'object') ? [{}] : [];
}

export function schemasAt(
  schema: ValueSchema,
  path: readonly (string | number)[],
): readonly ValueSchema[] {
  return path.reduce<readonly ValueSchema[]>(
    (schemas, key) => schemas.flatMap((item) => schemasUnder(item, key)),
    [schema],
  );
}

const knownKeys = new WeakMap<ValueSchema, { readonly keys: readonly string[] | undefined }>();

/** The keys that a map of this schema may have; undefined when any is allowed. */
export function keysOf(schema: ValueSchema): readonly string[] | undefined {
  // A schema of thousands of params is asked once for each that is misspelt.
  const known = knownKeys.get(schema) ?? { keys: readKeys(schema) };
  knownKeys.set(schema, known);
  return known.keys;
}

function readKeys(schema: ValueSchema): readonly string[] | undefined {
  const branches = branchesOf(schema) ?? [schema];
  const names = branches.flatMap(({ propertyNames }) => propertyNames?.enum ?? []);
  if (names.length > 0) return names.map(String);
  const maps = branches.filter(({ properties }) => properties !== undefined);
  if (maps.some(({ additionalProperties }) => typeof additionalProperties === 'object')) {
    return undefined;
  }
  return maps.length === 0
    ? undefined
    : maps.flatMap(({ properties = {} }) =>
        Object.entries(properties)
          .filter(([, { notBuilt }]) => notBuilt === undefined)
          .map(([key]) => key),
      );
}

/** What a value can be, as far as a wire between steps is checked. */
export type ValueKind =
  'anything' | 'text' | 'number' | 'boolean' | 'null' | 'list' | 'map' | ArtifactType;

export function kindsOf(schema: ValueSchema): ReadonlySet<ValueKind> {
  const branches = branchesOf(schema);
  if (branches !== undefined) return new Set(branches.flatMap((branch) => [...kindsOf(branch)]));
  if (schema.artifact !== undefined) return new Set(schema.artifact);
  if (schema.enum !== undefined) return new Set(schema.enum.map(kindOfValue));
  if (schema.const !== undefined) return new Set([kindOfValue(schema.const)]);
  if (schema.type === undefined) return new Set(['anything']);
  const types = typeof schema.type === 'string' ? [schema.type] : schema.type;
  return new Set(types.map((type) => KIND_OF_TYPE[type] ?? 'anything'));
}

const KIND_OF_TYPE: Readonly<Record<string, ValueKind>> = {
  string: 'text',
  number: 'number',
  integer: 'number',
  boolean: 'boolean',
  null: 'null',
  array: 'list',
  object: 'map',
};

function kindOfValue(value: JsonValue): ValueKind {
  if (value === null) return 'null';
  if (typeof value === 'string') return 'text';
  if (typeof value === 'object') return Array.isArray(value) ? 'list' : 'map';
  return typeof value === 'number' ? 'number' : 'boolean';
}

/** Whether a value has the type that a schema wants, or is one of its values; ranges are not looked at. */
export function accepts(schema: ValueSchema, value: JsonValue): boolean {
  const branches = branchesOf(schema);
  if (branches !== undefined) return branches.some((branch) => accepts(branch, value));
  const { const: only, enum: values, type, items = {}, minItems = 0, artifact } = schema;
  if (artifact !== undefined) return typeof value === 'string' && value.startsWith('sha256:');
  if (only !== undefined || values !== undefined) return (values ?? [only]).includes(value);
  if (type !== undefined && !kindsOf(schema).has(kindOfValue(value))) return false;
  if (Array.isArray(value)) {
    return value.length >= minItems && value.every((item: JsonValue) => accepts(items, item));
  }
  return type !== 'integer' || Number.isInteger(value);
}

/** Whether some value of the one schema is one of the other, as far as types and fixed values tell. */
export function mayFit(found: ValueSchema, wanted: ValueSchema): boolean {
  const branches = branchesOf(found);
  if (branches !== undefined) return branches.some((branch) => mayFit(branch, wanted));
  const [kinds, wantedKinds] = [kindsOf(found), kindsOf(wanted)];
  if (kinds.has('anything') || wantedKinds.has('anything')) return true;
  const { const: only, enum: values } = found;
  if (values !== undefined) return values.some((value) => accepts(wanted, value));
  if (only !== undefined) return accepts(wanted, only);
  return [...kinds].some((kind) => wantedKinds.has(kind));
}

/** `an integer of at least 1`, `one of none, longest`, `a dataset`: how messages name what is expected. */
export function describeSchema(schema: ValueSchema): string {
  const branches = branchesOf(schema);
  if (branches !== undefined) return describeSchemas(branches);
  if (schema.artifact !== undefined) return schema.artifact.map(withArticle).join(' or ');
  if (schema.credential === true) return 'a secret';
  if (schema.enum !== undefined) {
    const values = [...new Set(schema.enum)].map((value) =>
      value === '' ? "''" : plainText(value),
    );
    return values.length === 1 ? values.join('') : `one of ${values.join(', ')}`;
  }
  if (schema.const !== undefined) return plainText(schema.const);
  const types = schema.type === undefined ? [] : [schema.type].flat();
  return types.length === 0
    ? 'a value'
    : types.map((type) => describeType(type, schema)).join(' or ');
}

/** What a value that fits any of these can be. */
export function describeSchemas(schemas: readonly ValueSchema[]): string {
  const values = schemas.flatMap(({ const: value, enum: all }) => all ?? value ?? []);
  const others = schemas.filter(
    ({ const: value, enum: all, type }) =>
      value === undefined && all === undefined && type !== 'null',
  );
  const texts = [
    ...(values.length > 0 ? [describeSchema({ enum: values })] : []),
    ...others.map(describeSchema),
  ];
  return [...new Set(texts)].join(' or ');
}

function describeType(type: string, schema: ValueSchema): string {
  switch (type) {
    case 'string':
      return `a string${describeText(schema)}`;
    case 'integer':
      return `an integer${describeBounds(schema)}`;
    case 'number':
      return `a number${describeBounds(schema)}`;
    case 'boolean':
      return 'true or false';
    case 'array':
      return describeList(schema);
    case 'object':
      return 'a map';
    default:
      return 'nothing';
  }
}

function describeText({ minLength, maxLength, pattern }: ValueSchema): string {
  const parts = [
    minLength !== undefined &&
      (minLength === 1 ? 'that is not empty' : `of ${minLength} characters or more`),
    maxLength !== undefined && `of at most ${maxLength} characters`,
    pattern !== undefined && `that matches ${pattern}`,
  ].filter((part) => part !== false);
  return parts.length === 0 ? '' : ` ${parts.join(' and ')}`;
}

function describeBounds(schema: ValueSchema): string {
  const { minimum, maximum, exclusiveMinimum, exclusiveMaximum, multipleOf } = schema;
  const range =
    isBound(minimum) && isBound(maximum)
      ? [`from ${minimum} to ${maximum}`]
      : [isBound(minimum) && `of at least ${minimum}`, isBound(maximum) && `of at most ${maximum}`];
  const parts = [
    ...range,
    isBound(exclusiveMinimum) && `above ${exclusiveMinimum}`,
    isBound(exclusiveMaximum) && `below ${exclusiveMaximum}`,
    multipleOf !== undefined && `divisible by ${multipleOf}`,
  ].filter((part) => part !== false);
  return parts.length === 0 ? '' : ` ${parts.join(' and ')}`;
}

/** zod writes the ends of the exact integers for every integer. */
function isBound(bound: number | undefined): boolean {
  return bound !== undefined && Math.abs(bound) < Number.MAX_SAFE_INTEGER;
}

function describeList({ items, minItems, maxItems }: ValueSchema): string {
  const size =
    minItems !== undefined && minItems > 0
      ? ` of ${minItems}${maxItems === minItems ? '' : ' or more'}`
      : '';
  const each = items === undefined || isAnything(items) ? '' : `, each ${describeSchema(items)}`;
  return `a list${size}${each}`;
}

function withArticle(noun: string): string {
  return `${/^[aeiou]/.test(noun) ? 'an' : 'a'} ${noun}`;
}

function branchesOf({ anyOf, oneOf }: ValueSchema): readonly ValueSchema[] | undefined {
  return anyOf ?? oneOf;
}

export function isAnything(schema: ValueSchema): boolean {
  const { type, artifact, allOf, not } = schema;
  const isOpen = type === undefined && artifact === undefined && not === undefined;
  return (isOpen && schema.enum === undefined && schema.const === undefined) || allOf !== undefined;
}

function mayBe({ type }: ValueSchema, wanted: string): boolean {
  return [type].flat().includes(wanted);
}
