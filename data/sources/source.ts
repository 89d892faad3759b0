/** Where data and models come from, and the form in which every kind of source answers. */
import { Failure } from '../../plan/failures.ts';
import type { Store } from '../../store/store.ts';

export type Environment = Readonly<Record<string, string | undefined>>;

export type SourceUse = 'dataset' | 'model';

/** A source as a person wrote it, and the revision it had when it was asked. */
export interface ResolvedSource {
  readonly source: string;
  /**
   * Hub: the commit. https: `etag:...`, `last-modified:...` or `sha256:...` of the content.
   * file: `sha256:...` over the files' names and contents.
   */
  readonly revision: string;
}

/** A file of a source, before it is fetched. */
export interface SourceFile {
  /** Relative to the source, with `/`; the base name when the source is one file. */
  readonly name: string;
  /** How a person would write it, for messages. */
  readonly display: string;
  /** Whether the source names this file itself, not a folder or a repository that holds it. */
  readonly isSource?: boolean;
}

/** A file of a source, in a local folder. */
export interface FetchedFile extends SourceFile {
  readonly path: string;
}

export interface FetchProgress {
  /** The file on its way, as a person would write it. */
  readonly file: string;
  /** Bytes of all files so far. */
  readonly receivedBytes: number;
  /** Bytes of all files, when the source says. */
  readonly totalBytes: number | undefined;
}

export interface SourceOptions {
  /** RETUNE_DATA_ROOT, HF_ENDPOINT, HF_TOKEN. */
  readonly env: Environment;
  /** Shown to the Hub in place of HF_TOKEN, and to the server of an https: source. */
  readonly token?: string;
  readonly signal?: AbortSignal;
  /** Where `registry:` sources are; other sources need none. */
  readonly store?: Store;
  /** How long a server may send nothing before it counts as unavailable. Default 60 s. */
  readonly stallTimeoutMs?: number;
}

export interface FetchOptions extends SourceOptions {
  /** An existing, empty folder for the files. */
  readonly directory: string;
  /** Names of the files to fetch. Default: all. */
  readonly files?: readonly string[];
  readonly onProgress?: (progress: FetchProgress) => void;
}

/** One way of getting files: local folders, web servers, the Hugging Face Hub, the registry. */
export interface SourceDriver {
  /** Asks upstream for the revision the source has now. */
  resolve(options: SourceOptions): Promise<string>;
  /** The source's files at that revision, ordered by name. */
  list(revision: string, options: SourceOptions): Promise<readonly SourceFile[]>;
  /** Gets files at exactly that revision, in the order of `list`. */
  fetch(revision: string, options: FetchOptions): Promise<readonly FetchedFile[]>;
}

/**
 * The wanted ones of a source's files, in the source's order.
 * @throws NotFound when one is missing
 */
export function wantedFiles<File extends SourceFile>(
  source: string,
  files: readonly File[],
  wanted: readonly string[] | undefined,
): readonly File[] {
  if (wanted === undefined) return files;
  const names = new Set(files.map((file) => file.name));
  for (const name of wanted) {
    if (!names.has(name)) throw new Failure('NotFound', `"${source}" has no file "${name}"`);
  }
  const selected = new Set(wanted);
  return files.filter((file) => selected.has(file.name));
}

/** Orders by Unicode code point, as Python and the Hub do. */
export function byCodePoint(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}
