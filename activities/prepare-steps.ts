import { Failure } from '../plan/failures.ts';
import { lookUp } from '../store/cache.ts';
import type { ActivityDependencies } from './activities.ts';
import type { PreparedStep, PrepareInput, PrepareRequest, PrepareResult } from './contract.ts';
import { declarationOf, parseInputs } from './declaration.ts';
import { controlFailure } from './failures.ts';
import { fingerprint } from './fingerprint.ts';
import { recordRun } from './record-run.ts';
import { sizeOfResult, verifiedAnswer } from './verify-hit.ts';

/** A result of more bytes is verified by an activity of its own. */
const VERIFIED_AT_ONCE_BYTES = 4 * 2 ** 20;

/** Fingerprints of steps about to start, and what the cache holds for them. */
export async function prepareSteps(
  dependencies: ActivityDependencies,
  input: PrepareInput,
): Promise<PrepareResult> {
  try {
    const { run, state } = input;
    const steps = await Promise.all(input.steps.map((step) => prepare(dependencies, step)));
    await recordRun(dependencies, { run, state });
    return { steps };
  } catch (error) {
    throw controlFailure(error);
  }
}

async function prepare(
  { store, catalog }: ActivityDependencies,
  request: PrepareRequest,
): Promise<PreparedStep> {
  const { stepId, kind, version, revision, upstream, force } = request;
  const step = declarationOf(catalog, request);
  try {
    const inputs = parseInputs(step, request.inputs);
    const digest = fingerprint({
      kind,
      version,
      revision,
      inputs,
      ...(upstream !== undefined && { upstream }),
    });
    if (force || step.effect === 'external') return { kind: 'miss', stepId, fingerprint: digest };
    const found = await lookUp(store, digest);
    if (found.hit && (await sizeOfResult(store, found.entry)) > VERIFIED_AT_ONCE_BYTES) {
      return { kind: 'unverified', stepId, fingerprint: digest };
    }
    return await verifiedAnswer(store, stepId, digest, found);
  } catch (error) {
    if (!(error instanceof Failure) || error.type !== 'InvalidInput') throw error;
    return { kind: 'invalid', stepId, error: { type: error.type, message: error.message } };
  }
}
