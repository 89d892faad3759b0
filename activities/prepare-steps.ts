import { Failure } from '../plan/failures.ts';
import { verifyArtifact } from '../store/artifacts.ts';
import { lookUp, type CacheEntry } from '../store/cache.ts';
import type { Store } from '../store/store.ts';
import type { ActivityDependencies } from './activities.ts';
import type { PreparedStep, PrepareInput, PrepareRequest, PrepareResult } from './contract.ts';
import { declarationOf, parseInputs } from './declaration.ts';
import { controlFailure } from './failures.ts';
import { fingerprint } from './fingerprint.ts';
import { recordRun } from './record-run.ts';

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
    if (!found.hit || !(await isReadable(store, found.entry))) {
      return { kind: 'miss', stepId, fingerprint: digest };
    }
    return { kind: 'hit', stepId, fingerprint: digest, outputs: found.entry.outputs };
  } catch (error) {
    if (!(error instanceof Failure) || error.type !== 'InvalidInput') throw error;
    return { kind: 'invalid', stepId, error: { type: error.type, message: error.message } };
  }
}

/** Whether every artifact of a cached result is there with the bytes it had; bad ones are set aside. */
async function isReadable(store: Store, entry: CacheEntry): Promise<boolean> {
  try {
    for (const digest of Object.values(entry.outputArtifacts)) await verifyArtifact(store, digest);
    return true;
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    if (error.type !== 'CorruptArtifact' && error.type !== 'NotFound') throw error;
    return false;
  }
}
