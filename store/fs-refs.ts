import { link, open, readdir, readFile, rm } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { Failure } from '../plan/failures.ts';
import type { JsonValue } from '../plan/json.ts';
import { ensureFolder, errorCode, syncFolder, withTemporaryFile } from './fs-files.ts';
import { decodeRefPath, encodeRefName, GENERATIONS_FOLDER } from './fs-ref-names.ts';
import type { RefValue, RefVersion } from './store.ts';

/*
 * Compare-and-swap of a ref across processes, without locks.
 *
 * A ref is a folder of numbered generations. The value is the highest one's; generation n + 1 is
 * added by link() of a finished temporary file, which fails if that name exists: so of all writers
 * that saw n as the highest, one wins. A writer that dies leaves a temporary file or a complete
 * generation, never a part of one.
 *
 * Generations far below the highest are pruned, which opens holes: a writer that saw n, slept, and
 * links n + 1 after that name was pruned has not won. Nobody reads its file (a higher generation
 * exists), but it must learn that it lost; and a writer that did win, and slept before it looked,
 * must not believe it lost because others went on from its value. What tells them apart:
 *
 *   a writer that adds n + 1 first marks the file of generation n, which it saw as the highest, as
 *   accepted (mode without write permission).
 *
 * A file linked into a hole never was the highest, so it is never marked. A file that was the
 * highest and no longer is has been marked before its successor appeared. The writer holds its own
 * file open, so it reads the mark even when the file itself is pruned in the meantime.
 *
 * A listing gives a generation, which is then opened by name. In between it could be pruned and its
 * name linked again, into a hole. As a generation is pruned only when one KEPT above it exists, a
 * second listing that shows less than that proves that the file opened is the generation listed.
 *
 * A generation that is not JSON was damaged from outside. It keeps its place and its number, so that
 * the rules above hold, but its value is that of the readable one before it; who reads it is told.
 *
 * This needs link(), and listings that are atomic for a folder of a few dozen entries: local POSIX
 * file systems give both. The generations have a folder of their own to keep it small.
 */

const KEPT = 16;
const WRITABLE = 0o222;

type Content = { readonly value: JsonValue } | { readonly deleted: true };

interface Generation {
  readonly number: number;
  readonly content: Content;
  /** What is wrong with it, when the content is that of a generation before it. */
  readonly damage?: string;
  readonly file: FileHandle;
}

/** Mutable refs below `refs/`. */
export class FsRefs {
  readonly #root: string;

  constructor(root: string) {
    this.#root = root;
  }

  async get(name: string): Promise<RefValue | undefined> {
    return this.#withLatest(this.#folder(name), async (latest) => {
      if (latest === undefined) return undefined;
      const { content, number, damage } = latest;
      const version = String(number);
      if (damage !== undefined) return { value: valueOf(content) ?? null, version, damage };
      const value = valueOf(content);
      return value === undefined ? undefined : { value, version };
    });
  }

  async swap(
    name: string,
    expected: RefVersion | undefined,
    value: JsonValue,
  ): Promise<RefVersion | undefined> {
    const folder = this.#folder(name);
    return this.#withLatest(folder, async (latest) => {
      const isAbsent = latest === undefined || 'deleted' in latest.content;
      const isNamed = latest !== undefined && (!isAbsent || latest.damage !== undefined);
      const versions = [
        ...(isAbsent ? [undefined] : []),
        ...(isNamed ? [String(latest.number)] : []),
      ];
      return versions.includes(expected) ? this.#append(folder, latest, { value }) : undefined;
    });
  }

  /** A deleted ref keeps a last generation that says so: a swap that is under way then fails. */
  async delete(name: string): Promise<void> {
    const folder = this.#folder(name);
    for (let isDone = false; !isDone;) {
      isDone = await this.#withLatest(folder, async (latest) => {
        if (latest === undefined || 'deleted' in latest.content) return true;
        return (await this.#append(folder, latest, { deleted: true })) !== undefined;
      });
    }
  }

  async list(prefix: string): Promise<readonly string[]> {
    const base = join(this.#root, 'refs');
    const names: string[] = [];
    for (const path of await refFolders(base, prefix === '' ? '' : encodeRefName(prefix))) {
      const exists = await this.#withLatest(
        join(base, path, GENERATIONS_FOLDER),
        async (latest) => latest !== undefined && 'value' in latest.content,
      );
      const name = decodeRefPath(path);
      if (exists && name !== prefix) names.push(name);
    }
    return names.sort();
  }

  #folder(name: string): string {
    return join(this.#root, 'refs', encodeRefName(name), GENERATIONS_FOLDER);
  }

  async #append(
    folder: string,
    latest: Generation | undefined,
    content: Content,
  ): Promise<RefVersion | undefined> {
    const number = (latest?.number ?? 0) + 1;
    return withTemporaryFile(this.#root, async (file, path) => {
      await file.writeFile(JSON.stringify(content));
      await file.sync();
      await ensureFolder(folder);
      if (latest !== undefined) await markAccepted(latest.file);
      if (!(await linkIfFree(path, join(folder, String(number))))) return undefined;
      const generations = await listGenerations(folder);
      if (highestOf(generations) > number && !(await isAccepted(file))) return undefined;
      await syncFolder(folder);
      for (const old of generations) {
        if (old <= number - KEPT) await rm(join(folder, String(old)), { force: true });
      }
      return String(number);
    });
  }

  async #withLatest<T>(
    folder: string,
    use: (latest: Generation | undefined) => Promise<T>,
  ): Promise<T> {
    for (;;) {
      const number = highestOf(await listGenerations(folder));
      if (number === 0) return use(undefined);
      const path = join(folder, String(number));
      const file = await openIfExists(path);
      if (file === undefined) continue;
      try {
        const text = await file.readFile('utf8');
        if (highestOf(await listGenerations(folder)) >= number + KEPT) continue;
        const content = parseContent(text);
        return await use(
          content === undefined
            ? { number, file, ...(await damaged(folder, number)) }
            : { number, file, content },
        );
      } finally {
        await file.close();
      }
    }
  }
}

