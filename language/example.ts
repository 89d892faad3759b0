import type { JsonValue } from '../plan/json.ts';
import { plainText } from './located.ts';
import type { Pipeline, Step } from './pipeline.ts';
import type { ValueSchema } from './schema.ts';
import { wiresFor } from './wiring.ts';

/** The least YAML that fills an input, in one line: `model: "${{ steps.base.outputs.model }}"`. */
export function exampleOf(
  key: string,
  schema: ValueSchema,
  step: Step,
  pipeline: Pipeline,
): string {
  return `${key}: ${exampleValue(key, schema, step, pipeline)}`;
}

function exampleValue(key: string, schema: ValueSchema, step: Step, pipeline: Pipeline): string {
  const [branch] = schema.anyOf ?? schema.oneOf ?? [];
  if (branch !== undefined) return exampleValue(key, branch, step, pipeline);
  if (schema.artifact !== undefined) {
    const [type] = schema.artifact;
    const [wire] = wiresFor(key, schema.artifact, step, pipeline);
    return `"\${{ ${wire ?? `steps.ID.outputs.${type === 'model' ? 'model' : 'dataset'}`} }}"`;
  }
  const known = schema.const ?? schema.enum?.[0];
  if (known !== undefined) return yamlOf(known);
  switch ([schema.type].flat()[0]) {
    case 'integer':
    case 'number':
      return String(leastNumber(schema));
    case 'boolean':
      return 'true';
    case 'array':
      return `[${exampleValue(key, schema.items ?? {}, step, pipeline)}]`;
    case 'object':
      return exampleMap(schema, step, pipeline);
    default:
      return key.toUpperCase();
  }
}

/** `{ a: 1, b: 2 }` with the keys that have to be there. */
export function exampleMap(schema: ValueSchema, step: Step, pipeline: Pipeline): string {
  const { required = [], properties = {} } = schema;
  const entries = required.map((key) => exampleOf(key, properties[key] ?? {}, step, pipeline));
  return entries.length === 0 ? '{}' : `{ ${entries.join(', ')} }`;
}

function leastNumber({ minimum, exclusiveMinimum, type }: ValueSchema): number {
  if (minimum !== undefined && minimum > Number.MIN_SAFE_INTEGER) return minimum;
  if (exclusiveMinimum === undefined) return 1;
  return type === 'integer'
    ? exclusiveMinimum + 1
    : exclusiveMinimum === 0
      ? 0.1
      : exclusiveMinimum + 1;
}

function yamlOf(value: JsonValue): string {
  return typeof value === 'string' && !/^[A-Za-z][A-Za-z0-9_-]*$/.test(value)
    ? JSON.stringify(value)
    : plainText(value);
}
