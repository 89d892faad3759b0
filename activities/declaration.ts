import { ApplicationFailure } from '@temporalio/common';
import { Failure } from '../plan/failures.ts';
import type { JsonObject } from '../plan/json.ts';
import type { SecretInput } from '../plan/secret-inputs.ts';
import type { AnyStep } from './catalog.ts';
import { schemaProblems, type Unsaid } from './schema-problems.ts';

interface KindReference {
  readonly kind: string;
  readonly version: number;
  readonly revision: number;
  readonly source?: string;
}

const OTHER_BUILD_DELAY_MS = 5_000;

/**
 * The kind's declaration in this build.
 *
 * @throws ApplicationFailure WorkerMismatch, retryable, when this worker has another build of it
 */
export function declarationOf(catalog: readonly AnyStep[], reference: KindReference): AnyStep {
  const { kind, version, source } = reference;
  const step = catalog.find((known) => known.kind === kind && known.version === version);
  if (step !== undefined && buildOf(step) === buildOf(reference)) return step;
  const found = step === undefined ? 'does not have it' : `has ${buildOf(step)}`;
  const remedy =
    source === undefined
      ? 'let workers of one build serve the queue'
      : 'start every worker with the same --steps files; to run with a changed file, cancel the run and submit it again';
  throw ApplicationFailure.create({
    type: 'WorkerMismatch',
    message: `the run was compiled with ${kind}@${version} ${buildOf(reference)}, this worker ${found}: ${remedy}`,
    nextRetryDelay: OTHER_BUILD_DELAY_MS,
  });
}

const SHOWN_DIGITS = 12;

/** `revision 2`; of a kind of a user's own `revision 1 of source 0a1b2c3d4e5f`. */
export function buildOf({ revision, source }: Pick<AnyStep, 'revision' | 'source'>): string {
  const own = source === undefined ? '' : ` of source ${source.slice(0, SHOWN_DIGITS)}`;
  return `revision ${revision}${own}`;
}

/**
 * The evaluated `with` of a step, checked once more (expressions are known only now), with every
 * default filled in.
 *
 * @param secrets that are in it
 * @throws Failure InvalidInput with every problem found
 */
export function parseInputs(
  step: AnyStep,
  inputs: JsonObject,
  secrets: readonly SecretInput[] = [],
): JsonObject {
  return parse(step, inputs, { secret: secrets.map(({ path }) => path) });
}

/**
 * As `parseInputs`, where stand-ins are still in the place of secrets: a kind that wants other text
 * there says so when the step runs. Then defaults are not filled in.
 */
export function parseStandIns(
  step: AnyStep,
  { inputs, secrets = [] }: { inputs: JsonObject; secrets?: readonly SecretInput[] },
): JsonObject {
  return parse(step, inputs, { unknown: secrets.map(({ path }) => path) });
}

function parse(step: AnyStep, inputs: JsonObject, unsaid: Unsaid): JsonObject {
  const parsed = step.with.safeParse(inputs);
  if (parsed.success) return parsed.data as JsonObject;
  const problems = schemaProblems(step.with, inputs, unsaid);
  if (problems.length === 0) return inputs;
  throw new Failure('InvalidInput', problems.join('; '));
}
