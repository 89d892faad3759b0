import { STEP_RESULTS } from '../plan/expressions.ts';
import type { Reference } from '../plan/expressions.ts';
import { RUN_FIELDS } from './expression-declarations.ts';
import { matrixSchema } from './matrix-schema.ts';
import { paramSchema } from './params.ts';
import type { Step } from './pipeline.ts';
import { closed, itemsOf, lazily, oneSchema, schemaOfValue } from './schema-making.ts';
import { schemasUnder, type ValueSchema, valueSchema } from './schema.ts';
import type { StepSignature } from './step-declaration.ts';
import type { InputContext } from './step-inputs.ts';

const RUN: ValueSchema = closed(
  Object.fromEntries(Object.entries(RUN_FIELDS).map(([name, { type }]) => [name, { type }])),
);

/** The types of everything that expressions of a pipeline can read, but for `matrix`. */
export function contextSchema(context: Omit<InputContext, 'contexts'>): ValueSchema {
  const { params, env, steps } = context.pipeline;
  const contexts: ValueSchema = closed({
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
    secrets: { type: 'object', additionalProperties: { type: 'string' } },
    // A step may take its types from another one.
    steps: closed(
      lazily(steps, (step): ValueSchema => resultsSchema(step, { ...context, contexts })),
    ),
  });
  return contexts;
}

/** What a step with a search gives besides the outputs of its best trial. */
const SEARCH_OUTPUTS: Readonly<Record<string, ValueSchema>> = {
  trials: { type: 'string', artifact: ['trials'] },
  best_trial: { type: 'integer' },
  best_parameters: { type: 'object', additionalProperties: {} },
};

/** What `steps.ID` reads: one with a matrix gives lists. */
function resultsSchema(step: Step, context: InputContext): ValueSchema {
  const { signature, strategy, search } = step;
  if (signature === undefined) return {};
  const hasOwnTypes = Object.values(signature.outputs).some(
    (schema) => valueSchema(schema, 'output').itemOf !== undefined,
  );
  const isPlain = strategy === undefined && search === undefined && !hasOwnTypes;
  if (isPlain) return plainResults(signature);
  const own = hasOwnTypes ? outputsOf(step, signature, context) : outputsSchema(signature);
  const outputs = search === undefined ? own : closed({ ...own.properties, ...SEARCH_OUTPUTS });
  const result: ValueSchema = { enum: STEP_RESULTS };
  if (strategy === undefined) return closed({ outputs, result });
  const matrix = matrixSchema(strategy, context);
  const [all, values] = [outputs, matrix].map((items) => ({ type: 'array', items }) as const);
  return closed({ outputs: all ?? {}, matrix: values ?? {}, result });
}

const plain = new WeakMap<StepSignature, ValueSchema>();

function plainResults(signature: StepSignature): ValueSchema {
  const known = plain.get(signature);
  if (known !== undefined) return known;
  const made = closed({ outputs: outputsSchema(signature), result: { enum: STEP_RESULTS } });
  plain.set(signature, made);
  return made;
}

function outputsSchema({ outputs }: StepSignature): ValueSchema {
  return closed(
    Object.fromEntries(
      Object.entries(outputs).map(([name, schema]) => [name, valueSchema(schema, 'output')]),
    ),
  );
}

/** Of a kind with an output that is an item of one of its inputs. */
function outputsOf(step: Step, signature: StepSignature, context: InputContext): ValueSchema {
  const { properties = {} } = outputsSchema(signature);
  const typed = Object.entries(properties).map(([name, schema]) => {
    const { itemOf } = schema;
    return [name, itemOf === undefined ? schema : itemSchema(step, itemOf, context)] as const;
  });
  return closed(Object.fromEntries(typed));
}

/** What the list that an input of the step gets holds; anything where that is not known. */
export function itemSchema(step: Step, input: string, context: InputContext): ValueSchema {
  const value = step.with?.entries.get(input)?.value;
  const whole = value?.kind === 'scalar' ? context.templates.read(value)?.whole : undefined;
  const reference = whole?.expression.plain;
  if (reference === undefined) return {};
  const read = referenceType(context.contexts, reference);
  return read.ok ? oneSchema(itemsOf(read.schemas)) : {};
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

/** Follows a reference through the types; past a computed index anything may be. */
export function referenceType(contexts: ValueSchema, { context, path }: Reference): ReferenceType {
  let schemas = schemasUnder(contexts, context);
  let isList = false;
  for (const [at, segment] of path.entries()) {
    if (segment.kind === 'dynamic') return { ok: true, schemas: ANYTHING };
    if (segment.kind === 'star') {
      schemas = itemsOf(schemas);
      isList = true;
      continue;
    }
    const key = segment.kind === 'name' ? segment.name : segment.index;
    const [only] = schemas;
    const next: readonly ValueSchema[] =
      only !== undefined && schemas.length === 1
        ? schemasUnder(only, key)
        : schemas.flatMap((schema) => schemasUnder(schema, key));
    if (next.length === 0) return { ok: false, at, owner: schemas };
    schemas = next;
  }
  // What stands behind `.*` is a list of what each item has there.
  return { ok: true, schemas: isList ? [{ type: 'array', items: oneSchema(schemas) }] : schemas };
}
