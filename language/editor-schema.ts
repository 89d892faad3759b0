import type { JsonObject } from '../plan/json.ts';
import { type Catalog, kindName } from './catalog.ts';
import { NO_EXPRESSION } from './expression-text.ts';
import { PARAM, PIPELINE, STEP } from './grammar.ts';
import { ANY_VALUE, type EditorSchema, inputSchema, partSchema } from './input-schema.ts';
import { PARAM_TYPES, SCHEMA_TYPES, type ParamType } from './params.ts';
import { valueSchema } from './schema.ts';
import type { StepSignature } from './step-declaration.ts';

/**
 * JSON Schema (2020-12) of pipeline files, for editors: what `check` refuses by the shape of one value
 * is refused, and what it says across values (wires, cycles, a kind's own rules) is left to it. The
 * words that the standard does not have (`deprecationMessage`, `doNotSuggest`, `enumDescriptions`,
 * `patternErrorMessage`) are those of the YAML language server and of Visual Studio Code.
 *
 * @param catalog every step kind that a file may use
 */
export function pipelineSchema(catalog: Catalog): EditorSchema {
  const { properties, ...root } = partSchema(PIPELINE) as Part;
  const { params, env, steps, outputs } = properties;
  const inputs = catalog.map((signature) => {
    const name = kindName(signature);
    return [name, inputSchema(signature.with, name)] as const;
  });
  return {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    description: 'A fine-tuning pipeline: steps on data and models, and what connects them.',
    ...root,
    properties: {
      ...properties,
      params: { ...params, additionalProperties: ref('param') },
      env: { ...env, additionalProperties: ref('constant') },
      steps: { ...steps, minProperties: 1, additionalProperties: ref('step') },
      outputs: { ...outputs, additionalProperties: ref(ANY_VALUE) },
    },
    $defs: {
      param: paramSchema(),
      constant: anyValue('constant', NO_EXPRESSION),
      [ANY_VALUE]: anyValue(ANY_VALUE),
      step: stepSchema(catalog),
      ...Object.fromEntries(inputs.map(([name, { schema }]) => [name, schema])),
      ...Object.assign({}, ...inputs.map(([, { definitions }]) => definitions)),
    },
  };
}

type Part = EditorSchema & { readonly properties: Readonly<Record<string, EditorSchema>> };

function ref(name: string): EditorSchema {
  return { $ref: `#/$defs/${name}` };
}

/** Any JSON whose keys are no expressions; a pattern is of text alone, as items are of lists. */
function anyValue(name: string, text?: RegExp): EditorSchema {
  return {
    type: ['string', 'number', 'boolean', 'null', 'array', 'object'],
    ...(text !== undefined && { pattern: text.source }),
    items: ref(name),
    propertyNames: { pattern: NO_EXPRESSION.source },
    additionalProperties: ref(name),
  };
}

/** `rows: 1000`, or a map with what the type of the param allows. */
function paramSchema(): EditorSchema {
  return {
    description: 'a default, from which the type follows, or a map of type, default and bounds',
    type: ['string', 'number', 'boolean', 'array', 'object'],
    pattern: NO_EXPRESSION.source,
    items: ref('constant'),
    ...when({ type: 'object' }, longForm()),
  };
}

function longForm(): EditorSchema {
  return {
    ...partSchema(PARAM),
    anyOf: [{ required: ['type'] }, { required: ['default'] }, { required: ['enum'] }],
    allOf: PARAM_TYPES.map((type) =>
      when(isOnly('type', type), { type: 'object', properties: paramValues(type) }),
    ),
  };
}

/** A map in which a key has one value. */
function isOnly(key: string, value: string): EditorSchema {
  return { type: 'object', properties: { [key]: { const: value } }, required: [key] };
}

function when(condition: EditorSchema, consequence: EditorSchema): EditorSchema {
  // oxlint-disable-next-line unicorn/no-thenable -- a keyword of JSON Schema
  return { if: condition, then: consequence };
}

function paramValues(type: ParamType): JsonObject {
  const isNumeric = type === 'integer' || type === 'number';
  const value = { type: SCHEMA_TYPES[type] };
  return {
    default: type === 'list' ? { ...value, items: ref('constant') } : value,
    ...(isNumeric ? { minimum: value, maximum: value } : { minimum: false, maximum: false }),
    enum: type === 'list' ? false : { type: 'array', items: value },
    ...(type !== 'string' && { pattern: false }),
  };
}

/** Every step has the same keys; what `with` holds, and whether `runs_on` may, is its kind's. */
function stepSchema(catalog: Catalog): EditorSchema {
  const { properties, ...step } = partSchema(STEP) as Part;
  return {
    ...step,
    properties: {
      ...properties,
      uses: {
        ...properties['uses'],
        enum: catalog.map(kindName),
        enumDescriptions: catalog.map(({ summary }) => summary),
      },
    },
    allOf: catalog.map((signature) =>
      when(isOnly('uses', kindName(signature)), kindSchema(signature)),
    ),
  };
}

function kindSchema(signature: StepSignature): EditorSchema {
  const needsInputs = (valueSchema(signature.with, 'input').required ?? []).length > 0;
  return {
    type: 'object',
    properties: {
      with: ref(kindName(signature)),
      ...(signature.role === 'work' && { runs_on: false }),
      ...(signature.effect === 'external' && { cache: false }),
    },
    ...(needsInputs && { required: ['with'] }),
  };
}
