import { z } from 'zod';
import type { JsonObject, JsonValue } from '../plan/json.ts';
import { EXPRESSION } from './expression-text.ts';
import { type ArtifactType, schemaFacts, type SchemaFacts } from './step-declaration.ts';

/** A JSON Schema as a file holds it, with the words beside it that editors show. */
export type EditorSchema = JsonObject;

/** Under `$defs`: any JSON, with expressions in it. */
export const ANY_VALUE = 'value';

/** What zod writes of a schema, with descriptions and the facts of step-declaration.ts. */
interface Written extends SchemaFacts {
  readonly type?: string;
  readonly properties?: Readonly<Record<string, Written>>;
  readonly additionalProperties?: boolean | Written;
  readonly items?: Written;
  readonly prefixItems?: readonly Written[];
  readonly anyOf?: readonly Written[];
  readonly oneOf?: readonly Written[];
  readonly enum?: readonly JsonValue[];
  readonly const?: JsonValue;
  readonly not?: unknown;
  readonly default?: JsonValue;
  readonly description?: string;
  readonly pattern?: string;
  readonly maxLength?: number;
  readonly $ref?: string;
  readonly $defs?: Readonly<Record<string, Written>>;
}

/** JSON Schema of a part of the language, whose declaration says itself where expressions may stand. */
export function partSchema(part: z.ZodType): EditorSchema {
  return tidy(written(part)) as EditorSchema;
}

export interface InputSchema {
  readonly schema: EditorSchema;
  /** Schemas that `schema` refers to, by names that begin with the prefix. */
  readonly definitions: Readonly<Record<string, EditorSchema>>;
}

/**
 * JSON Schema of the `with` of a kind, in which every value may be an expression. What a kind's own
 * rules say across inputs is for `check`: no JSON Schema has it.
 *
 * @param prefix of the names under `$defs` to which the schema may refer
 */
export function inputSchema(inputs: z.ZodObject, prefix: string): InputSchema {
  const { $defs = {}, ...root } = written(inputs);
  const nameOf = (name: string): string =>
    isAnyJson($defs[name]) ? ANY_VALUE : `${prefix}.${name}`;
  const own = Object.entries($defs).filter(([name]) => nameOf(name) !== ANY_VALUE);
  const definitions = own.map(([name, schema]) => [nameOf(name), tidy(value(schema, nameOf))]);
  return {
    schema: tidy(inside(root, nameOf)) as EditorSchema,
    definitions: Object.fromEntries(definitions) as InputSchema['definitions'],
  };
}

function written(schema: z.ZodType): Written {
  return z.toJSONSchema(schema, {
    io: 'input',
    unrepresentable: 'any',
    metadata: schemaFacts,
    override: ({ zodSchema, jsonSchema }) => {
      const { description } = zodSchema as unknown as z.ZodType;
      if (description !== undefined) jsonSchema.description = description;
    },
  }) as Written;
}

/** What zod writes of `z.json()`: an alternative for each type there is. */
function isAnyJson(schema: Written | undefined): boolean {
  const types = schema?.anyOf?.map(({ type }) => type).join(' ');
  return types === 'string number boolean null array object';
}

/** The name under `$defs` of what zod has under one of its own. */
type NameOf = (name: string) => string;

const ANY_EXPRESSION = {
  type: 'string',
  pattern: EXPRESSION.source,
  patternErrorMessage: 'expected an expression, such as ${{ params.NAME }}',
};

const TYPES: Readonly<Record<string, string>> = {
  integer: 'an integer',
  number: 'a number',
  boolean: 'true or false',
  array: 'a list',
  object: 'a map',
};

