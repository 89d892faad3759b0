import { Failure } from '../plan/failures.ts';
import { lookUp } from '../store/cache.ts';
import type { Store } from '../store/store.ts';
import { sizeOfResult, verifiedAnswer } from './cached-result.ts';
import type { AnyStep } from './catalog.ts';
import type { PreparedStep, PrepareRequest } from './contract.ts';
import { declarationOf, parseStandIns } from './declaration.ts';
import { fingerprint, type FingerprintParts } from './fingerprint.ts';
import { resolveDevice } from './step-device.ts';

/** A result of more bytes is not verified in passing. */
const LARGE_BYTES = 4 * 2 ** 20;

export interface Preparation {
  readonly answer: PreparedStep;
  /** What the fingerprint is of; not there when the inputs are invalid. */
  readonly parts?: FingerprintParts;
}

/**
 * The fingerprint of a step about to start, and whether it is in the cache: decides for a run, and
 * for `retune plan`, which steps run. Writes nothing but what the store sets aside.
 *
 * @param budget bytes of results that may still be verified here: less what this one has
 */
export async function prepareStep(
  { store, catalog }: { readonly store: Store; readonly catalog: readonly AnyStep[] },
  request: PrepareRequest,
  budget: { bytes: number },
): Promise<Preparation> {
  const { stepId, kind, version, revision, source, secrets, upstream, force } = request;
  const step = declarationOf(catalog, request);
  try {
    const inputs = await resolveDevice(store, step, parseStandIns(step, request), request);
    const parts = {
      ...{ kind, version, revision, inputs },
      ...(source !== undefined && { source }),
      ...(secrets !== undefined && { secrets }),
      ...(upstream !== undefined && { upstream }),
    };
    const known = { stepId, fingerprint: fingerprint(step, parts) };
    if (force || step.effect === 'external') return { answer: { kind: 'miss', ...known }, parts };
    return { answer: await cacheAnswer(store, known, budget), parts };
  } catch (error) {
    if (!(error instanceof Failure) || error.type !== 'InvalidInput') throw error;
    const { type, message } = error;
    return { answer: { kind: 'invalid', stepId, error: { type, message } } };
  }
}

async function cacheAnswer(
  store: Store,
  { stepId, fingerprint: digest }: { readonly stepId: string; readonly fingerprint: string },
  budget: { bytes: number },
): Promise<PreparedStep> {
  const found = await lookUp(store, digest);
  if (found.hit) {
    const size = await sizeOfResult(store, found.entry);
    budget.bytes -= size;
    const isMuch = size > LARGE_BYTES || budget.bytes < 0;
    if (isMuch) return { kind: 'unverified', stepId, fingerprint: digest };
  }
  return verifiedAnswer(store, stepId, digest, found);
}
