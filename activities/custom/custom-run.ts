import { z } from 'zod';
import { kindName } from '../../language/catalog.ts';
import type { JsonValue } from '../../plan/json.ts';
import { Failure } from '../../plan/failures.ts';
import type { AnyStep } from '../catalog.ts';
import { toFailure } from '../failures.ts';
import type { StepContext } from '../step-context.ts';
import { customContext } from './custom-context.ts';
import { declarationStack, type CustomStep } from './custom-step.ts';
import { circularPart, describeValue, notJson, schemaProblems } from '../schema-problems.ts';
import type { StepSource } from './step-source.ts';
import { withStrayErrors } from './stray-errors.ts';

type Inputs = z.output<CustomStep['with']>;

/** A kind of a user's own as Retune runs its own: what it throws and gives is put into words. */
export function asStep(step: CustomStep, source: StepSource): AnyStep {
  const { kind, version, revision = 1, effect, role, summary, outputs, resolve } = step;
  const own: AnyStep = {
    ...{ kind, version, revision, source: source.digest },
    ...{ effect, role, summary, with: step.with, outputs },
    run: (context: StepContext, inputs) =>
      placed(context, source, async () => {
        const found = await step.run(customContext(context), inputs as Inputs);
        return checkedOutputs(step, found, source);
      }),
  };
  if (resolve === undefined) return own;
  return {
    ...own,
    resolve: (context: StepContext, inputs) =>
      placed(context, source, async () => {
        const upstream = await resolve.call(step, customContext(context), inputs as Inputs);
        return checkedUpstream(step, upstream, source);
      }),
  };
}

/** What a person's code throws: a Failure as it is, anything else with its place in their file. */
async function placed<T>(
  { signal }: StepContext,
  source: StepSource,
  work: () => Promise<T>,
): Promise<T> {
  try {
    return await withinPatience(withStrayErrors(work), signal);
  } catch (error) {
    if (error instanceof Failure || signal.aborted) throw error;
    const { type, message } = toFailure(error);
    const { name, stack } = error instanceof Error ? error : { name: 'error', stack: undefined };
    const text = `${message || `${name} without a message`} (${source.placeOf(stack)})`;
    throw new Failure(type, text, { cause: error });
  }
}

/** Code that does not listen to its signal is left behind so long after it; nothing of it counts then. */
const PATIENCE_MS = 5_000;

async function withinPatience<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  let onAbort: (() => void) | undefined;
  let timer: NodeJS.Timeout | undefined;
  const leftBehind = new Promise<never>((_, reject) => {
    onAbort = () => {
      timer = setTimeout(() => reject(signal.reason as Error), PATIENCE_MS);
    };
    if (signal.aborted) onAbort();
    else signal.addEventListener('abort', onAbort);
  });
  try {
    return await Promise.race([work, leftBehind]);
  } finally {
    clearTimeout(timer);
    if (onAbort !== undefined) signal.removeEventListener('abort', onAbort);
  }
}

/** Trying again would give the same: the failure is that of what a person wrote. */
function unfit(step: CustomStep, source: StepSource, problem: string): Failure {
  const place = source.placeOf(declarationStack(step));
  return new Failure('InvalidInput', `${kindName(step)} (${place}): ${problem}`);
}

function checkedOutputs(
  step: CustomStep,
  found: unknown,
  source: StepSource,
): Record<string, unknown> {
  const names = Object.keys(step.outputs).join(', ') || 'nothing in it';
  if (typeof found !== 'object' || found === null || Array.isArray(found)) {
    const problem = `run returned ${describeValue(found)}; expected an object with ${names}`;
    throw unfit(step, source, problem);
  }
  const problem = circularPart(found, []) ?? outputProblem(step, found);
  if (problem === undefined) return found as Record<string, unknown>;
  throw unfit(step, source, `what run returned does not fit its outputs: ${problem}`);
}

function outputProblem(step: CustomStep, found: object): string | undefined {
  const schema = z.strictObject({ ...step.outputs });
  const parsed = schema.safeParse(found);
  return parsed.success ? notJson(parsed.data, []) : schemaProblems(schema, found).join('; ');
}

function checkedUpstream(step: CustomStep, found: JsonValue, source: StepSource): JsonValue {
  const problem = circularPart(found, ['revision']) ?? notJson(found, ['revision']);
  if (problem === undefined) return found;
  throw unfit(step, source, `what resolve returned is no revision: ${problem}`);
}
