import type { JsonValue } from '../../plan/json.ts';
import { type Catalog, kindName } from '../catalog.ts';
import { taggedBranch } from '../default-inputs.ts';
import { exampleInputs, exampleOf } from '../example.ts';
import { type InputProblem, inputProblems } from '../input-problems.ts';
import type { Located } from '../located.ts';
import { describeFound, locatedAt, plainText, quote } from '../located.ts';
import type { Step } from '../pipeline.ts';
import {
  accepts,
  describeSchemas,
  keysOf,
  schemasAt,
  type ValueSchema,
  valueSchema,
} from '../schema.ts';
import type { Range } from '../source-text.ts';
import type { StepSignature } from '../step-declaration.ts';
import {
  everyEntry,
  type InputContext,
  type InputPath,
  resolveInputs,
  type StepContext,
} from '../step-inputs.ts';
import { closest, suggestion } from '../suggestion.ts';
import { inputName, kindsThatMake, wireRemedy, type Wiring, wiresFor } from '../wiring.ts';
import { checkResultPaths } from './reference.ts';
import { reportNotBuilt } from './not-built.ts';
import { checkCredential } from './secret.ts';
import { checkWire } from './wire.ts';

/**
 * Rule `with`: the inputs of a step beside the schema of its kind. What is written out is parsed by
 * that schema, what an expression gives is compared by its type (rule `wire`), and what only the
 * run can tell is left to the step.
 */
export function checkInputs(step: Step, context: StepContext, catalog: Catalog): void {
  const { signature, with: map, withRange, hasBadWith } = step;
  if (signature === undefined || hasBadWith) return;
  const located: Located = map ?? { kind: 'map', range: withRange, entries: new Map() };
  reportMarkedInputs(located, [], valueSchema(signature.with, 'input'), context);
  for (const inner of everyEntry(context)) checkEntry(step, signature, located, inner, catalog);
}

function checkEntry(
  step: Step,
  signature: StepSignature,
  located: Located,
  context: InputContext,
  catalog: Catalog,
): void {
  const { with: map, withRange } = step;
  const schema = valueSchema(signature.with, 'input');
  const { reporter } = context;
  const inputs = resolveInputs(located, context);
  for (const hole of inputs.holes) checkWire(hole, step, schema, context, catalog);
  checkResultPaths(inputs, schema, step, context);
  const problems = inputProblems(signature.with, inputs);
  if (map === undefined && problems.some(({ kind }) => kind === 'missing')) {
    const snippet = `with: ${exampleInputs(signature, { step, wiring: context })}`;
    const message = `step ${quote(step.id)} has no 'with', and ${kindName(signature)} needs one; add ${snippet}`;
    reporter.error('missing-key', withRange, message);
    return;
  }
  for (const problem of problems.filter((each) => !isMisspelt(each, problems)))
    reportProblem(problem, step, signature, located, context, catalog);
}

/** A missing key that the map has under a wrong name, which is reported. */
function isMisspelt(missing: InputProblem, problems: readonly InputProblem[]): boolean {
  const key = String(missing.path.at(-1));
  return (
    missing.kind === 'missing' &&
    problems.some(
      (other) =>
        other.kind === 'unknown' &&
        inputName([...other.path, key]) === inputName(missing.path) &&
        closest(other.key, [key]) === key,
    )
  );
}

function reportProblem(
  problem: InputProblem,
  step: Step,
  signature: StepSignature,
  located: Located,
  context: InputContext,
  catalog: Catalog,
): void {
  const { reporter } = context;
  const { path } = problem;
  const schema = valueSchema(signature.with, 'input');
  switch (problem.kind) {
    case 'unknown': {
      const schemas = schemasAt(schema, path);
      const owner = path.length === 0 ? kindName(signature) : quote(inputName(path));
      const expected = expectedKeys(problem.key, schemas, locatedAt(located, path));
      const message = `unknown input ${quote(problem.key)} of ${owner}${expected}`;
      reporter.error('unknown-key', keyRangeAt(located, [...path, problem.key]), message);
      return;
    }
    case 'missing':
      reportMissing(path, step, signature, located, context, catalog);
      return;
    case 'invalid': {
      if (isNotBuilt(schemasAt(schema, path))) return;
      const at = locatedAt(located, path);
      const message = invalidMessage(problem, at, schemasAt(schema, path), step, context);
      reporter.error('with', at.range, message);
      return;
    }
    case 'threw': {
      const message = `the schema of ${kindName(signature)} threw on the inputs of step ${quote(step.id)}: ${problem.reason}; change the kind's 'with', so that it says what is wrong`;
      reporter.error('with', step.withRange, message);
    }
  }
}

/** What a map takes instead of a key; of alternatives that which the map itself names. */
function expectedKeys(key: string, schemas: readonly ValueSchema[], map: Located): string {
  const valueAt = (name: string): JsonValue | undefined => {
    const value = map.kind === 'map' ? map.entries.get(name)?.value : undefined;
    return value?.kind === 'scalar' ? value.value : undefined;
  };
  const meant = schemas.flatMap((schema) => taggedBranch(schema, valueAt) ?? schema);
  const known = meant.flatMap((at) => keysOf(at) ?? []);
  if (known.length === 0) return ', which takes no inputs; remove it';
  if (known.includes(key)) return ' beside the others; remove one of them';
  return `; ${suggestion(key, known)}`;
}

