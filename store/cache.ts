import { Failure } from '../plan/failures.ts';
import type { JsonObject, JsonValue } from '../plan/json.ts';
import { artifactRef, readManifest } from './artifacts.ts';
import { isDigest } from './digest.ts';
import { getRecord, refSegment, swapRecord } from './records.ts';
import type { ArtifactDigest, Store } from './store.ts';

/** What a finished step says of itself. */
export interface StepResult {
  readonly fingerprint: string;
  readonly kind: string;
  /** The resolved inputs, without secrets. */
  readonly inputs: JsonObject;
  readonly outputs: JsonObject;
  /** Of a data source: the revision that it read, as its own service names it. */
  readonly upstream?: JsonValue;
  /** Milliseconds since the epoch. */
  readonly createdAt: number;
}

/** A step's result as published, with the artifacts found in it. */
export interface CacheEntry extends StepResult {
  /** Artifacts in `inputs`, by path: `model`, `from.0`. */
  readonly inputArtifacts: ArtifactsByPath;
  /** Artifacts in `outputs`, by path. */
  readonly outputArtifacts: ArtifactsByPath;
}

export interface ArtifactsByPath {
  readonly [path: string]: ArtifactDigest;
}

export type LookUp =
  | { readonly hit: true; readonly entry: CacheEntry }
  | {
      readonly hit: false;
      readonly reason: string;
      /** There was a result, which cannot be used any more. */
      readonly isDamaged: boolean;
    };

interface Producer {
  readonly fingerprint: string;
}

/**
 * The published result of a fingerprint, if every artifact in it is still there. That each blob
 * exists is checked, not its bytes: who reads a corrupt one has it quarantined, and then it is a
 * miss.
 */
export async function lookUp(store: Store, fingerprint: string): Promise<LookUp> {
  const found = await getRecord<CacheEntry>(store, cacheRef(fingerprint));
  if (found === undefined || !isEntry(found.record)) {
    return found === undefined
      ? { hit: false, reason: 'no result with this fingerprint yet', isDamaged: false }
      : { hit: false, reason: 'its record in the store is damaged', isDamaged: true };
  }
  const reason = await incompleteness(store, found.record);
  return reason === undefined
    ? { hit: true, entry: found.record }
    : { hit: false, reason, isDamaged: true };
}

/**
 * Publishes a step's result. There is one published result a fingerprint: the first writer's, as
 * long as its artifacts are there and `isKept` says so; after that, the next writer's replaces it.
 *
 * @param isKept whether a result that is whole may stand for the step
 * @returns the published entry, whose outputs stand for this step from now on, and whether it is
 * the one handed in
 */
export async function publish(
  store: Store,
  result: StepResult,
  isKept: (before: CacheEntry) => boolean = () => true,
): Promise<{ readonly entry: CacheEntry; readonly isFirst: boolean }> {
  const entry: CacheEntry = {
    ...result,
    inputArtifacts: await artifactsIn(store, result.inputs),
    outputArtifacts: await artifactsIn(store, result.outputs),
  };
  await recordProducers(store, entry);
  const ref = cacheRef(entry.fingerprint);
  for (;;) {
    const current = await getRecord<CacheEntry>(store, ref);
    const before = current?.record;
    const isWhole = isEntry(before) && (await incompleteness(store, before)) === undefined;
    if (isWhole && isKept(before)) {
      return { entry: before, isFirst: false };
    }
    const written = await swapRecord(store, ref, current?.version, entry);
    if (written !== undefined) return { entry, isFirst: true };
  }
}

/** What was published for a fingerprint, whether its artifacts are still there or not. */
export async function recordedResult(
  store: Store,
  fingerprint: string,
): Promise<CacheEntry | undefined> {
  const found = await getRecord<CacheEntry>(store, cacheRef(fingerprint));
  return isEntry(found?.record) ? found?.record : undefined;
}

/** Takes a published result back, so that the step runs again. */
export async function invalidate(store: Store, fingerprint: string): Promise<void> {
  await store.deleteRef(cacheRef(fingerprint));
}

/** The published result of the step that made an artifact, or undefined when none is recorded. */
export async function producerOf(
  store: Store,
  artifact: ArtifactDigest,
): Promise<CacheEntry | undefined> {
  const producer = await getRecord<Producer>(store, producerRef(artifact));
  if (producer === undefined) return undefined;
  return (await getRecord<CacheEntry>(store, cacheRef(producer.record.fingerprint)))?.record;
}

function cacheRef(fingerprint: string): string {
  return `cache/${refSegment(fingerprint)}`;
}

function producerRef(artifact: ArtifactDigest): string {
  return artifactRef(artifact).replace('artifacts/', 'producers/');
}

/** A step that passes its own input on did not make it. */
async function recordProducers(store: Store, entry: CacheEntry): Promise<void> {
  const read = new Set(Object.values(entry.inputArtifacts));
  for (const artifact of new Set(Object.values(entry.outputArtifacts))) {
    if (!read.has(artifact)) await recordProducer(store, artifact, entry.fingerprint);
  }
}

/**
 * The first producer stays as long as its result is published: a later revision with the same bytes
 * is not where the artifact came from.
 */
async function recordProducer(
  store: Store,
  artifact: ArtifactDigest,
  fingerprint: string,
): Promise<void> {
  const ref = producerRef(artifact);
  for (;;) {
    const current = await getRecord<Producer>(store, ref);
    if (current?.record.fingerprint === fingerprint) return;
    if (current !== undefined && (await producerOf(store, artifact)) !== undefined) return;
    const written = await swapRecord(store, ref, current?.version, { fingerprint });
    if (written !== undefined) return;
  }
}

/** What is damaged may still be JSON. */
function isEntry(record: CacheEntry | undefined): record is CacheEntry {
  const maps = [record?.outputs, record?.outputArtifacts];
  return maps.every((map) => typeof map === 'object' && map !== null);
}

/** Why an entry cannot be used, or undefined. */
async function incompleteness(store: Store, entry: CacheEntry): Promise<string | undefined> {
  for (const [path, artifact] of Object.entries(entry.outputArtifacts)) {
    const missing = await missingPart(store, artifact);
    if (missing !== undefined) return `its output ${path} is incomplete: ${missing}`;
  }
  return undefined;
}

async function missingPart(store: Store, artifact: ArtifactDigest): Promise<string | undefined> {
  try {
    const { files } = await readManifest(store, artifact);
    const present = await Promise.all(files.map((file) => store.hasBlob(file.digest)));
    const missing = files.find((_, index) => !present[index]);
    return missing && `file ${missing.path} of artifact ${artifact} is no longer in the store`;
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    switch (error.type) {
      case 'NotFound':
        return `artifact ${artifact} is no longer in the store`;
      case 'CorruptArtifact':
        return `the manifest of artifact ${artifact} was corrupt`;
      default:
        throw error;
    }
  }
}

async function artifactsIn(store: Store, value: JsonValue): Promise<ArtifactsByPath> {
  const found: Record<string, ArtifactDigest> = {};
  for (const [path, digest] of digestsIn(value, [])) {
    if ((await store.getRef(artifactRef(digest))) !== undefined) found[path] = digest;
  }
  return found;
}

function* digestsIn(
  value: JsonValue,
  path: readonly string[],
): Generator<readonly [path: string, digest: ArtifactDigest]> {
  if (isDigest(value)) yield [path.join('.'), value];
  if (typeof value !== 'object' || value === null) return;
  for (const [key, item] of Object.entries(value)) {
    yield* digestsIn(item, [...path, key]);
  }
}
