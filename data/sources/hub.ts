import { createHash } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import {
  datasetInfo,
  downloadFile,
  InvalidApiResponseFormatError,
  listFiles,
  modelInfo,
  pathsInfo,
} from '@huggingface/hub';
import type { ListFileEntry, RepoDesignation } from '@huggingface/hub';
import { Failure } from '../../plan/failures.ts';
import { didYouMean } from '../wording.ts';
import { hubConnection } from './hub-connection.ts';
import type { HubConnection } from './hub-connection.ts';
import { parseHubSource } from './hub-source.ts';
import type { HubLocation } from './hub-source.ts';
import { byCodePoint, wantedFiles } from './source.ts';
import type {
  FetchedFile,
  FetchOptions,
  SourceDriver,
  SourceFile,
  SourceOptions,
  SourceUse,
} from './source.ts';
import { receive, Watchdog } from './transfer.ts';
import { connectionFailure, incomplete } from './upstream-failure.ts';

/** What the Hub says of a file when it lists a folder and when it is asked for one path. */
type RepositoryEntry = Pick<ListFileEntry, 'path' | 'size'> & {
  readonly oid?: string | undefined;
  readonly lfs?: { readonly oid: string; readonly size: number } | undefined;
  readonly xetHash?: string | undefined;
};

interface HubFile extends SourceFile {
  /** In the repository. */
  readonly path: string;
  readonly size: number;
  /** Git's SHA-1 of the blob, or the SHA-256 of a file in large file storage. */
  readonly digest: { readonly algorithm: 'sha1' | 'sha256'; readonly hex: string } | undefined;
}

/**
 * `hf://datasets/OWNER/NAME[@REV][/PATH]` and `hf://OWNER/NAME[@REV][/PATH]`: a repository, or a part of
 * one, of the Hugging Face Hub at $HF_ENDPOINT, with a token, else with $HF_TOKEN when set. The revision is the commit that REV (default
 * `main`) names. Every file's digest is checked.
 */
export function hubSource(source: string, use: SourceUse): SourceDriver {
  const location = parseHubSource(source, use);
  return {
    resolve: (options) => resolveCommit(location, options),
    list: (commit, options) => listRepository(location, commit, options),
    fetch: (commit, options) => fetchFiles(location, commit, options),
  };
}

function repoOf(location: HubLocation): RepoDesignation {
  return { type: location.use, name: location.repository };
}

async function resolveCommit(location: HubLocation, options: SourceOptions): Promise<string> {
  return connected(location, location.display, options, async (hub) => {
    const params = {
      ...hub.params,
      name: location.repository,
      revision: location.revision,
      additionalFields: ['sha' as const],
    };
    const { sha } = await (location.use === 'dataset' ? datasetInfo(params) : modelInfo(params));
    if (!/^[0-9a-f]{40}$/.test(sha)) throw notTheHub(location.display, `no commit but "${sha}"`);
    return sha;
  });
}

async function listRepository(
  location: HubLocation,
  commit: string,
  options: SourceOptions,
): Promise<readonly HubFile[]> {
  return connected(location, location.display, options, async (hub, watchdog) => {
    const params = { ...hub.params, repo: repoOf(location), revision: commit };
    if (location.path !== '') {
      const [entry] = await pathsInfo({ ...params, paths: [location.path] });
      if (entry === undefined) throw await missingPath(location, params);
      if (entry.type === 'file') {
        return [{ ...hubFile(location, entry, dirname(location.path)), isSource: true }];
      }
    }
    const files: HubFile[] = [];
    const folder = location.path === '' ? {} : { path: encodePath(location.path) };
    for await (const entry of listFiles({ ...params, ...folder, recursive: true })) {
      watchdog.touch();
      if (entry.type === 'file') files.push(hubFile(location, entry, location.path || '.'));
    }
    return files.sort((a, b) => byCodePoint(a.name, b.name));
  });
}

function hubFile(location: HubLocation, entry: RepositoryEntry, folder: string): HubFile {
  const { path, size, oid, lfs, xetHash } = entry;
  const safe = path.split('/').every((part) => !['', '.', '..'].includes(part));
  if (!safe || /[\\\0]/.test(path)) {
    throw new Failure('InvalidInput', `${location.display} lists a file with the path "${path}"`);
  }
  const digest =
    lfs !== undefined
      ? ({ algorithm: 'sha256', hex: lfs.oid } as const)
      : oid !== undefined && xetHash === undefined
        ? ({ algorithm: 'sha1', hex: oid } as const)
        : undefined;
  const name = folder === '.' ? path : path.slice(folder.length + 1);
  return { name, display: location.displayOf(path), path, size: lfs?.size ?? size, digest };
}