function reportMissing(
  path: InputPath,
  step: Step,
  signature: StepSignature,
  located: Located,
  context: InputContext,
  catalog: Catalog,
): void {
  const key = String(path.at(-1) ?? '');
  const schemas = schemasAt(valueSchema(signature.with, 'input'), path);
  const example = exampleOf(key, schemas[0] ?? {}, { step, wiring: context });
  const snippet = `${makersOf(schemas, step, context, catalog)}${example}`;
  const parent = path.slice(0, -1);
  const owner =
    parent.length === 0
      ? `step ${quote(step.id)} has no ${quote(key)}, which ${kindName(signature)} needs`
      : `${quote(inputName(parent))} has no ${quote(key)}`;
  const range = parent.length === 0 ? step.withRange : keyRangeAt(located, parent);
  context.reporter.error('missing-key', range, `${owner}; add ${snippet}`);
}

/** `a tokenize@1 step, and `: what to add first when no step of the file makes the input. */
function makersOf(
  schemas: readonly ValueSchema[],
  step: Step,
  wiring: Wiring,
  catalog: Catalog,
): string {
  const artifacts = schemas.flatMap(({ artifact }) => artifact ?? []);
  if (artifacts.length === 0 || wiresFor('', artifacts, step, wiring).length > 0) return '';
  const kinds = kindsThatMake(artifacts, undefined, catalog);
  return kinds.length === 0 ? '' : `a step of ${kinds.join(' or ')}, and `;
}

function invalidMessage(
  problem: InputProblem & { kind: 'invalid' },
  located: Located,
  schemas: readonly ValueSchema[],
  step: Step,
  { pipeline, dependents, templates }: InputContext,
): string {
  const { path, found, message } = problem;
  const artifacts = schemas.flatMap(({ artifact }) => artifact ?? []);
  const template = located.kind === 'scalar' ? templates.read(located)?.text : undefined;
  const origin = template === undefined ? '' : `, from ${quote(template)}`;
  const head = `${quote(path.length === 0 ? 'with' : inputName(path))} is ${describeFound(found as JsonValue)}${origin}`;
  if (artifacts.length > 0) {
    // A step's id written where its output belongs.
    const named = typeof found === 'string' ? pipeline.steps.get(found) : undefined;
    const wiring = { pipeline, dependents, ...(named !== undefined && { named }) };
    const wires = wiresFor(inputName(path), artifacts, step, wiring);
    const remedy = wireRemedy(wires);
    return `${head}; expected ${describeSchemas(schemas)} from a step${remedy}`;
  }
  if (message !== undefined) return `${head}; ${message}`;
  return `${head}; expected ${describeSchemas(schemas)}${remedyFor(found, schemas)}`;
}

/** What people write for a value of another type. */
function remedyFor(found: unknown, schemas: readonly ValueSchema[]): string {
  const secret = schemas.find(({ credential }) => credential === true);
  if (secret !== undefined) return `; write "${secret.example ?? ''}"`;
  const types = schemas
    .flatMap(({ type, anyOf = [] }) => [type, ...anyOf.map((at) => at.type)])
    .flat();
  const words = schemas
    .flatMap(({ enum: values = [] }) => values)
    .filter((word) => typeof word === 'string');
  if (typeof found === 'string') {
    const near = closest(found, words);
    if (near !== undefined) return `; did you mean ${quote(near)}?`;
    if (types.includes('boolean') && /^(yes|no|on|off)$/i.test(found)) {
      return `; write ${/^(yes|on)$/i.test(found) ? 'true' : 'false'}`;
    }
    const isNumber = found.trim() !== '' && Number.isFinite(Number(found));
    if (isNumber && schemas.some((schema) => accepts(schema, Number(found)))) {
      return `; write ${found.trim()} without quotes`;
    }
  }
  if (found === null || typeof found === 'object') return '';
  const value = found as JsonValue;
  if (schemas.some((schema) => accepts(schema, [value]))) return `; write [${plainText(value)}]`;
  const isPlain = typeof found === 'number' || typeof found === 'boolean';
  return isPlain && types.includes('string') ? `; write '${String(found)}' in quotes` : '';
}

/** Keys and values that the schema marks: as not built yet, or as worth a hint. */
function reportMarkedInputs(
  located: Located,
  path: InputPath,
  schema: ValueSchema,
  context: InputContext,
): void {
  if (located.kind === 'scalar') return;
  const children: (readonly [string | number, Located, Range])[] =
    located.kind === 'list'
      ? located.items.map((item, index) => [index, item, item.range])
      : [...located.entries.values()].map((entry) => [entry.key, entry.value, entry.keyRange]);
  for (const [key, value, range] of children) {
    const inner = [...path, key];
    const schemas = schemasAt(schema, inner);
    if (isNotBuilt(schemas)) {
      reportNotBuilt(inputName(inner), range, context.reporter);
    } else {
      for (const { hint } of schemas) {
        if (hint !== undefined)
          context.reporter.hint('with', range, `${quote(inputName(inner))} ${hint}`);
      }
      if (value.kind === 'scalar') {
        const { templates, reporter } = context;
        checkCredential(inputName(inner), value, schemas, templates, reporter);
      }
      reportMarkedInputs(value, inner, schema, context);
    }
  }
}

function isNotBuilt(schemas: readonly ValueSchema[]): boolean {
  return schemas.length > 0 && schemas.every(({ notBuilt }) => notBuilt !== undefined);
}

function keyRangeAt(located: Located, path: InputPath): Range {
  const [key, ...rest] = path;
  if (key === undefined) return located.range;
  if (located.kind === 'list') {
    const item = located.items[Number(key)];
    return item === undefined ? located.range : keyRangeAt(item, rest);
  }
  if (located.kind === 'scalar') return located.range;
  const entry = located.entries.get(String(key));
  if (entry === undefined) return located.range;
  return rest.length === 0 ? entry.keyRange : keyRangeAt(entry.value, rest);
}
