import { Failure } from '../plan/failures.ts';
import { readManifest, verifyArtifact } from '../store/artifacts.ts';
import type { CacheEntry, LookUp } from '../store/cache.ts';
import type { Store } from '../store/store.ts';
import type { CacheAnswer } from './contract.ts';

/** A hit when every artifact of the result is there with the bytes it had; bad ones are set aside. */
export async function verifiedAnswer(
  store: Store,
  stepId: string,
  fingerprint: string,
  found: LookUp,
): Promise<CacheAnswer> {
  const miss = { kind: 'miss', stepId, fingerprint } as const;
  const damage = await damageOf(store, found);
  if (damage !== undefined) return { ...miss, damage };
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
