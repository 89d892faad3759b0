import { Failure } from '../plan/failures.ts';
import { lookUp } from '../store/cache.ts';
import type { Store } from '../store/store.ts';
import { isUncached, tooOld, withoutIgnored } from './cache-policy.ts';
import { sizeOfResult, verifiedAnswer } from './cached-result.ts';
import type { AnyStep } from './catalog.ts';
import type { CacheState, PrepareRequest } from './contract.ts';
import { declarationOf, parseStandIns } from './declaration.ts';
import { fingerprint, type FingerprintParts } from './fingerprint.ts';
import { resolveDevice } from './step-device.ts';

/** A result of more bytes is not verified in passing. */
const LARGE_BYTES = 4 * 2 ** 20;

export interface Preparation {
  readonly answer: CacheState;
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
  const { stepId, kind, version, revision, source, secrets, upstream, cache } = request;
  const step = declarationOf(catalog, request);
  try {
    const inputs = await resolveDevice(store, step, parseStandIns(step, request), request);
    const considered = withoutIgnored({ inputs, ...(secrets !== undefined && { secrets }) }, cache);
    const parts = {
      ...{ kind, version, revision, ...considered },
      ...(source !== undefined && { source }),
      ...(upstream !== undefined && { upstream }),
      ...(cache?.ignore !== undefined && { ignored: cache.ignore }),
    };
    const known = { stepId, fingerprint: fingerprint(step, parts) };
    const isCertain = isUncached(request) || step.effect === 'external';
    if (isCertain) return { answer: { kind: 'miss', ...known }, parts };
    return { answer: await cacheAnswer(store, request, known.fingerprint, budget), parts };
  } catch (error) {
    if (!(error instanceof Failure) || error.type !== 'InvalidInput') throw error;
    const { type, message } = error;
    return { answer: { kind: 'invalid', stepId, error: { type, message } } };
  }
}

async function cacheAnswer(
  store: Store,
  request: PrepareRequest,
  digest: string,
  budget: { bytes: number },
): Promise<CacheState> {
  const { stepId } = request;
  const found = await lookUp(store, digest);
  if (found.hit) {
    const ageMs = tooOld(request, found.entry);
    if (ageMs !== undefined) return { kind: 'miss', stepId, fingerprint: digest, ageMs };
    const size = await sizeOfResult(store, found.entry);
    budget.bytes -= size;
    const isMuch = size > LARGE_BYTES || budget.bytes < 0;
    if (isMuch) return { kind: 'unverified', stepId, fingerprint: digest };
  }
  return verifiedAnswer(store, stepId, digest, found);
}
