import { log } from '@temporalio/activity';
import { Failure } from '../plan/failures.ts';
import { readManifest, verifyArtifact } from '../store/artifacts.ts';
import { lookUp, type CacheEntry, type LookUp } from '../store/cache.ts';
import type { Store } from '../store/store.ts';
import type { ActivityDependencies } from './activities.ts';
import type { CacheAnswer, VerifyHitInput } from './contract.ts';
import { controlFailure } from './failures.ts';
import { startHeartbeat } from './heartbeat.ts';

/**
 * Looks in the cache and reads every artifact of the result: seconds for a large model, so not a
 * local activity, which would keep the workflow's own task open.
 */
export async function verifyHit(
  { store }: ActivityDependencies,
  { stepId, fingerprint }: VerifyHitInput,
): Promise<CacheAnswer> {
  const stopHeartbeat = startHeartbeat();
  try {
    const found = await lookUp(store, fingerprint);
    return await verifiedAnswer(store, stepId, fingerprint, found);
  } catch (error) {
    throw controlFailure(error);
  } finally {
    stopHeartbeat();
  }
}

/** A hit when every artifact of the result is there with the bytes it had; bad ones are set aside. */
export async function verifiedAnswer(
  store: Store,
  stepId: string,
  fingerprint: string,
  found: LookUp,
): Promise<CacheAnswer> {
  const miss = { kind: 'miss', stepId, fingerprint } as const;
  const damage = await damageOf(store, found);
  if (damage !== undefined) {
    log.warn('a result in the store is damaged: the step runs again', { stepId, damage });
    return { ...miss, damage };
  }
  return found.hit ? { kind: 'hit', stepId, fingerprint, outputs: found.entry.outputs } : miss;
}

/** What is wrong with a result that there is, or was. */
async function damageOf(store: Store, found: LookUp): Promise<string | undefined> {
  if (!found.hit) return found.isDamaged ? found.reason : undefined;
  try {
    const digests = Object.values(found.entry.outputArtifacts);
    for (const digest of digests) await verifyArtifact(store, digest);
    return undefined;
  } catch (error) {
    if (!isUnreadable(error)) throw error;
    return error.message;
  }
}

/** Bytes of all files of a result's artifacts; 0 when one of them is gone. */
export async function sizeOfResult(store: Store, entry: CacheEntry): Promise<number> {
  try {
    const digests = Object.values(entry.outputArtifacts);
    const manifests = await Promise.all(digests.map((digest) => readManifest(store, digest)));
    return manifests.flatMap(({ files }) => files).reduce((sum, file) => sum + file.size, 0);
  } catch (error) {
    if (!isUnreadable(error)) throw error;
    return 0;
  }
}

function isUnreadable(error: unknown): error is Failure {
  return error instanceof Failure && ['CorruptArtifact', 'NotFound'].includes(error.type);
}
