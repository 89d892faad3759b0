import type { JsonValue } from '../plan/json.ts';
import { inputProblems } from './input-problems.ts';
import { plainText } from './located.ts';
import type { Step } from './pipeline.ts';
import { type ValueSchema, valueSchema } from './schema.ts';
import type { StepSignature } from './step-declaration.ts';
import type { InputPath } from './step-inputs.ts';
import { type Wiring, wiresFor } from './wiring.ts';

/** The least that fills an input: YAML in one line, and a value of that kind. */
interface Example {
  readonly yaml: string;
  readonly value: JsonValue;
}

interface Place {
  readonly step: Step;
  readonly wiring: Wiring;
}

/** `model: "${{ steps.base.outputs.model }}"` */
export function exampleOf(key: string, schema: ValueSchema, place: Place): string {
  return `${key}: ${exampleValue(key, schema, [], place).yaml}`;
}

/** Refinements that ask for one input after another. */
const MAX_ROUNDS = 8;

/** `{ a: 1, b: 2 }` with the inputs that a kind's schema requires, and then those that its refinements miss. */
export function exampleInputs(signature: StepSignature, place: Place): string {
  const schema = valueSchema(signature.with, 'input');
  let example = exampleMap(schema, [], place);
  let paths: readonly InputPath[] = [];
  for (let round = 0; round < MAX_ROUNDS; round += 1) {
    const problems = inputProblems(signature.with, { value: example.value, holes: [] });
    const missing = problems.filter(({ kind }) => kind === 'missing');
    if (missing.length === 0) break;
    paths = [...paths, ...missing.map(({ path }) => path)];
    example = exampleMap(schema, paths, place);
  }
  return example.yaml;
}

/** @param paths inside the value, of what has to be there beside what the schema requires */
function exampleValue(
  key: string,
  schema: ValueSchema,
  paths: readonly InputPath[],
  place: Place,
): Example {
  const [branch] = schema.anyOf ?? schema.oneOf ?? [];
  const known = schema.example ?? schema.const ?? schema.enum?.[0];
  if (known !== undefined) return { yaml: yamlOf(known), value: known };
  if (branch !== undefined) return exampleValue(key, branch, paths, place);
  if (schema.artifact !== undefined) return exampleWire(key, schema.artifact, place);
  switch ([schema.type].flat()[0]) {
    case 'integer':
    case 'number': {
      const value = leastNumber(schema);
      return { yaml: String(value), value };
    }
    case 'boolean':
      return { yaml: 'true', value: true };
    case 'array':
      return exampleList(key, schema, place);
    case 'object':
      return exampleMap(schema, paths, place);
    default:
      return { yaml: key.toUpperCase(), value: key.toUpperCase() };
  }
}

const DIGEST = `sha256:${'0'.repeat(64)}`;

function exampleWire(
  key: string,
  artifact: NonNullable<ValueSchema['artifact']>,
  { step, wiring }: Place,
): Example {
  const [wire] = wiresFor(key, artifact, step, wiring);
  const output = artifact[0] === 'model' ? 'model' : 'dataset';
  return { yaml: `"\${{ ${wire ?? `steps.ID.outputs.${output}`} }}"`, value: DIGEST };
}

function exampleList(
  key: string,
  { items = {}, minItems = 1 }: ValueSchema,
  place: Place,
): Example {
  const item = exampleValue(key, items, [], place);
  const all = Array.from({ length: Math.max(1, minItems) }, () => item);
  return {
    yaml: `[${all.map(({ yaml }) => yaml).join(', ')}]`,
    value: all.map(({ value }) => value),
  };
}

function exampleMap(schema: ValueSchema, paths: readonly InputPath[], place: Place): Example {
  const { required = [], properties = {} } = schema;
  const keys = new Set([
    ...required,
    ...paths.flatMap(([key]) => (key === undefined ? [] : String(key))),
  ]);
  const entries = [...keys].map((key) => {
    const inside = paths.filter(([first]) => first === key).map((path) => path.slice(1));
    return [key, exampleValue(key, properties[key] ?? {}, inside, place)] as const;
  });
  const yaml = entries.map(([key, example]) => `${key}: ${example.yaml}`).join(', ');
  return {
    yaml: yaml === '' ? '{}' : `{ ${yaml} }`,
    value: Object.fromEntries(entries.map(([key, { value }]) => [key, value])),
  };
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