function valueOf(content: Content): JsonValue | undefined {
  return 'value' in content ? content.value : undefined;
}

/** @returns whether the name was free */
async function linkIfFree(path: string, name: string): Promise<boolean> {
  try {
    await link(path, name);
    return true;
  } catch (error) {
    switch (errorCode(error)) {
      case 'EEXIST':
        return false;
      case 'EPERM':
      case 'ENOSYS':
      case 'ENOTSUP':
      case 'EOPNOTSUPP':
        throw new Failure(
          'InvalidInput',
          `the file system of ${name} has no hard links, which the store needs: set RETUNE_STORE ` +
            'to a folder on a local file system such as ext4, xfs or APFS',
          { cause: error },
        );
      default:
        throw error;
    }
  }
}

async function markAccepted(file: FileHandle): Promise<void> {
  await file.chmod((await file.stat()).mode & 0o777 & ~WRITABLE);
}

async function isAccepted(file: FileHandle): Promise<boolean> {
  return ((await file.stat()).mode & WRITABLE) === 0;
}

async function listGenerations(folder: string): Promise<readonly number[]> {
  try {
    // Other programs leave files of their own, such as .DS_Store.
    return (await readdir(folder)).filter((name) => /^[1-9]\d*$/.test(name)).map(Number);
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return [];
    throw error;
  }
}

function highestOf(generations: readonly number[]): number {
  return generations.reduce((highest, number) => Math.max(highest, number), 0);
}

async function openIfExists(path: string): Promise<FileHandle | undefined> {
  try {
    return await open(path, 'r');
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return undefined;
    throw error;
  }
}

/** Undefined when the text is not what was written. */
function parseContent(text: string): Content | undefined {
  try {
    const content = JSON.parse(text) as unknown;
    const isContent =
      typeof content === 'object' &&
      content !== null &&
      ('value' in content || 'deleted' in content);
    return isContent ? (content as Content) : undefined;
  } catch {
    return undefined;
  }
}

/**
 * What stands for a damaged generation: the last readable one below it, or else none, as of a deleted
 * ref.
 */
async function damaged(
  folder: string,
  number: number,
): Promise<{ readonly content: Content; readonly damage: string }> {
  const path = join(folder, String(number));
  const below = (await listGenerations(folder)).filter((other) => other < number);
  for (const other of below.sort((a, b) => b - a)) {
    const text = await readFile(join(folder, String(other)), 'utf8').catch(() => '');
    const content = parseContent(text);
    if (content === undefined) continue;
    const damage =
      `${path} is damaged, and only the value before it can be read: check the disk; to go on with ` +
      'that value, stop all workers and remove the damaged file';
    return { content, damage };
  }
  const damage =
    `${path} is damaged, and no value before it can be read: check the disk; bring the file back ` +
    'from a backup, or stop all workers and remove it to begin anew';
  return { content: { deleted: true }, damage };
}

/** Folders below `refs/PATH` that hold generations, relative to `refs/`. */
async function refFolders(base: string, path: string): Promise<readonly string[]> {
  const found: string[] = [];
  const pending = [path];
  for (let at = pending.pop(); at !== undefined; at = pending.pop()) {
    for (const name of await listFolders(join(base, at))) {
      if (name === GENERATIONS_FOLDER) found.push(at);
      else pending.push(join(at, name));
    }
  }
  return found;
}

async function listFolders(path: string): Promise<readonly string[]> {
  try {
    const entries = await readdir(path, { withFileTypes: true });
    return entries.filter((entry) => entry.isDirectory()).map(({ name }) => name);
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return [];
    throw error;
  }
}
