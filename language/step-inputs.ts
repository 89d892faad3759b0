import type { JsonObject, JsonValue } from '../plan/json.ts';
import type { MatrixEntry } from '../plan/matrix.ts';
import { checkStandsInText } from './checks/expression.ts';
import { ANYTHING } from './context-schema.ts';
import type { Dependents } from './dependents.ts';
import { type Branch, branchesOf, typeOfBranches } from './expression-type.ts';
import { knownText, knownValue } from './known-values.ts';
import type { Located, LocatedScalar } from './located.ts';
import type { Pipeline } from './pipeline.ts';
import type { Reporter } from './reporter.ts';
import type { ValueSchema } from './schema.ts';
import type { Range } from './source-text.ts';
import type { LocatedExpression, LocatedTemplate, TemplateReader } from './template.ts';

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
  /** Where it is one value or another: those that are reads. */
  readonly reads?: readonly ReadBranch[];
  /** Each of these it will be, in one entry of a matrix or another. */
  readonly isEach?: boolean;
}

export interface ReadBranch {
  readonly range: Range;
  /** As written. */
  readonly text: string;
  readonly schemas: readonly ValueSchema[];
}

export interface StepInputs {
  /** JSON, but for a RunTimeValue in each hole. */
  readonly value: unknown;
  readonly holes: readonly Hole[];
}

export interface InputContext {
  readonly pipeline: Pipeline;
  readonly dependents: Dependents;
  readonly contexts: ValueSchema;
  readonly templates: TemplateReader;
  readonly reporter: Reporter;
  /** The values of one entry of the step's matrix; undefined while none is looked at. */
  readonly matrix?: JsonObject;
}

/** As above, for one step. */
export interface StepContext extends InputContext {
  /** Entries of its matrix to look at one by one; undefined where they are not known. */
  readonly entries?: readonly MatrixEntry[];
}

/** The step as it is for each known entry of its matrix, or once. */
export function everyEntry(context: StepContext): readonly InputContext[] {
  const { entries } = context;
  return entries?.map(({ values }) => ({ ...context, matrix: values })) ?? [context];
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

/** A value as far as it is known before the run; what can be no value is reported. */
export function resolveScalar(
  scalar: LocatedScalar,
  context: InputContext,
): { value: JsonValue } | Omit<Hole, 'path'> {
  const template = context.templates.read(scalar);
  if (template === undefined) return { value: scalar.value };
  const { range } = scalar;
  const { whole, text, isBroken } = template;
  if (isBroken) return { range, text, schemas: ANYTHING };
  if (whole === undefined) return resolveText(template, context);
  const { contexts } = context;
  const value = knownValue(whole, context);
  if (value !== undefined) return { value };
  const { expression } = whole;
  const isEach = expression.plain?.context === 'matrix';
  const branches = branchesOf(expression.gives, contexts);
  const schemas = typeOfBranches(branches);
  const reads = branches.length > 1 ? readBranches(whole, branches) : [];
  return { range, text: expression.text.trim(), schemas, isEach, reads };
}

function readBranches(
  { expression, rangeOf }: LocatedExpression,
  branches: readonly Branch[],
): readonly ReadBranch[] {
  return branches.flatMap(({ reference, schemas }) => {
    if (reference === undefined) return [];
    const { start, end } = reference;
    return { range: rangeOf(reference), text: expression.text.slice(start, end), schemas };
  });
}

/** Text with expressions in it. */
function resolveText(
  template: LocatedTemplate,
  context: InputContext,
): { value: JsonValue } | Omit<Hole, 'path'> {
  const { expressions, scalar, text } = template;
  const { contexts, reporter } = context;
  const isKnown = expressions.map((part) => {
    const value = knownValue(part, context);
    const schemas =
      value === undefined
        ? typeOfBranches(branchesOf(part.expression.gives, contexts))
        : [{ const: value }];
    return checkStandsInText(part, schemas, reporter) && value !== undefined;
  });
  const known = isKnown.every(Boolean) ? knownText(template, context) : undefined;
  return known === undefined
    ? { range: scalar.range, text, schemas: [{ type: 'string' }] }
    : { value: known };
}