async function fetchFiles(
  location: HubLocation,
  commit: string,
  options: FetchOptions,
): Promise<readonly FetchedFile[]> {
  const all = await listRepository(location, commit, options);
  const files = wantedFiles(location.display, all, options.files);
  const totalBytes = files.reduce((sum, file) => sum + file.size, 0);
  let receivedBytes = 0;
  const fetched: FetchedFile[] = [];
  for (const file of files) {
    const path = join(options.directory, file.name);
    await mkdir(dirname(path), { recursive: true });
    await fetchFile(location, commit, file, path, options, (bytes) => {
      receivedBytes += bytes;
      options.onProgress?.({ file: file.display, receivedBytes, totalBytes });
    });
    fetched.push({ name: file.name, display: file.display, path });
  }
  return fetched;
}

async function fetchFile(
  location: HubLocation,
  commit: string,
  file: HubFile,
  path: string,
  options: SourceOptions,
  onBytes: (bytes: number) => void,
): Promise<void> {
  // A range request for the first byte of an empty file is refused.
  if (file.size === 0) return writeFile(path, '');
  await connected(location, file.display, options, async (hub, watchdog) => {
    const blob = await downloadFile({
      ...hub.params,
      repo: repoOf(location),
      path: encodePath(file.path),
      revision: commit,
      // Plain HTTP is what every mirror speaks, and the digest below is checked in either case.
      xet: false,
    });
    if (blob === null) throw gone(file, commit);
    const git = createHash('sha1').update(`blob ${file.size}\0`);
    const chunks = blob.stream() as unknown as AsyncIterable<Uint8Array>;
    const arrived = (bytes: number): void => {
      watchdog.touch();
      onBytes(bytes);
    };
    const body = await receive(chunks, path, arrived, git);
    if (body.bytes !== file.size) throw incomplete(file.display, file.size);
    const found = file.digest?.algorithm === 'sha256' ? body.sha256 : git.digest('hex');
    if (file.digest !== undefined && found !== file.digest.hex) {
      throw new Failure(
        'SourceUnavailable',
        `${file.display}: what arrived has the ${file.digest.algorithm} ${found}, expected ` +
          `${file.digest.hex}; try again later`,
      );
    }
  });
}

/** Runs requests to the Hub; whatever goes wrong comes out as a typed failure. */
async function connected<T>(
  location: HubLocation,
  what: string,
  options: SourceOptions,
  requests: (hub: HubConnection, watchdog: Watchdog) => Promise<T>,
): Promise<T> {
  const watchdog = new Watchdog(what, options);
  const hub = hubConnection(location, what, options, watchdog);
  return watchdog.run(async () => {
    try {
      return await requests(hub, watchdog);
    } catch (error) {
      // The library turns an error of a body's request into a string.
      const failure = hub.lastFailure();
      if (failure !== undefined) throw failure;
      if (error instanceof InvalidApiResponseFormatError || error instanceof SyntaxError) {
        throw notTheHub(what, error.message);
      }
      throw connectionFailure(what, error);
    }
  });
}

async function missingPath(
  location: HubLocation,
  params: Parameters<typeof listFiles>[0],
): Promise<Failure> {
  const paths: string[] = [];
  for await (const entry of listFiles({ ...params, recursive: true })) paths.push(entry.path);
  return new Failure(
    'NotFound',
    `${location.display}: the repository has no file or folder "${location.path}"` +
      didYouMean(location.path, paths),
  );
}

function gone(file: HubFile, commit: string): Failure {
  return new Failure('NotFound', `${file.display} does not exist at commit ${commit}`);
}

function notTheHub(what: string, why: string): Failure {
  return new Failure(
    'SourceUnavailable',
    `${what}: the server does not answer as a Hugging Face Hub (${why}); check HF_ENDPOINT`,
  );
}

/** The library puts paths into URLs as they are. */
function encodePath(path: string): string {
  return path.split('/').map(encodeURIComponent).join('/');
}
