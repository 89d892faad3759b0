import type { Reference } from '../../plan/expressions.ts';
import { kindName } from '../catalog.ts';
import { itemSchema, referenceType } from '../context-schema.ts';
import { locatedAt, quote } from '../located.ts';
import type { Need, Pipeline, Step } from '../pipeline.ts';
import type { Reporter } from '../reporter.ts';
import {
  describeSchema,
  describeSchemas,
  keysOf,
  kindsOf,
  schemasAt,
  type ValueSchema,
} from '../schema.ts';
import type { InputContext, StepInputs } from '../step-inputs.ts';
import { closest, suggestion } from '../suggestion.ts';
import type { LocatedExpression } from '../template.ts';

/** Rule `reference`: `needs` names steps of this file. */
export function checkNeeds(needs: readonly Need[], pipeline: Pipeline, reporter: Reporter): void {
  for (const { id, range } of needs) {
    if (pipeline.steps.has(id)) continue;
    reporter.error('reference', range, unknownStep(id, pipeline));
  }
}

/** Rule `reference`: what an expression reads exists. */
export function checkReferences(
  { expression, rangeOf }: LocatedExpression,
  pipeline: Pipeline,
  contexts: ValueSchema,
  reporter: Reporter,
): void {
  checkComparisons({ expression, rangeOf }, contexts, reporter);
  for (const reference of expression.references) {
    if (reference.context === 'matrix' && contexts.properties?.['matrix'] === undefined) {
      const message =
        "'matrix' can be read only in the 'with' and 'runs_on' of a step that has a 'strategy'";
      reporter.error('reference', rangeOf(reference), message);
      continue;
    }
    const [first] = reference.path;
    if (reference.context === 'steps' && first?.kind !== 'name' && first?.kind !== 'index') {
      const message =
        "'steps' has to be followed by the name of a step, so that the order is known; write steps.ID.outputs.NAME";
      reporter.error('reference', rangeOf(reference), message);
      continue;
    }
    const type = referenceType(contexts, reference);
    const isNameless = reference.context === 'secrets' && first?.kind !== 'name'; // rule `secret`
    if (type.ok || isNameless) continue;
    const segment = reference.path[type.at];
    const place = rangeOf(segment ?? reference);
    reporter.error('reference', place, problemOf(reference, type.at, type.owner, pipeline));
  }
}

/** Rule `reference`: a comparison with a word that can never be the value is a misspelling. */
function checkComparisons(
  { expression, rangeOf }: LocatedExpression,
  contexts: ValueSchema,
  reporter: Reporter,
): void {
  for (const { reference, operator, value: text, ...place } of expression.comparisons) {
    if (typeof text !== 'string' || (operator !== '==' && operator !== '!=')) continue;
    // What a step that failed or was skipped has not put out is null, which equals ''.
    if (text === '' && reference.context === 'steps') continue;
    const type = referenceType(contexts, reference);
    const words = type.ok ? wordsOf(type.schemas) : undefined;
    if (words === undefined || words.some((word) => word.toLowerCase() === text.toLowerCase())) {
      continue;
    }
    const { start, end } = reference;
    const read = expression.text.slice(start, end);
    const message = `${quote(read)} is never ${quote(text)}; ${suggestion(text, words)}`;
    reporter.error('reference', rangeOf(place), message);
  }
}

/** The words that a value is one of, if it is text of a fixed set. */
function wordsOf(schemas: readonly ValueSchema[]): readonly string[] | undefined {
  const values = schemas.map((schema) => schema.enum);
  const words = values.flatMap((all) => all ?? []).filter((word) => typeof word === 'string');
  return words.length > 0 && values.every((all) => all?.length !== undefined) ? words : undefined;
}

