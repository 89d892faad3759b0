import { ApplicationFailure } from '@temporalio/common';
import type { JsonObject } from '../plan/json.ts';
import { Failure } from '../plan/failures.ts';
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
  const parsed = step.with.safeParse(inputs);
  if (parsed.success) return parsed.data as JsonObject;
  const problems = parsed.error.issues.map((issue) => {
    const path = ['with', ...issue.path].join('.');
    return `${path}: ${issue.message.charAt(0).toLowerCase()}${issue.message.slice(1)}`;
  });
  throw new Failure('InvalidInput', problems.join('; '));
}
