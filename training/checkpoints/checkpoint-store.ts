import { z } from 'zod';
import { Failure } from '../../plan/failures.ts';
import type { JsonValue } from '../../plan/json.ts';
import { readManifest } from '../../store/artifacts.ts';
import { canonicalJson } from '../../store/canonical-json.ts';
import { isDigest } from '../../store/digest.ts';
import type {
  ArtifactDigest,
  ArtifactManifest,
  BlobDigest,
  RefValue,
  Store,
} from '../../store/store.ts';

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

const digestSchema = z.string().refine(isDigest) as unknown as z.ZodType<BlobDigest>;
const refSchema = z.object({
  checkpoints: z.array(z.object({ manifest: digestSchema, step: z.int().min(0) })),
  /** Blobs of a checkpoint that is being stored: what a killed writer leaves behind. */
  unfinished: z.array(digestSchema).default([]),
});
type TrainingRef = z.output<typeof refSchema>;

/** Name of the ref that lists a training's checkpoints. */
function checkpointRef(key: string): string {
  return `checkpoints/${key}`;
}

/** A training's checkpoints, the newest first. */
export async function listCheckpoints(
  store: Store,
  key: string,
): Promise<readonly PublishedCheckpoint[]> {
  return contentOf(await store.getRef(checkpointRef(key))).checkpoints;
}

function contentOf(ref: RefValue | undefined): TrainingRef {
  const parsed = refSchema.safeParse(ref?.value);
  return parsed.success ? parsed.data : { checkpoints: [], unfinished: [] };
}

/** Notes a blob of a checkpoint before it is in the store. @see sweepUnfinished */
export async function announceBlob(store: Store, key: string, digest: BlobDigest): Promise<void> {
  await changeRef(store, key, (content) => ({
    ...content,
    unfinished: [...content.unfinished.filter((other) => other !== digest), digest],
  }));
}

/** Deletes what killed writers left behind of checkpoints that were never published. */
export async function sweepUnfinished(store: Store, key: string): Promise<void> {
  const { checkpoints, unfinished } = contentOf(await store.getRef(checkpointRef(key)));
  if (unfinished.length === 0) return;
  const kept = await blobsOf(store, checkpoints);
  for (const digest of unfinished) if (!kept.has(digest)) await store.deleteBlob(digest);
  await changeRef(store, key, (content) => ({
    ...content,
    unfinished: content.unfinished.filter((digest) => !unfinished.includes(digest)),
  }));
}

/** @returns what the ref held before */
async function changeRef(
  store: Store,
  key: string,
  change: (content: TrainingRef) => TrainingRef,
): Promise<TrainingRef> {
  const ref = checkpointRef(key);
  for (let attempt = 0; attempt < SWAP_ATTEMPTS; attempt++) {
    const current = await store.getRef(ref);
    const before = contentOf(current);
    const value = change(before) as unknown as JsonValue;
    if ((await store.swapRef(ref, current?.version, value)) !== undefined) return before;
  }
  throw new Failure(
    'Internal',
    `a checkpoint could not be published: another process kept changing ${ref}; end the other ` +
      'worker that trains the same step',
  );
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
  const stored = new Set(manifest.files.map((file) => file.digest));
  let kept: readonly PublishedCheckpoint[] = [];
  const before = await changeRef(store, key, ({ checkpoints, unfinished }) => {
    const others = checkpoints.filter(
      (entry) => entry.manifest !== digest && !rejected.has(entry.manifest),
    );
    kept = [published, ...others].sort((a, b) => b.step - a.step).slice(0, SAVE_TOTAL_LIMIT);
    return { checkpoints: [...kept], unfinished: unfinished.filter((blob) => !stored.has(blob)) };
  });
  await deleteSuperseded(store, kept, [published, ...before.checkpoints]);
  return published;
}

/** Deletes all checkpoints of a training: after its model is stored. */
export async function pruneCheckpoints(store: Store, key: string): Promise<void> {
  await sweepUnfinished(store, key);
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
  const shared = await blobsOf(store, kept);
  for (const { manifest } of superseded) {
    for (const digest of await filesOf(store, manifest)) {
      if (!shared.has(digest)) await store.deleteBlob(digest);
    }
    await store.deleteBlob(manifest);
  }
}

/** Blobs of all these checkpoints, but their manifests. */
async function blobsOf(
  store: Store,
  checkpoints: readonly PublishedCheckpoint[],
): Promise<ReadonlySet<BlobDigest>> {
  const blobs = new Set<BlobDigest>();
  for (const { manifest } of checkpoints) {
    for (const digest of await filesOf(store, manifest)) blobs.add(digest);
  }
  return blobs;
}

/** Blobs of a checkpoint; none when its manifest cannot be read: then they are of no use. */
async function filesOf(store: Store, manifest: ArtifactDigest): Promise<readonly BlobDigest[]> {
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