function problemOf(
  reference: Reference,
  at: number,
  owner: readonly ValueSchema[],
  pipeline: Pipeline,
): string {
  const { context, path } = reference;
  const name = nameAt(reference, at);
  if (at === 0) {
    if (context === 'steps') return unknownStep(name, pipeline);
    return unknownOfContext(context, name, keysOf(owner[0] ?? {}) ?? []);
  }
  const step = context === 'steps' ? pipeline.steps.get(nameAt(reference, 0)) : undefined;
  if (step !== undefined && at === 1) return forgottenOutputs(step.id, name, owner);
  if (step?.strategy !== undefined && at === 2) {
    const outputs = `steps.${step.id}.outputs`;
    return `step ${quote(step.id)} has a matrix, so its outputs are a list; write ${outputs}[0].${name} for one entry, ${outputs}.*.${name} for all, or choose an entry by select@1`;
  }
  const keys = owner.flatMap((schema) => keysOf(schema) ?? []);
  if (step?.signature !== undefined && at === 2) {
    return `step ${quote(step.id)} (${kindName(step.signature)}) has no output ${quote(name)}; ${suggestion(name, keys)}`;
  }
  const read = [context, ...path.slice(0, at).map((_, index) => nameAt(reference, index))].join(
    '.',
  );
  const found = owner.map(describeSchema).join(' or ');
  const remedy = keys.length === 0 ? '; read it as it is' : `; ${suggestion(name, keys)}`;
  return `${quote(read)} is ${found} and has no ${quote(name)}${remedy}`;
}

/** `steps.data.dataset` for `steps.data.outputs.dataset`. */
function forgottenOutputs(id: string, name: string, owner: readonly ValueSchema[]): string {
  const outputs = owner.flatMap(({ properties }) => keysOf(properties?.['outputs'] ?? {}) ?? []);
  const near = closest(name, outputs);
  const remedy =
    near === undefined
      ? suggestion(name, ['outputs', 'result'])
      : `did you mean ${quote(`steps.${id}.outputs.${near}`)}?`;
  return `step ${quote(id)} has no ${quote(name)}; ${remedy}`;
}

const OWNERS: Readonly<Record<string, string>> = { params: 'param', env: 'constant of env' };

function unknownOfContext(context: string, name: string, names: readonly string[]): string {
  const what = OWNERS[context];
  const head =
    what === undefined
      ? `${quote(context)} has no ${quote(name)}`
      : `unknown ${what} ${quote(name)}`;
  if (names.length > 0) return `${head}; ${suggestion(name, names)}`;
  return `${head}; declare it under ${context}:`;
}

function unknownStep(id: string, { steps }: Pipeline): string {
  return `unknown step ${quote(id)}; ${suggestion(id, namesOf(steps))}`;
}

const knownNames = new WeakMap<Pipeline['steps'], readonly string[]>();

function namesOf(steps: Pipeline['steps']): readonly string[] {
  const names = knownNames.get(steps) ?? [...steps.keys()];
  knownNames.set(steps, names);
  return names;
}

function nameAt({ path }: Reference, at: number): string {
  const segment = path[at];
  if (segment?.kind === 'name') return segment.name;
  return segment?.kind === 'index' ? String(segment.index) : '*';
}

/** Rule `reference`: a path inside the results that a step chooses from leads to a number. */
export function checkResultPaths(
  { value }: StepInputs,
  { properties = {} }: ValueSchema,
  step: Step,
  context: InputContext,
): void {
  for (const [input, { pathIn }] of Object.entries(properties)) {
    const path = (value as Record<string, unknown>)[input];
    const located = step.with && locatedAt(step.with, [input]);
    if (pathIn === undefined || typeof path !== 'string' || located === undefined) continue;
    const problem = pathProblem(path, itemSchema(step, pathIn, context));
    if (problem === undefined) continue;
    context.reporter.error(
      'reference',
      located.range,
      `${quote(input)} is ${quote(path)}; ${problem}`,
    );
  }
}

function pathProblem(path: string, item: ValueSchema): string | undefined {
  const keys = path.split('.');
  for (const at of keys.keys()) {
    const owners = schemasAt(item, keys.slice(0, at));
    if (owners.some((owner) => schemasAt(owner, [keys[at] ?? '']).length > 0)) continue;
    const known = owners.flatMap((owner) => keysOf(owner) ?? []);
    const where = at === 0 ? 'the results have' : `${quote(keys.slice(0, at).join('.'))} has`;
    const remedy = known.length === 0 ? 'it is no map' : suggestion(keys[at] ?? '', known);
    return `${where} no ${quote(keys[at] ?? '')}; ${remedy}`;
  }
  const found = schemasAt(item, keys);
  const kinds = found.flatMap((schema) => [...kindsOf(schema)]);
  if (kinds.some((kind) => kind === 'number' || kind === 'anything')) return undefined;
  return `there is ${describeSchemas(found)}; expected a number`;
}