/** A value, or a text with an expression in it. */
function value(schema: Written, nameOf: NameOf): JsonObject {
  const { artifact, type, pattern, maxLength, anyOf, oneOf } = schema;
  const open = inside(schema, nameOf);
  if (artifact !== undefined) return { ...open, ...wire(artifact) };
  const isWords = schema.enum !== undefined || schema.const !== undefined;
  if (type !== undefined && TYPES[type] !== undefined && !isWords) {
    return { ...open, type: [type, 'string'], ...textRule(TYPES[type]) };
  }
  const isText = type === 'string' && !isWords;
  if (isText && pattern === undefined && maxLength === undefined) return open;
  if (type === undefined && !isWords && (anyOf ?? oneOf) === undefined) return open;
  // What an editor shows of the value stands before the alternatives.
  const { description, default: fallback, deprecationMessage, ...closed } = open;
  const alternatives = (closed['anyOf'] as JsonValue[] | undefined) ?? [closed];
  return {
    ...(description !== undefined && { description }),
    ...(fallback !== undefined && { default: fallback }),
    ...(deprecationMessage !== undefined && { deprecationMessage }),
    anyOf: [...alternatives, ANY_EXPRESSION],
  };
}

/** The same value, with expressions in its parts alone. */
function inside(schema: Written, nameOf: NameOf): JsonObject {
  if (schema.not !== undefined) return never(schema);
  const { properties = {}, additionalProperties, items, prefixItems, anyOf, oneOf } = schema;
  const { example, hint, $ref } = schema;
  const branches = anyOf ?? oneOf;
  const kept = Object.entries(schema).filter(([key]) => !REWRITTEN.has(key));
  const entries = Object.entries(properties);
  return {
    ...Object.fromEntries(kept),
    ...(hint !== undefined && { deprecationMessage: hint }),
    ...(example !== undefined && { examples: [example] }),
    ...($ref !== undefined && { $ref: `#/$defs/${nameOf($ref.replace('#/$defs/', ''))}` }),
    ...(schema.properties !== undefined && {
      properties: Object.fromEntries(entries.map(([key, item]) => [key, value(item, nameOf)])),
    }),
    ...(typeof additionalProperties === 'object' && {
      additionalProperties: value(additionalProperties, nameOf),
    }),
    ...(items !== undefined && { items: value(items, nameOf) }),
    ...(prefixItems !== undefined && {
      prefixItems: prefixItems.map((item) => value(item, nameOf)),
    }),
    ...(branches !== undefined && { anyOf: branches.map((branch) => inside(branch, nameOf)) }),
  };
}

const REWRITTEN: ReadonlySet<string> = new Set([
  ...['artifact', 'example', 'notBuilt', 'hint', 'replacedBy'],
  ...['credential', 'itemOf', 'pathIn', 'stopsWithin'],
  ...['$ref', 'anyOf', 'oneOf'],
]);

/** A key that is refused whatever its value: not suggested, and with the reason where it stands. */
function never({ notBuilt, description }: Written): JsonObject {
  const reason = notBuilt ?? description;
  return {
    not: {},
    doNotSuggest: true,
    ...(reason !== undefined && { deprecationMessage: reason }),
  };
}

/** An input of an artifact type takes an output of that type. */
function wire(artifact: readonly ArtifactType[]): JsonObject {
  const [first = 'model'] = artifact;
  const example = `\${{ steps.ID.outputs.${first === 'tokenized-dataset' ? 'dataset' : first} }}`;
  return {
    pattern: `^sha256:[0-9a-f]{64}$|${EXPRESSION.source}`,
    patternErrorMessage: `expected a ${artifact.join(' or ')} from a step, such as ${example}`,
    examples: [example],
  };
}

function textRule(expected: string): JsonObject {
  return {
    pattern: EXPRESSION.source,
    patternErrorMessage: `expected ${expected}, or an expression in \${{ }}`,
  };
}

/** Without what zod adds to every schema, and with the ends of the exact integers left out. */
function tidy(found: unknown): unknown {
  if (Array.isArray(found)) return found.map(tidy);
  if (typeof found !== 'object' || found === null) return found;
  const entries = Object.entries(found).filter(
    ([key, item]) =>
      key !== '$schema' &&
      !(key === 'maximum' && item === Number.MAX_SAFE_INTEGER) &&
      !(key === 'minimum' && item === Number.MIN_SAFE_INTEGER) &&
      !(key === 'propertyNames' && isPlainString(item)),
  );
  return Object.fromEntries(entries.map(([key, item]) => [key, tidy(item)]));
}

/** Every key of a map is a string. */
function isPlainString(schema: unknown): boolean {
  return JSON.stringify(schema) === '{"type":"string"}';
}
