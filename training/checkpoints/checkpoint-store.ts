import { z } from 'zod';
import { Failure } from '../../plan/failures.ts';
import type { JsonValue } from '../../plan/json.ts';
import { readManifest } from '../../store/artifacts.ts';
import { canonicalJson } from '../../store/canonical-json.ts';
import { isDigest } from '../../store/digest.ts';
import type { ArtifactDigest, ArtifactManifest, Store } from '../../store/store.ts';

/** A published checkpoint: an entry of the ref `checkpoints/KEY`. */
export interface PublishedCheckpoint {
  /** Digest of its manifest, of type `checkpoint`. */
  readonly manifest: ArtifactDigest;
  readonly step: number;
}

/** How many checkpoints of a training are kept: the newest, and one for when it is damaged. */
const SAVE_TOTAL_LIMIT = 2;
const SWAP_ATTEMPTS = 20;
export const CHECKPOINT_TYPE = 'checkpoint';

const refSchema = z.object({
  checkpoints: z.array(
    z.object({
      manifest: z.string().refine(isDigest) as unknown as z.ZodType<ArtifactDigest>,
      step: z.int().min(0),
    }),
  ),
});

/** Name of the ref that lists a training's checkpoints. */
function checkpointRef(key: string): string {
  return `checkpoints/${key}`;
}

/** A training's checkpoints, the newest first. */
export async function listCheckpoints(
  store: Store,
  key: string,
): Promise<readonly PublishedCheckpoint[]> {
  return entriesOf((await store.getRef(checkpointRef(key)))?.value);
}

function entriesOf(value: JsonValue | undefined): readonly PublishedCheckpoint[] {
  const ref = refSchema.safeParse(value);
  return ref.success ? ref.data.checkpoints : [];
}

/**
 * Stores a manifest whose files are in the store, makes it the training's newest checkpoint, and
 * deletes what only superseded ones refer to. Until the ref is swapped the older ones stand.
 *
 * @param rejected manifests that turned out to be damaged; they are superseded whatever their step
 */
export async function publishCheckpoint(
  store: Store,
  key: string,
  step: number,
  manifest: ArtifactManifest,
  rejected: ReadonlySet<ArtifactDigest>,
): Promise<PublishedCheckpoint> {
  const json = canonicalJson(manifest as unknown as JsonValue);
  const { digest } = await store.putBlob(new TextEncoder().encode(json));
  const published = { manifest: digest, step };
  for (let attempt = 0; attempt < SWAP_ATTEMPTS; attempt++) {
    const current = await store.getRef(checkpointRef(key));
    const known = entriesOf(current?.value);
    const kept = [
      published,
      ...known.filter((entry) => entry.manifest !== digest && !rejected.has(entry.manifest)),
    ]
      .sort((a, b) => b.step - a.step)
      .slice(0, SAVE_TOTAL_LIMIT);
    const value = { checkpoints: kept.map((entry) => ({ ...entry })) };
    if ((await store.swapRef(checkpointRef(key), current?.version, value)) === undefined) continue;
    await deleteSuperseded(store, kept, [published, ...known]);
    return published;
  }
  throw new Failure(
    'Internal',
    `the checkpoint of step ${step} could not be published: another process kept changing ` +
      `${checkpointRef(key)}; end the other worker that trains the same step`,
  );
}

/** Deletes all checkpoints of a training: after its model is stored. */
export async function pruneCheckpoints(store: Store, key: string): Promise<void> {
  const known = await listCheckpoints(store, key);
  await store.deleteRef(checkpointRef(key));
  await deleteSuperseded(store, [], known);
}

async function deleteSuperseded(
  store: Store,
  kept: readonly PublishedCheckpoint[],
  known: readonly PublishedCheckpoint[],
): Promise<void> {
  const keptDigests = new Set(kept.map((entry) => entry.manifest));
  const superseded = known.filter((entry) => !keptDigests.has(entry.manifest));
  if (superseded.length === 0) return;
  const shared = new Set<string>();
  for (const { manifest } of kept) {
    for (const digest of await filesOf(store, manifest)) shared.add(digest);
  }
  for (const { manifest } of superseded) {
    for (const digest of await filesOf(store, manifest)) {
      if (!shared.has(digest)) await store.deleteBlob(digest);
    }
    await store.deleteBlob(manifest);
  }
}

/** Blobs of a checkpoint; none when its manifest cannot be read: then they are of no use. */
async function filesOf(
  store: Store,
  manifest: ArtifactDigest,
): Promise<readonly `sha256:${string}`[]> {
  try {
    const { files } = await readManifest(store, manifest, CHECKPOINT_TYPE);
    return files.map((file) => file.digest);
  } catch (error) {
    if (isDamage(error)) return [];
    throw error;
  }
}

/** Whether an error says that a checkpoint is gone or damaged. */
export function isDamage(error: unknown): error is Failure {
  return (
    error instanceof Failure && ['CorruptArtifact', 'NotFound', 'InvalidInput'].includes(error.type)
  );
}
