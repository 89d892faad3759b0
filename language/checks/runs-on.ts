import type { JsonValue } from '../../plan/json.ts';
import { kindName } from '../catalog.ts';
import type { LocatedEntry } from '../located.ts';
import { describeFound, quote, toJson, valueRange } from '../located.ts';
import { describeSchemas, kindsOf } from '../schema.ts';
import type { Step } from '../pipeline.ts';
import {
  everyEntry,
  type Hole,
  type InputContext,
  resolveScalar,
  type StepContext,
} from '../step-inputs.ts';

export const LABEL = /^[A-Za-z0-9_.-]+$/;
const EXPECTED = 'expected the label of training workers, such as cpu';

/** Rule `runs-on`: only training kinds have workers by label, and a label is part of a queue's name. */
export function checkRunsOn({ id, signature, runsOn }: Step, context: StepContext): void {
  if (runsOn === undefined) return;
  if (signature?.role === 'work') {
    const message = `step ${quote(id)} has 'runs_on', but ${kindName(signature)} does not train and runs on any worker; remove it`;
    context.reporter.error('runs-on', runsOn.keyRange, message);
    return;
  }
  for (const inner of everyEntry(context)) checkLabel(runsOn, inner);
}

/** Rule `runs-on`, of `defaults`. */
export function checkDefaultRunsOn(context: InputContext): void {
  checkLabel(context.pipeline.defaults.runsOn, context);
}

function checkLabel(entry: LocatedEntry | undefined, context: InputContext): void {
  if (entry === undefined) return;
  const { value } = entry;
  const resolved = value.kind === 'scalar' ? resolveScalar(value, context) : undefined;
  const problem =
    resolved !== undefined && 'schemas' in resolved
      ? typeProblem(resolved)
      : valueProblem(resolved === undefined ? toJson(value) : resolved.value);
  if (problem === undefined) return;
  context.reporter.error('runs-on', valueRange(entry), `'runs_on' ${problem}; ${EXPECTED}`);
}

function valueProblem(value: JsonValue): string | undefined {
  const isLabel = typeof value === 'string' && LABEL.test(value);
  return isLabel ? undefined : `is ${describeFound(value)}`;
}

function typeProblem({ text, schemas }: Omit<Hole, 'path'>): string | undefined {
  const mayBeText = schemas.some((schema) =>
    [...kindsOf(schema)].some((kind) => kind === 'anything' || kind === 'text'),
  );
  return mayBeText ? undefined : `gets ${quote(text)}, ${describeSchemas(schemas)}`;
}
