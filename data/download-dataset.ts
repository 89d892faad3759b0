import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ArtifactDigest, Store } from '../store/store.ts';
import { readCard } from './dataset-card.ts';
import type { CardReading } from './dataset-card.ts';
import { readDatasetInfo, writeDataset } from './dataset.ts';
import { readDataset } from './read-dataset.ts';
import type { ColumnOptions } from './read-dataset.ts';
import type {
  FetchedFile,
  FetchProgress,
  ResolvedSource,
  SourceFile,
  SourceOptions,
} from './sources/source.ts';
import { fetchSource, listSource } from './sources/sources.ts';
import { splitFiles } from './split-files.ts';
import type { SplitFilesOptions } from './split-files.ts';

const CARD = 'README.md';

/** What to make of a source: columns, format, splits. */
export interface DatasetOptions extends ColumnOptions, SplitFilesOptions {}

export type DownloadProgress =
  ({ readonly phase: 'fetch' } & FetchProgress) | { readonly phase: 'read'; readonly rows: number };

export interface DownloadOptions extends SourceOptions {
  /** An existing, empty folder for files on their way. */
  readonly directory: string;
  readonly onProgress?: (progress: DownloadProgress) => void;
}

export interface DownloadedDataset {
  readonly dataset: ArtifactDigest;
  /** Number of rows of all splits. */
  readonly rows: number;
  /** Number of rows, by the split's name. */
  readonly splits: { readonly [split: string]: number };
  readonly labels: readonly string[] | null;
  readonly revision: string;
  /** Ids of the rows whose text is missing; they are kept with an empty one. */
  readonly rowsWithoutText: readonly string[];
}

/**
 * Fetches a data set at the revision it was resolved to, reads it, and stores it as an artifact.
 *
 * @throws InvalidInput, NotFound, Unauthorized, RateLimited, SourceUnavailable, DiskFull
 */
export async function downloadDataset(
  store: Store,
  resolved: ResolvedSource,
  dataset: DatasetOptions,
  options: DownloadOptions,
): Promise<DownloadedDataset> {
  const { directory, signal, onProgress } = options;
  const folders = { fetched: join(directory, 'fetched'), written: join(directory, 'written') };
  for (const folder of Object.values(folders)) await mkdir(folder, { recursive: true });
  const { files, separator } = await fetchSplits(resolved, dataset, {
    ...options,
    directory: folders.fetched,
  });
  const onRows = (rows: number): void => onProgress?.({ phase: 'read', rows });
  const rowsWithoutText: string[] = [];
  const read = await readDataset(files, {
    ...dataset,
    ...(separator === undefined ? {} : { separator }),
    onRows,
    onRowWithoutText: (id) => rowsWithoutText.push(id),
    ...(signal ? { signal } : {}),
  });
  const digest = await writeDataset(store, read.splits, read.shape, {
    directory: folders.written,
    ...(signal ? { signal } : {}),
  });
  const { splits, labels } = await readDatasetInfo(store, digest);
  const rows = Object.values(splits).reduce((sum, count) => sum + count, 0);
  const { revision } = resolved;
  return { dataset: digest, rows, splits, labels, revision, rowsWithoutText };
}

interface FetchedSplits {
  readonly files: ReadonlyMap<string, readonly FetchedFile[]>;
  readonly separator: string | undefined;
}

async function fetchSplits(
  resolved: ResolvedSource,
  dataset: DatasetOptions,
  options: DownloadOptions,
): Promise<FetchedSplits> {
  const listed = await listSource(resolved, 'dataset', options);
  const { splits, separator } = await findSplits(resolved, dataset, listed, options);
  const wanted = [...new Set([...splits.values()].flat())];
  const fetched = await fetchSource(resolved, 'dataset', {
    ...options,
    files: wanted,
    onProgress: (progress) => options.onProgress?.({ phase: 'fetch', ...progress }),
  });
  const byName = new Map(fetched.map((file) => [file.name, file]));
  const files = new Map(
    [...splits].map(([split, parts]) => [
      split,
      parts.map((name) => byName.get(name) as FetchedFile),
    ]),
  );
  return { files, separator };
}

/** As the person says, else as the data set's card says, else by the files' names. */
async function findSplits(
  resolved: ResolvedSource,
  dataset: DatasetOptions,
  listed: readonly SourceFile[],
  options: DownloadOptions,
): Promise<CardReading> {
  const names = listed.map((file) => file.name);
  if (dataset.splits === undefined && names.includes(CARD) && names.length > 1) {
    const directory = join(options.directory, '.card');
    await mkdir(directory);
    const { onProgress, ...rest } = options;
    const [card] = await fetchSource(resolved, 'dataset', { ...rest, directory, files: [CARD] });
    const text = await readFile((card as FetchedFile).path, 'utf8');
    const reading = readCard(resolved.source, text, names, dataset);
    if (reading !== undefined) return reading;
  }
  const sourceIsFile = listed[0]?.isSource === true;
  const splits = splitFiles(resolved.source, names, { ...dataset, sourceIsFile });
  return { splits, separator: undefined };
}
