import { lookUp } from '../store/cache.ts';
import type { ActivityDependencies } from './activities.ts';
import type { PreparedStep, PrepareInput, PrepareRequest, PrepareResult } from './contract.ts';
import { declarationOf, parseInputs } from './declaration.ts';
import { controlFailure } from './failures.ts';
import { fingerprint } from './fingerprint.ts';
import { Failure } from '../plan/failures.ts';

/** Fingerprints of steps about to start, and what the cache holds for them. */
export async function prepareSteps(
  dependencies: ActivityDependencies,
  input: PrepareInput,
): Promise<PrepareResult> {
  try {
    const steps = await Promise.all(input.steps.map((step) => prepare(dependencies, step)));
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
    return found.hit
      ? { kind: 'hit', stepId, fingerprint: digest, outputs: found.entry.outputs }
      : { kind: 'miss', stepId, fingerprint: digest };
  } catch (error) {
    if (!(error instanceof Failure) || error.type !== 'InvalidInput') throw error;
    return { kind: 'invalid', stepId, error: { type: error.type, message: error.message } };
  }
}
