import {
  evaluateCondition,
  evaluateTemplate,
  ExpressionError,
  guarded,
} from '../plan/expressions.ts';
import type { Expression, Reference } from '../plan/expressions.ts';
import { STATUS_FUNCTIONS } from '../plan/expression-syntax.ts';
import type { JsonObject, JsonValue } from '../plan/json.ts';
import { TextBudget } from '../plan/text-budget.ts';
import { reportExpression } from './checks/expression.ts';
import { referenceType } from './context-schema.ts';
import type { Condition, Pipeline } from './pipeline.ts';
import type { Reporter } from './reporter.ts';
import type { InputContext } from './step-inputs.ts';
import type { LocatedExpression, LocatedTemplate } from './template.ts';

/** Characters that the known expressions of a file may read and make: each of thousands could make millions. */
const MAX_TEXT = 32 * 1024 * 1024;

/**
 * The value of an expression that reads only params, constants of `env` and the pipeline's name,
 * which are known before anything runs.
 *
 * @returns undefined when the value is known at run time only, or cannot be evaluated, which was reported
 */
export function knownValue(
  { expression, rangeOf }: LocatedExpression,
  context: InputContext,
): JsonValue | undefined {
  if (hasStatusFunction(expression) || !readsOnlyKnown(expression, context)) return undefined;
  return evaluated({ expression, rangeOf }, context.reporter, () => {
    // A plain reference is its value; any other expression reads through it.
    if (expression.plain === undefined) takeReads(expression, context);
    return evaluateWithin(context, `\${{${expression.text}}}`);
  });
}

/**
 * The text in which every expression is known, with their values in it.
 *
 * @returns undefined when it cannot be evaluated, which was reported
 */
export function knownText(
  { text, expressions: [first] }: LocatedTemplate,
  context: InputContext,
): JsonValue | undefined {
  return first && evaluated(first, context.reporter, () => evaluateWithin(context, text));
}

/** As the run will evaluate it, and within what all expressions of the file may make. */
function evaluateWithin(context: InputContext, text: string): JsonValue {
  const { budget } = knownOf(context.pipeline);
  budget.take(0);
  const own = new TextBudget();
  try {
    return evaluateTemplate(text, knownContexts(context), own);
  } finally {
    budget.add(own.made);
  }
}

/** What a step may find when its `if` is evaluated. */
const STATUSES = [
  { success: true, failure: false, cancelled: false },
  { success: false, failure: true, cancelled: false },
];

/** Reports an `if` that reads only what is known before anything runs, and cannot be evaluated. */
export function checkKnownCondition(
  { expression: located, text }: Condition,
  context: InputContext,
): void {
  if (located === undefined || !readsOnlyKnown(located.expression, context)) return;
  evaluated(located, context.reporter, () => {
    takeReads(located.expression, context);
    const known = knownContexts(context);
    for (const status of STATUSES) evaluateCondition(text, known, status);
  });
}

function evaluated<T>(
  { expression, rangeOf }: LocatedExpression,
  reporter: Reporter,
  work: () => T,
): T | undefined {
  try {
    return guarded(expression, work);
  } catch (error) {
    if (!(error instanceof ExpressionError)) throw error;
    reportExpression(error, rangeOf(error), reporter);
    return undefined;
  }
}

function hasStatusFunction({ functions }: Expression): boolean {
  return functions.some(({ name }) => STATUS_FUNCTIONS.some((status) => status === name));
}

function readsOnlyKnown({ references }: Expression, context: InputContext): boolean {
  return references.every(
    (reference) =>
      isKnownReference(reference, context) && referenceType(context.contexts, reference).ok,
  );
}

function isKnownReference(
  { context, path }: Reference,
  { pipeline, matrix }: InputContext,
): boolean {
  const [first] = path;
  if (context === 'matrix') return matrix !== undefined;
  if (context === 'run') return first?.kind === 'name' && first.name === 'name';
  if (context === 'env') return true;
  if (context !== 'params') return false;
  if (first?.kind === 'name') return pipeline.paramValues.has(first.name);
  return pipeline.paramValues.size === pipeline.params.size;
}

interface Known {
  readonly contexts: JsonObject;
  readonly budget: TextBudget;
  /** Characters of the values that expressions read, by context and name. */
  readonly sizes: Map<string, number>;
}

function knownContexts({ pipeline, matrix }: InputContext): JsonObject {
  const { contexts } = knownOf(pipeline);
  return matrix === undefined ? contexts : { ...contexts, matrix };
}

const knownValues = new WeakMap<Pipeline, Known>();

function knownOf(pipeline: Pipeline): Known {
  const { paramValues, env, name } = pipeline;
  const known = knownValues.get(pipeline) ?? {
    contexts: { params: Object.fromEntries(paramValues), env, run: { name } },
    budget: new TextBudget(MAX_TEXT),
    sizes: new Map(),
  };
  knownValues.set(pipeline, known);
  return known;
}

/** Takes what an expression reads from the budget: a comparison with a long text reads all of it. */
function takeReads({ references }: Expression, context: InputContext): void {
  const { budget, sizes } = knownOf(context.pipeline);
  const contexts = knownContexts(context);
  for (const { context: read, path } of references) {
    const [first] = path;
    const name = first?.kind === 'name' ? first.name : undefined;
    const key = name === undefined ? read : `${read}.${name}`;
    const size = sizes.get(key) ?? sizeOf(contexts[read], name);
    sizes.set(key, size);
    budget.take(size);
  }
}

function sizeOf(values: JsonValue | undefined, name: string | undefined): number {
  const isMap = values !== undefined && values !== null && typeof values === 'object';
  const read =
    isMap && name !== undefined && Object.hasOwn(values, name)
      ? (values as JsonObject)[name]
      : values;
  return JSON.stringify(read ?? null).length;
}
