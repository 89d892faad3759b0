import type { JsonObject, JsonValue } from '../plan/json.ts';
import type { ArtifactDigest } from '../plan/plan.ts';

/** `sha256:` and 64 hexadecimal digits of a blob's bytes. */
export type BlobDigest = `sha256:${string}`;

/** Opaque version of a ref's value, for compare-and-swap. */
export type RefVersion = string;

export interface RefValue {
  readonly value: JsonValue;
  readonly version: RefVersion;
  /** What is wrong with the newest value, when `value` is the one before it, or null without one. */
  readonly damage?: string;
}

export interface ArtifactFile {
  /** Relative, with `/`. */
  readonly path: string;
  readonly digest: BlobDigest;
  readonly size: number;
}

/** An artifact: a small JSON manifest, addressed by its own digest. It holds no time, host or run. */
export interface ArtifactManifest {
  readonly type: string;
  readonly metadata: JsonObject;
  /** Ordered by path. */
  readonly files: readonly ArtifactFile[];
}

/**
 * Content-addressed blobs and mutable refs. Every driver passes the same suite (test/store).
 *
 * Blobs are immutable; a read verifies the digest. Refs change by compare-and-swap only.
 * A digest that is not one, or a ref's name with an empty part between slashes, is InvalidInput;
 * a write for which there is no room is DiskFull and leaves nothing behind.
 */
export interface Store {
  /** The URL that opens this store again in another process. */
  readonly url: string;

  /**
   * @param announce is told the digest before the blob is there: whoever is killed in between knows
   *   what to look for
   */
  putBlob(
    bytes: Uint8Array,
    announce?: (digest: BlobDigest) => Promise<void>,
  ): Promise<{ digest: BlobDigest; size: number }>;
  /**
   * Copies the file in; the source stays. Never holds it whole in memory.
   * @param announce as of putBlob
   * @throws NotFound when there is no such file
   */
  putFile(
    path: string,
    announce?: (digest: BlobDigest) => Promise<void>,
  ): Promise<{ digest: BlobDigest; size: number }>;
  /** @throws CorruptArtifact (the blob is quarantined) or NotFound */
  getBlob(digest: BlobDigest): Promise<Uint8Array>;
  /**
   * A verified local path of the blob's bytes, to read or map; not to be written.
   * @throws CorruptArtifact (the blob is quarantined) or NotFound
   */
  getFile(digest: BlobDigest): Promise<string>;
  hasBlob(digest: BlobDigest): Promise<boolean>;
  /** Nothing happens when the blob is not there. */
  deleteBlob(digest: BlobDigest): Promise<void>;

  getRef(name: string): Promise<RefValue | undefined>;
  /**
   * Sets the ref if its version still is `expected` (`undefined`: if it does not exist).
   * @returns the new version, or undefined when another writer was first
   */
  swapRef(
    name: string,
    expected: RefVersion | undefined,
    value: JsonValue,
  ): Promise<RefVersion | undefined>;
  /** A swap that is under way from the deleted value fails. */
  deleteRef(name: string): Promise<void>;
  /** Names of all refs below `prefix` (a folder; '' for all), at any depth, sorted. */
  listRefs(prefix: string): Promise<readonly string[]>;
}

export type { ArtifactDigest };
