import { z } from 'zod';
import { isReserved } from '../../language/catalog.ts';
import { defineStep as defineBuiltIn, schemaFacts } from '../../language/step-declaration.ts';
import type { OutputShape } from '../../language/step-declaration.ts';
import type { JsonValue } from '../../plan/json.ts';
import type { StepEffect, StepRole } from '../../plan/plan.ts';
import { catalog } from '../catalog.ts';
import type { StepContext } from './custom-context.ts';
import { describeValue, schemaProblems } from '../schema-problems.ts';

/** What `run` returns; an optional output may be left out. */
type Outputs<O extends OutputShape> = z.output<z.ZodObject<O>>;

/** A step kind of one's own, as `defineStep` takes it. */
export interface CustomStep<
  W extends z.ZodObject = z.ZodObject,
  O extends OutputShape = OutputShape,
> {
  /** What a pipeline writes before the `@`: lower-case words with hyphens, `clean-text`. */
  readonly kind: string;
  /** What it writes after the `@`, from 1: raise it when inputs or outputs change for those who use it. */
  readonly version: number;
  /**
   * Default 1. The source of the file is part of every fingerprint, so a change of it runs steps
   * again by itself; raise this for what the source does not show, such as another program it calls.
   */
  readonly revision?: number;
  /**
   * `pure`: a function of its inputs, cached for ever. `source`: looks outside; `resolve` says which
   * revision is there now, and equal revisions are a hit. `external`: changes something outside and
   * runs in every run, so it must do nothing twice.
   */
  readonly effect: StepEffect;
  /** `work`: light steps, several at a time. `train`: one at a time on a worker with the label in `runs_on`. */
  readonly role: StepRole;
  /** One sentence: what the kind does. */
  readonly summary: string;
  /** The inputs, by `z.strictObject`. Artifacts are `artifact('dataset')` and the like. */
  readonly with: W;
  /** The outputs, by name. */
  readonly outputs: O;
  /** Effect `source`: the revision that `inputs` name now, as JSON. `run` finds it in `context.upstream`. */
  resolve?(context: StepContext, inputs: z.output<W>): JsonValue | Promise<JsonValue>;
  /**
   * Does the work. Throw a `Failure` to say how it failed; any other error is `Internal`, and tried
   * again as the step's `retry` says.
   */
  run(context: StepContext, inputs: z.output<W>): Outputs<O> | Promise<Outputs<O>>;
}

/** Everything that is wrong with a declaration. */
export class DeclarationError extends Error {
  override readonly name = 'DeclarationError';
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    super(problems.join('; '));
    this.problems = problems;
  }
}

/** Where `defineStep` was called: the stack of that call, for messages about the declaration. */
const declared = new WeakMap<object, string>();

/**
 * Declares a step kind of one's own; the file that `--steps` names exports it by default, alone or
 * in a list. The types of `inputs` in `run` and of what it returns follow from the schemas.
 *
 * @throws DeclarationError with everything that is wrong with it
 */
export function defineStep<W extends z.ZodObject, O extends OutputShape>(
  declaration: CustomStep<W, O>,
): CustomStep<W, O> {
  const problems = declarationProblems(declaration);
  if (problems.length > 0) throw new DeclarationError(problems);
  declared.set(declaration, new Error('declared').stack ?? '');
  return declaration;
}

/** The stack of the `defineStep` call that made a value, or undefined when none did. */
export function declarationStack(value: unknown): string | undefined {
  return typeof value === 'object' && value !== null ? declared.get(value) : undefined;
}

const KIND = /^[a-z][a-z0-9]*(-[a-z0-9]+)*$/;

