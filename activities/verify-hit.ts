import { Context } from '@temporalio/activity';
import { Failure } from '../plan/failures.ts';
import { readManifest, verifyArtifact } from '../store/artifacts.ts';
import { lookUp, type CacheEntry } from '../store/cache.ts';
import type { Store } from '../store/store.ts';
import type { ActivityDependencies } from './activities.ts';
import type { CacheAnswer, VerifyHitInput } from './contract.ts';
import { controlFailure } from './failures.ts';

/**
 * Looks in the cache and reads every artifact of the result: seconds for a large model, so not a
 * local activity, which would keep the workflow's own task open.
 */
export async function verifyHit(
  { store }: ActivityDependencies,
  { stepId, fingerprint }: VerifyHitInput,
): Promise<CacheAnswer> {
  const activity = Context.current();
  const beat = setInterval(() => activity.heartbeat(), 1_000);
  try {
    const found = await lookUp(store, fingerprint);
    return await verifiedAnswer(store, stepId, fingerprint, found.hit ? found.entry : undefined);
  } catch (error) {
    throw controlFailure(error);
  } finally {
    clearInterval(beat);
  }
}

/** A hit when every artifact of the result is there with the bytes it had; bad ones are set aside. */
export async function verifiedAnswer(
  store: Store,
  stepId: string,
  fingerprint: string,
  entry: CacheEntry | undefined,
): Promise<CacheAnswer> {
  const isHit =
    entry !== undefined &&
    (await whileReadable(async () => {
      for (const digest of Object.values(entry.outputArtifacts)) {
        await verifyArtifact(store, digest);
      }
      return true;
    }));
  return isHit
    ? { kind: 'hit', stepId, fingerprint, outputs: entry.outputs }
    : { kind: 'miss', stepId, fingerprint };
}

/** Bytes of all files of a result's artifacts; 0 when one of them is gone. */
export async function sizeOfResult(store: Store, entry: CacheEntry): Promise<number> {
  const size = await whileReadable(async () => {
    const digests = Object.values(entry.outputArtifacts);
    const manifests = await Promise.all(digests.map((digest) => readManifest(store, digest)));
    return manifests.flatMap(({ files }) => files).reduce((sum, file) => sum + file.size, 0);
  });
  return size ?? 0;
}

/** What `read` gives, or undefined when something in the store is gone or corrupt. */
async function whileReadable<T>(read: () => Promise<T>): Promise<T | undefined> {
  try {
    return await read();
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    if (error.type !== 'CorruptArtifact' && error.type !== 'NotFound') throw error;
    return undefined;
  }
}
