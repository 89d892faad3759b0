import { ApplicationFailure } from '@temporalio/common';
import type { z } from 'zod';
import { Failure } from '../plan/failures.ts';
import type { JsonObject } from '../plan/json.ts';
import type { SecretInput } from '../plan/secret-inputs.ts';
import type { AnyStep } from './catalog.ts';

interface KindReference {
  readonly kind: string;
  readonly version: number;
  readonly revision: number;
}

const OTHER_BUILD_DELAY_MS = 5_000;

/**
 * The kind's declaration in this build.
 *
 * @throws ApplicationFailure WorkerMismatch, retryable, when this worker has another build of it
 */
export function declarationOf(catalog: readonly AnyStep[], reference: KindReference): AnyStep {
  const { kind, version, revision } = reference;
  const step = catalog.find((known) => known.kind === kind && known.version === version);
  if (step?.revision === revision) return step;
  const found = step === undefined ? 'does not have it' : `has revision ${step.revision}`;
  throw ApplicationFailure.create({
    type: 'WorkerMismatch',
    message:
      `the run was compiled with ${kind}@${version} revision ${revision}, this worker ${found}: ` +
      'let workers of one build serve the queue',
    nextRetryDelay: OTHER_BUILD_DELAY_MS,
  });
}

/**
 * The evaluated `with` of a step, checked once more (expressions are known only now), with every
 * default filled in.
 *
 * @throws Failure InvalidInput with every problem found
 */
export function parseInputs(step: AnyStep, inputs: JsonObject): JsonObject {
  return parseStandIns(step, { inputs });
}

/**
 * As `parseInputs`, where stand-ins are still in the place of secrets: a kind that wants other text
 * there says so when the step runs. Then defaults are not filled in.
 */
export function parseStandIns(
  step: AnyStep,
  { inputs, secrets = [] }: { inputs: JsonObject; secrets?: readonly SecretInput[] },
): JsonObject {
  const parsed = step.with.safeParse(inputs);
  if (parsed.success) return parsed.data as JsonObject;
  const problems = parsed.error.issues
    .filter((issue) => !secrets.some(({ path }) => isAbout(issue, path)))
    .map((issue) => {
      const path = ['with', ...issue.path].join('.');
      return `${path}: ${issue.message.charAt(0).toLowerCase()}${issue.message.slice(1)}`;
    });
  if (problems.length === 0) return inputs;
  throw new Failure('InvalidInput', problems.join('; '));
}

/** Whether an issue is of the value at a path, or may be, being of a value that holds it. */
function isAbout({ code, path }: z.core.$ZodIssue, place: SecretInput['path']): boolean {
  const isAround = code === 'custom' || code === 'invalid_union';
  return startsWith(path, place) || (isAround && startsWith(place, path));
}

function startsWith(path: readonly PropertyKey[], start: readonly PropertyKey[]): boolean {
  return start.every((part, index) => path[index] === part);
}