const declarationSchema = z.strictObject({
  kind: z.string().max(100).regex(KIND, {
    error: 'expected lower-case words with hyphens, such as clean-text',
  }),
  version: z.int().min(1),
  revision: z.int().min(1).optional(),
  effect: z.enum(['pure', 'source', 'external']),
  role: z.enum(['work', 'train']),
  summary: z.string().min(1),
  with: codeSchema("z.strictObject({ ... }), with z of 'retune/steps'", isOwnObject),
  outputs: codeSchema('schemas by name, such as { rows: z.int() }', isMap),
  resolve: codeSchema('async resolve(context, inputs) { ... }', isFunction).optional(),
  run: codeSchema('async run(context, inputs) { ... }', isFunction),
});

/** Of what is code, not JSON. @param expected as messages say it */
function codeSchema(expected: string, isFit: (value: unknown) => boolean): z.ZodType {
  const schema = z.custom(isFit, { error: `expected ${expected}` });
  return schema.register(schemaFacts, { example: expected });
}

function isFunction(value: unknown): boolean {
  return typeof value === 'function';
}

function isMap(value: unknown): boolean {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isOwnObject(value: unknown): boolean {
  return isOwnSchema(value) && value instanceof z.ZodObject;
}

/** Whether it is a schema of the zod that Retune reads schemas with. */
function isOwnSchema(value: unknown): value is z.ZodType {
  if (!(value instanceof z.ZodType)) return false;
  const { major, minor, patch } = value._zod.version;
  const own = z.core.version;
  return major === own.major && minor === own.minor && patch === own.patch;
}

/** Everything that is wrong with a declaration; typed files have little of it, plain JavaScript may. */
function declarationProblems(declaration: unknown): readonly string[] {
  if (typeof declaration !== 'object' || declaration === null) {
    return [`defineStep was given ${describeValue(declaration)}; expected { kind, version, ... }`];
  }
  const problems = schemaProblems(declarationSchema, declaration);
  if (problems.length > 0) return problems;
  const step = declaration as CustomStep;
  return [
    ...kindProblems(step.kind),
    ...resolveProblems(step),
    ...inputsProblems(step),
    ...Object.entries(step.outputs).flatMap(([name, schema]) =>
      valueProblems(`outputs.${name}`, schema),
    ),
  ];
}

function kindProblems(kind: string): readonly string[] {
  const isTaken = catalog.some((step) => step.kind === kind) || isReserved(kind);
  // Activities are found by name, so names of another meaning there are no kinds.
  if (!isTaken && kind !== 'default' && !(kind in {})) return [];
  const why = isTaken ? "is one of Retune's own" : 'is a reserved word';
  return [`'kind' is '${kind}', which ${why}; choose another, such as my-${kind}`];
}

function resolveProblems({ effect, resolve }: CustomStep): readonly string[] {
  if (effect === 'source' && resolve === undefined) {
    return [
      "effect 'source' needs 'resolve'; add async resolve(context, inputs) { ... }, or make it 'pure'",
    ];
  }
  if (effect === 'source' || resolve === undefined) return [];
  return [`'resolve' is for effect 'source', and this is '${effect}'; remove one of them`];
}

function inputsProblems(step: CustomStep): readonly string[] {
  const problems = Object.entries(step.with.shape).flatMap(([name, schema]) =>
    valueProblems(`with.${name}`, schema),
  );
  if (problems.length > 0) return problems;
  try {
    const { resolve: _resolve, ...rest } = step;
    defineBuiltIn({ ...rest, revision: 1, run: () => Promise.resolve({}) });
    return [];
  } catch (error) {
    return [error instanceof Error ? error.message : String(error)];
  }
}

/** The schema's values travel and are fingerprinted as JSON, before and after it has read them. */
function valueProblems(name: string, schema: unknown): readonly string[] {
  if (!isOwnSchema(schema)) {
    const remedy = "expected a schema such as z.int(), with z of 'retune/steps'";
    return [`'${name}' is ${describeValue(schema)}; ${remedy}`];
  }
  try {
    for (const io of ['input', 'output'] as const) z.toJSONSchema(schema, { io });
    return [];
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    const said = `${reason.charAt(0).toLowerCase()}${reason.slice(1)}`;
    return [`'${name}' has no JSON form (${said}); declare what JSON holds, and convert it in run`];
  }
}
