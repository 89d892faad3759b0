import { Failure } from '../plan/failures.ts';
import { lookUp } from '../store/cache.ts';
import type { ActivityDependencies } from './activities.ts';
import type { PreparedStep, PrepareInput, PrepareRequest, PrepareResult } from './contract.ts';
import { declarationOf, parseStandIns } from './declaration.ts';
import { controlFailure } from './failures.ts';
import { fingerprint } from './fingerprint.ts';
import { recordRun } from './record-run.ts';
import { resolveDevice } from './step-device.ts';
import { sizeOfResult, verifiedAnswer } from './verify-hit.ts';

/** A result of more bytes is verified by an activity of its own. */
const LARGE_BYTES = 4 * 2 ** 20;
/** So is every result after this many bytes of others. */
const BYTES_A_CALL = 64 * 2 ** 20;

/** Fingerprints of steps about to start, and what the cache holds for them. */
export async function prepareSteps(
  dependencies: ActivityDependencies,
  input: PrepareInput,
): Promise<PrepareResult> {
  try {
    const { run, state } = input;
    const budget = { bytes: BYTES_A_CALL };
    const steps = await Promise.all(input.steps.map((step) => prepare(dependencies, step, budget)));
    await recordRun(dependencies, { run, state });
    return { steps };
  } catch (error) {
    throw controlFailure(error);
  }
}

async function prepare(
  { store, catalog }: ActivityDependencies,
  request: PrepareRequest,
  budget: { bytes: number },
): Promise<PreparedStep> {
  const { stepId, force } = request;
  const step = declarationOf(catalog, request);
  try {
    const inputs = await resolveDevice(store, step, parseStandIns(step, request), request);
    const digest = fingerprint(step, { ...request, inputs });
    if (force || step.effect === 'external') return { kind: 'miss', stepId, fingerprint: digest };
    const found = await lookUp(store, digest);
    if (found.hit) {
      const size = await sizeOfResult(store, found.entry);
      budget.bytes -= size;
      const isMuch = size > LARGE_BYTES || budget.bytes < 0;
      if (isMuch) return { kind: 'unverified', stepId, fingerprint: digest };
    }
    return await verifiedAnswer(store, stepId, digest, found);
  } catch (error) {
    if (!(error instanceof Failure) || error.type !== 'InvalidInput') throw error;
    return { kind: 'invalid', stepId, error: { type: error.type, message: error.message } };
  }
}
