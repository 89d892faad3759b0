import { createHash } from 'node:crypto';
import { constants, createReadStream } from 'node:fs';
import type { Stats } from 'node:fs';
import { copyFile, mkdir, readdir, realpath, stat } from 'node:fs/promises';
import { basename, dirname, join, relative, resolve, sep } from 'node:path';
import { Failure } from '../../plan/failures.ts';
import { errorCode } from '../../store/fs-files.ts';
import { diskFailure } from '../disk-failure.ts';
import { didYouMean } from '../wording.ts';
import { byCodePoint, wantedFiles } from './source.ts';
import type {
  Environment,
  FetchedFile,
  FetchOptions,
  SourceDriver,
  SourceFile,
  SourceOptions,
} from './source.ts';

/** A folder with more files than this is no data set, but somebody's home. */
const MAXIMUM_FILES = 10_000;

interface LocalFile extends SourceFile {
  readonly path: string;
  readonly size: number;
}

/**
 * `file:PATH`: a file, or a folder with all files below it but hidden ones. Relative to
 * `$RETUNE_DATA_ROOT` (default: the working directory), and never outside it, whatever the path
 * or a link in it says. The revision is a digest of the names and contents.
 */
export function localSource(source: string): SourceDriver {
  return {
    resolve: async (options) => revisionOf(await findFiles(source, options), options),
    list: (_revision, options) => findFiles(source, options),
    fetch: (revision, options) => fetchFiles(source, revision, options),
  };
}

async function fetchFiles(
  source: string,
  revision: string,
  options: FetchOptions,
): Promise<readonly FetchedFile[]> {
  const files = await findFiles(source, options);
  const wanted = new Set(wantedFiles(source, files, options.files));
  const totalBytes = [...wanted].reduce((sum, file) => sum + file.size, 0);
  let receivedBytes = 0;
  const copies = new Map<LocalFile, LocalFile>();
  for (const file of wanted) {
    options.signal?.throwIfAborted();
    const path = join(options.directory, file.name);
    await copy(file, path);
    copies.set(file, { ...file, path });
    receivedBytes += file.size;
    options.onProgress?.({ file: file.display, receivedBytes, totalBytes });
  }
  // The copies are digested, not the originals: what was checked is what will be read.
  const found = await revisionOf(
    files.map((file) => copies.get(file) ?? file),
    options,
  );
  if (found !== revision) {
    throw new Failure(
      'SourceUnavailable',
      `"${source}" changed since it was looked up, from ${revision} to ${found}: run again when ` +
        'nothing writes to it',
    );
  }
  return [...copies.values()];
}

async function revisionOf(files: readonly LocalFile[], options: SourceOptions): Promise<string> {
  const total = createHash('sha256');
  for (const file of files) {
    const digest = createHash('sha256');
    try {
      for await (const chunk of createReadStream(file.path)) {
        options.signal?.throwIfAborted();
        digest.update(chunk as Buffer);
      }
    } catch (error) {
      throw readFailure(error, file.display);
    }
    // A name cannot hold a zero byte, so no two lists of files look the same.
    total.update(`${file.name}\0${digest.digest('hex')}\0`);
  }
  return `sha256:${total.digest('hex')}`;
}

async function findFiles(source: string, options: SourceOptions): Promise<readonly LocalFile[]> {
  const root = await dataRoot(options.env);
  const path = await pathBelow(root, source);
  const status = await stat(path);
  const written = source.replace(/\/+$/, '');
  if (status.isFile()) {
    const file = { name: basename(path), display: written, path, size: status.size };
    return [{ ...file, isSource: true }];
  }
  if (!status.isDirectory()) {
    throw new Failure('InvalidInput', `"${source}" is neither a file nor a folder`);
  }
  const found = new Map<string, LocalFile>();
  await walk({ source, root, top: path, seen: new Set(), found }, path);
  const names = [...found.keys()].sort(byCodePoint);
  return names.map((name) => found.get(name) as LocalFile);
}

interface Walk {
  readonly source: string;
  readonly root: string;
  readonly top: string;
  /** Real paths of the folders entered, so that a link to a parent ends. */
  readonly seen: Set<string>;
  readonly found: Map<string, LocalFile>;
}

