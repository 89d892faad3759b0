import type { JsonValue } from '../plan/json.ts';
import { referenceType } from './context-schema.ts';
import { knownValue } from './known-values.ts';
import type { Located, LocatedScalar } from './located.ts';
import type { Pipeline } from './pipeline.ts';
import type { Reporter } from './reporter.ts';
import type { ValueSchema } from './schema.ts';
import type { Range } from './source-text.ts';
import type { TemplateReader } from './template.ts';

export type InputPath = readonly (string | number)[];

/** Stands in a step's inputs for a value that is known at run time only; no schema takes it. */
export class RunTimeValue {
  readonly isKnownAtRunTime = true;
}

export interface Hole {
  readonly path: InputPath;
  readonly range: Range;
  /** As written, without `${{ }}` when it is one expression. */
  readonly text: string;
  /** What it can be; anything when that is not known. */
  readonly schemas: readonly ValueSchema[];
}

export interface StepInputs {
  /** JSON, but for a RunTimeValue in each hole. */
  readonly value: unknown;
  readonly holes: readonly Hole[];
}

export interface InputContext {
  readonly pipeline: Pipeline;
  readonly contexts: ValueSchema;
  readonly templates: TemplateReader;
  readonly reporter: Reporter;
}

/** A `with` as far as it is known before the run. */
export function resolveInputs(located: Located, context: InputContext): StepInputs {
  const holes: Hole[] = [];
  const resolve = (value: Located, path: InputPath): unknown => {
    if (value.kind === 'list') return value.items.map((item, at) => resolve(item, [...path, at]));
    if (value.kind === 'map') {
      return Object.fromEntries(
        [...value.entries.values()].map((entry) => [
          entry.key,
          resolve(entry.value, [...path, entry.key]),
        ]),
      );
    }
    const resolved = resolveScalar(value, context);
    if ('value' in resolved) return resolved.value;
    holes.push({ path, ...resolved });
    return new RunTimeValue();
  };
  return { value: resolve(located, []), holes };
}

function resolveScalar(
  scalar: LocatedScalar,
  { pipeline, contexts, templates, reporter }: InputContext,
): { value: JsonValue } | Omit<Hole, 'path'> {
  const template = templates.read(scalar);
  if (template === undefined) return { value: scalar.value };
  const value = knownValue(template, pipeline, contexts, reporter);
  if (value !== undefined) return { value };
  const { whole, text, isBroken } = template;
  const { range } = scalar;
  if (isBroken) return { range, text, schemas: [{}] };
  if (whole === undefined) return { range, text, schemas: [{ type: 'string' }] };
  const { expression } = whole;
  const { plain, type } = expression;
  const place = { range, text: expression.text.trim() };
  if (type !== undefined) return { ...place, schemas: [{ type }] };
  if (plain === undefined) return { ...place, schemas: [{}] };
  const read = referenceType(contexts, plain);
  return { ...place, schemas: read.ok ? read.schemas : [{}] };
}
