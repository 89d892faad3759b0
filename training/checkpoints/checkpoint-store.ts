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

const SWAP_ATTEMPTS = 20;
/** Longer than a checkpoint takes from its first blob in the store to its publication. */
const UNFINISHED_MS = 15 * 60_000;
export const CHECKPOINT_TYPE = 'checkpoint';

const digestSchema = z.string().refine(isDigest) as unknown as z.ZodType<BlobDigest>;
const entrySchema = z.object({ manifest: digestSchema, step: z.int().min(0) });
const refSchema = z.object({
  checkpoints: z.array(entrySchema),
  /** Replaced by newer ones, but not yet deleted: what a killed writer leaves to the next. */
  superseded: z.array(entrySchema).default([]),
  /** Blobs of a checkpoint that is being stored: what a killed writer leaves behind. */
  unfinished: z.array(z.object({ digest: digestSchema, announcedAt: z.number() })).default([]),
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

/** Blobs that were announced, of checkpoints that are not published. */
export async function unfinishedBlobs(store: Store, key: string): Promise<readonly BlobDigest[]> {
  const { unfinished } = contentOf(await store.getRef(checkpointRef(key)));
  return unfinished.map(({ digest }) => digest);
}

function contentOf(ref: RefValue | undefined): TrainingRef {
  const parsed = refSchema.safeParse(ref?.value);
  return parsed.success ? parsed.data : { checkpoints: [], superseded: [], unfinished: [] };
}

/** Notes a blob of a checkpoint before it is in the store. @see sweepUnfinished */
export async function announceBlob(store: Store, key: string, digest: BlobDigest): Promise<void> {
  await changeRef(store, key, (content) => ({
    ...content,
    unfinished: [
      ...content.unfinished.filter((other) => other.digest !== digest),
      { digest, announcedAt: Date.now() },
    ],
  }));
}

/**
 * Deletes what writers left behind of checkpoints that were never published, killed or abandoned. A
 * writer that lives may be of another run that trains the same: it gets the time to publish.
 *
 * @param age of what is deleted, at least; 0 when nobody needs a checkpoint any more
 */
export async function sweepUnfinished(
  store: Store,
  key: string,
  age = UNFINISHED_MS,
): Promise<void> {
  const content = contentOf(await store.getRef(checkpointRef(key)));
  const latest = Date.now() - age;
  const old = content.unfinished.filter(({ announcedAt }) => announcedAt <= latest);
  if (old.length === 0) return;
  const digests = new Set(old.map(({ digest }) => digest));
  const kept = await blobsOf(store, content.checkpoints);
  for (const digest of digests) if (!kept.has(digest)) await store.deleteBlob(digest);
  await changeRef(store, key, (current) => ({
    ...current,
    unfinished: current.unfinished.filter(({ digest }) => !digests.has(digest)),
  }));
}

async function changeRef(
  store: Store,
  key: string,
  change: (content: TrainingRef) => TrainingRef,
): Promise<void> {
  const ref = checkpointRef(key);
  for (let attempt = 0; attempt < SWAP_ATTEMPTS; attempt++) {
    const current = await store.getRef(ref);
    const value = change(contentOf(current)) as unknown as JsonValue;
    if ((await store.swapRef(ref, current?.version, value)) !== undefined) return;
  }
  throw new Failure(
    'Internal',
    `a checkpoint could not be published: another process kept changing ${ref}; end the other ` +
      'worker that trains the same step',
  );
}

export interface NewCheckpoint {
  readonly step: number;
  /** Its files are in the store. */
  readonly manifest: ArtifactManifest;
  /** Manifests that turned out to be damaged: they are superseded whatever their step. */
  readonly rejected: ReadonlySet<ArtifactDigest>;
  /** How many of the newest are kept, this one included. */
  readonly saveTotalLimit: number;
}

/**
 * Stores a checkpoint's manifest, makes it the training's newest, and deletes what only superseded
 * ones refer to. Until the ref is swapped the older ones stand.
 */
export async function publishCheckpoint(
  store: Store,
  key: string,
  { step, manifest, rejected, saveTotalLimit }: NewCheckpoint,
): Promise<PublishedCheckpoint> {
  const json = canonicalJson(manifest as unknown as JsonValue);
  const announce = (blob: BlobDigest): Promise<void> => announceBlob(store, key, blob);
  const { digest } = await store.putBlob(new TextEncoder().encode(json), announce);
  const published = { manifest: digest, step };
  const stored = new Set([digest, ...manifest.files.map((file) => file.digest)]);
  await changeRef(store, key, ({ checkpoints, superseded, unfinished }) => {
    const others = checkpoints.filter((entry) => entry.manifest !== digest);
    const whole = others.filter((entry) => !rejected.has(entry.manifest));
    const kept = [published, ...whole].sort((a, b) => b.step - a.step).slice(0, saveTotalLimit);
    return {
      checkpoints: kept,
      superseded: [...superseded, published, ...others].filter((entry) => !includes(kept, entry)),
      unfinished: unfinished.filter((blob) => !stored.has(blob.digest)),
    };
  });
  await deleteSuperseded(store, key);
  await sweepUnfinished(store, key);
  return published;
}

function includes(list: readonly PublishedCheckpoint[], entry: PublishedCheckpoint): boolean {
  return list.some(({ manifest }) => manifest === entry.manifest);
}

/** Deletes all checkpoints of a training: after its model is stored. */
export async function pruneCheckpoints(store: Store, key: string): Promise<void> {
  if ((await store.getRef(checkpointRef(key))) === undefined) return;
  await changeRef(store, key, ({ checkpoints, superseded, unfinished }) => {
    return { checkpoints: [], superseded: [...superseded, ...checkpoints], unfinished };
  });
  await sweepUnfinished(store, key, 0);
  await deleteSuperseded(store, key);
  await store.deleteRef(checkpointRef(key));
}

/**
 * Deletes superseded checkpoints, but for blobs that one that is kept shares, or that is being
 * stored. A manifest goes last: whoever is killed before leaves all to the next call.
 */
export async function deleteSuperseded(store: Store, key: string): Promise<void> {
  const { checkpoints, superseded, unfinished } = contentOf(await store.getRef(checkpointRef(key)));
  if (superseded.length === 0) return;
  const spared = new Set([
    ...(await blobsOf(store, checkpoints)),
    ...unfinished.map(({ digest }) => digest),
  ]);
  for (const { manifest } of superseded) {
    for (const digest of await filesOf(store, manifest)) {
      if (!spared.has(digest)) await store.deleteBlob(digest);
    }
    if (!spared.has(manifest)) await store.deleteBlob(manifest);
  }
  await changeRef(store, key, (content) => ({
    ...content,
    superseded: content.superseded.filter((entry) => !includes(superseded, entry)),
  }));
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
