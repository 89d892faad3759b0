import { STEP_RESULTS } from '../plan/expressions.ts';
import type { Reference } from '../plan/expressions.ts';
import type { JsonValue } from '../plan/json.ts';
import { RUN_FIELDS } from './expression-declarations.ts';
import { paramSchema } from './params.ts';
import type { Pipeline } from './pipeline.ts';
import { schemasUnder, type ValueSchema, valueSchema } from './schema.ts';
import type { StepSignature } from './step-declaration.ts';

const RUN: ValueSchema = closed(
  Object.fromEntries(Object.entries(RUN_FIELDS).map(([name, { type }]) => [name, { type }])),
);

/** The types of everything that expressions of a pipeline can read. */
export function contextSchema({ params, env, steps }: Pipeline): ValueSchema {
  return closed({
    params: closed(
      Object.fromEntries(
        [...params].map(([name, { declaration }]) => [
          name,
          declaration === undefined ? {} : paramSchema(declaration),
        ]),
      ),
    ),
    env: schemaOfValue(env),
    run: RUN,
    steps: closed(
      Object.fromEntries([...steps].map(([id, { signature }]) => [id, stepSchema(signature)])),
    ),
  });
}

const stepSchemas = new WeakMap<StepSignature, ValueSchema>();

function stepSchema(signature: StepSignature | undefined): ValueSchema {
  if (signature === undefined) return {};
  const known = stepSchemas.get(signature);
  if (known !== undefined) return known;
  const outputs = Object.fromEntries(
    Object.entries(signature.outputs).map(([name, schema]) => [
      name,
      valueSchema(schema, 'output'),
    ]),
  );
  const made = closed({ outputs: closed(outputs), result: { enum: STEP_RESULTS } });
  stepSchemas.set(signature, made);
  return made;
}

function closed(properties: Readonly<Record<string, ValueSchema>>): ValueSchema {
  return { type: 'object', properties, additionalProperties: false };
}

function schemaOfValue(value: JsonValue): ValueSchema {
  if (value === null || typeof value !== 'object') return { const: value };
  if (Array.isArray(value)) return { type: 'array', items: {} };
  return closed(
    Object.fromEntries(Object.entries(value).map(([key, item]) => [key, schemaOfValue(item)])),
  );
}

/** What a reference reads: its type, or the segment at which there is nothing. */
export type ReferenceType =
  | { readonly ok: true; readonly schemas: readonly ValueSchema[] }
  | {
      readonly ok: false;
      /** Index into the path. */
      readonly at: number;
      /** What the path before it reads. */
      readonly owner: readonly ValueSchema[];
    };

export const ANYTHING: readonly ValueSchema[] = [{}];

/** Follows a reference through the types; past `.*` or a computed index anything may be. */
export function referenceType(contexts: ValueSchema, { context, path }: Reference): ReferenceType {
  let schemas = schemasUnder(contexts, context);
  for (const [at, segment] of path.entries()) {
    if (segment.kind === 'star' || segment.kind === 'dynamic') {
      return { ok: true, schemas: ANYTHING };
    }
    const key = segment.kind === 'name' ? segment.name : segment.index;
    const next = schemas.flatMap((schema) => schemasUnder(schema, key));
    if (next.length === 0) return { ok: false, at, owner: schemas };
    schemas = next;
  }
  return { ok: true, schemas };
}