async function walk(state: Walk, folder: string): Promise<void> {
  const real = await realpath(folder);
  if (state.seen.has(real)) return;
  state.seen.add(real);
  for (const entry of await readdir(folder)) {
    if (entry.startsWith('.')) continue;
    const path = join(folder, entry);
    const name = relative(state.top, path).split(sep).join('/');
    const display = `${state.source.replace(/\/+$/, '')}/${name}`;
    const status = await checkedStatus(state, path, display);
    if (status.isDirectory()) await walk(state, path);
    if (!status.isFile()) continue;
    state.found.set(name, { name, display, path, size: status.size });
    if (state.found.size > MAXIMUM_FILES) {
      throw new Failure(
        'InvalidInput',
        `"${state.source}" holds more than ${MAXIMUM_FILES} files: name the folder or the file ` +
          'that holds the data',
      );
    }
  }
}

async function checkedStatus(state: Walk, path: string, display: string): Promise<Stats> {
  try {
    await checkBelow(state.root, path, state.source);
    return await stat(path);
  } catch (error) {
    throw readFailure(error, display);
  }
}

async function dataRoot(env: Environment): Promise<string> {
  const root = resolve(env['RETUNE_DATA_ROOT'] || '.');
  try {
    return await realpath(root);
  } catch (cause) {
    throw new Failure(
      'InvalidInput',
      `the data root ${root} does not exist: set RETUNE_DATA_ROOT to the folder that file: ` +
        'sources are relative to',
      { cause },
    );
  }
}

/** The absolute path that a source names, checked to lie below the root. */
async function pathBelow(root: string, source: string): Promise<string> {
  const written = source.slice('file:'.length).replace(/^\/\/(?=\/)/, '');
  if (written === '' || written.startsWith('//')) {
    throw new Failure('InvalidInput', `"${source}" has no path: write file:PATH, as file:data.csv`);
  }
  const path = resolve(root, written);
  if (!isBelow(root, path)) throw outside(root, source);
  try {
    await checkBelow(root, path, source);
  } catch (error) {
    if (errorCode(error) !== 'ENOENT' && errorCode(error) !== 'ENOTDIR') throw error;
    const beside = await readdir(dirname(path)).catch(() => []);
    const folder = written.includes('/') ? `${dirname(written)}/` : '';
    const names = beside.map((name) => `file:${folder}${name}`);
    const remedy =
      didYouMean(source, names) ||
      ': put it there, or start the worker with RETUNE_DATA_ROOT set to the folder it is in';
    throw new Failure(
      'NotFound',
      `"${source}" does not exist below the data root ${root}${remedy}`,
      { cause: error },
    );
  }
  return path;
}

async function checkBelow(root: string, path: string, source: string): Promise<void> {
  if (!isBelow(root, await realpath(path))) throw outside(root, source);
}

function isBelow(root: string, path: string): boolean {
  return path === root || path.startsWith(root.endsWith(sep) ? root : root + sep);
}

function outside(root: string, source: string): Failure {
  return new Failure(
    'InvalidInput',
    `"${source}" leads outside the data root ${root}: move the data below it, or start the ` +
      'worker with RETUNE_DATA_ROOT set to a folder that holds both',
  );
}

async function copy(file: LocalFile, to: string): Promise<void> {
  try {
    await mkdir(dirname(to), { recursive: true });
    await copyFile(file.path, to, constants.COPYFILE_FICLONE);
  } catch (error) {
    throw diskFailure(readFailure(error, file.display), to);
  }
}

function readFailure(error: unknown, display: string): unknown {
  switch (errorCode(error)) {
    case 'EACCES':
    case 'EPERM':
      return new Failure(
        'Unauthorized',
        `"${display}" cannot be read by the user that the worker runs as: give that user the right`,
        { cause: error },
      );
    case 'ENOENT':
    case 'ELOOP':
      return new Failure(
        'InvalidInput',
        `"${display}" is a link to nothing, or was removed just now: mend or remove it`,
        { cause: error },
      );
    default:
      return error;
  }
}
