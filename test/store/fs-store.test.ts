import { execFile, spawnSync } from 'node:child_process';
import { EventEmitter, once } from 'node:events';
import fsPromises from 'node:fs/promises';
import { mkdir, readdir, stat, utimes, writeFile } from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, onTestFinished, test } from 'vitest';
import { openStore, storeUrlFromEnvironment } from '../../store/open.ts';
import { getRecord, requireUndamaged } from '../../store/records.ts';
import type { Store } from '../../store/store.ts';
import { blobPath, failureOf, rootOf, temporaryFolder, temporaryStore } from './stores.ts';

const STORE_PROCESS = fileURLToPath(new URL('store-process.ts', import.meta.url));
const FORMS = 'expected file:PATH, such as file:./.retune/store';

test.each([
  [{}, 'file:./.retune/store'],
  [{ RETUNE_HOME: '/srv/retune' }, 'file:/srv/retune/store'],
  [{ RETUNE_HOME: '/srv/retune', RETUNE_STORE: 's3://bucket/runs' }, 's3://bucket/runs'],
  [{ RETUNE_HOME: '', RETUNE_STORE: '' }, 'file:./.retune/store'],
])('the environment %j means the store %s', (environment, url) => {
  expect(storeUrlFromEnvironment(environment)).toBe(url);
});

test.each([
  [
    's3://bucket/prefix',
    'cannot open the store "s3://bucket/prefix": the s3 driver is not built yet; ' +
      'set RETUNE_STORE=file:PATH, on a folder that all workers of one machine share',
  ],
  ['http://x/y', `cannot open the store "http://x/y": ${FORMS}`],
  ['./store', `cannot open the store "./store": ${FORMS}`],
  ['file:', `cannot open the store "file:": it has no path; ${FORMS}`],
  [
    'file://host/store',
    'cannot open the store "file://host/store": File URL host must be "localhost" or empty on ' +
      `linux; ${FORMS}`,
  ],
])('%s is refused', async (url, message) => {
  expect(await failureOf(openStore(url))).toBe(`InvalidInput: ${message}`);
});

test('a file store opens by path and by URL, and its own URL opens it anywhere', async () => {
  const folder = join(await temporaryFolder(), 'a store, 100%');
  const store = await openStore(pathToFileURL(folder).href);
  expect(store.url).toBe(`file:${folder}`);
  await store.swapRef('x', undefined, 1);
  expect((await (await openStore(store.url)).getRef('x'))?.value).toBe(1);
  const relative = await openStore(`file:${join('.', '..', '..', '..', '..', '..', folder)}`);
  expect(relative.url).toBe(store.url);
});

test('a store where a file is, is refused', async () => {
  const path = join(await temporaryFolder(), 'occupied');
  await writeFile(path, '');
  expect(await failureOf(openStore(`file:${path}`))).toBe(
    `InvalidInput: the store ${path} is not a folder: ` +
      'set RETUNE_STORE to a new or an existing folder',
  );
});

test('blobs are read-only files by digest, and nothing stays in tmp', async () => {
  const store = await temporaryStore();
  const { digest } = await store.putBlob(Buffer.from('a fine day'));
  await store.putFile(blobPath(store, digest));
  await store.swapRef('x', undefined, 1);
  await store.swapRef('x', undefined, 2);
  expect((await stat(blobPath(store, digest))).mode & 0o777).toBe(0o444);
  expect(await store.getFile(digest)).toBe(blobPath(store, digest));
  expect(await readdir(join(rootOf(store), 'tmp'))).toEqual([]);
});

test('putting a blob that is there makes it young again', async () => {
  const store = await temporaryStore();
  const { digest } = await store.putBlob(Buffer.from('a fine day'));
  await utimes(blobPath(store, digest), 1, 1);
  await store.putBlob(Buffer.from('a fine day'));
  expect((await stat(blobPath(store, digest))).mtimeMs).toBeGreaterThan(1_000_000_000_000);
});

test('opening sweeps what nobody wrote to for a day out of tmp', async () => {
  const store = await temporaryStore();
  const folder = join(rootOf(store), 'tmp');
  for (const name of ['killed', 'writing']) await writeFile(join(folder, name), 'half');
  const dayAgo = Date.now() / 1000 - 86_401;
  await utimes(join(folder, 'killed'), dayAgo, dayAgo);
  await openStore(store.url);
  expect(await readdir(folder)).toEqual(['writing']);
});

test('a ref keeps its newest generations only', async () => {
  const store = await temporaryStore();
  await swapTimes(store, 'metrics', 100);
  const kept = await readdir(join(rootOf(store), 'refs', 'metrics', '~'));
  expect(kept.map(Number).sort((a, b) => a - b)).toEqual(
    Array.from({ length: 16 }, (_, index) => 85 + index),
  );
});

describe('of a ref whose bytes are damaged', () => {
  const damaged = async (generations: number): Promise<{ store: Store; path: string }> => {
    const store = await temporaryStore();
    await swapTimes(store, 'metrics', generations);
    const path = join(rootOf(store), 'refs', 'metrics', '~', String(generations));
    await fsPromises.chmod(path, 0o644);
    await writeFile(path, '{"value":');
    return { store, path };
  };
  const damage = (path: string): string =>
    `${path} is damaged, and only the value before it can be read: check the disk; to go on with ` +
    'that value, stop all workers and remove the damaged file';
  const loss = (path: string): string =>
    `${path} is damaged, and no value before it can be read: check the disk; bring the file back ` +
    'from a backup, or stop all workers and remove it to begin anew';

  test('the value before it counts, and who reads it is told', async () => {
    const { store, path } = await damaged(3);
    const before = (await store.getRef('metrics'))!;
    expect(before).toEqual({ value: 2, version: '3', damage: damage(path) });
    expect(await store.listRefs('')).toEqual(['metrics']);
    expect(await store.swapRef('metrics', '2', 'stale')).toBeUndefined();
    expect(await store.swapRef('metrics', before.version, 'mended')).toBe('4');
    expect(await store.getRef('metrics')).toEqual({ value: 'mended', version: '4' });
  });

  test('without one before it there is none, and the next is set as if it were the first', async () => {
    for (const expected of [undefined, '1']) {
      const { store, path } = await damaged(1);
      expect(await store.getRef('metrics')).toEqual({
        ...{ value: null, version: '1', damage: loss(path) },
      });
      expect(await getRecord(store, 'metrics')).toBeUndefined();
      expect(await store.listRefs('')).toEqual([]);
      expect(await store.swapRef('metrics', expected, 'new')).toBe('2');
      expect(await store.getRef('metrics')).toEqual({ value: 'new', version: '2' });
    }
  });

  test('no model is registered over it', async () => {
    const { store, path } = await damaged(2);
    expect(await failureOf(requireUndamaged(store, 'metrics'))).toBe(
      `CorruptArtifact: ${damage(path)}`,
    );
  });
});

test('files of other programs among the refs are passed over', async () => {
  const store = await temporaryStore();
  await swapTimes(store, 'runs/one', 2);
  for (const folder of ['refs', 'refs/runs', 'refs/runs/one/~']) {
    await writeFile(join(rootOf(store), folder, '.DS_Store'), 'x');
  }
  expect((await store.getRef('runs/one'))?.version).toBe('2');
  expect(await store.listRefs('')).toEqual(['runs/one']);
});

test('a writer that slept until its generation was pruned has lost', async () => {
  const store = await temporaryStore();
  const version = await store.swapRef('counter', undefined, 0);
  const sleeper = pauseNext('link', 'before');
  const swap = store.swapRef('counter', version, 'stale');
  await sleeper.isPaused;
  await swapTimes(store, 'counter', 40);
  sleeper.resume();
  expect(await swap).toBeUndefined();
  expect(await readdir(join(rootOf(store), 'refs', 'counter', '~'))).toContain('2');
  expect((await store.getRef('counter'))?.value).toBe(40);
  await swapTimes(store, 'counter', 1);
  expect(await readdir(join(rootOf(store), 'refs', 'counter', '~'))).not.toContain('2');
});

test('a writer that won, and slept until others had gone on from its value, has won', async () => {
  const store = await temporaryStore();
  const version = await store.swapRef('counter', undefined, 0);
  const sleeper = pauseNext('link', 'after');
  const swap = store.swapRef('counter', version, 10);
  await sleeper.isPaused;
  expect((await store.getRef('counter'))?.value).toBe(10);
  await swapTimes(store, 'counter', 40);
  sleeper.resume();
  expect(await swap).toBe('2');
  expect((await store.getRef('counter'))?.value).toBe(40);
});

test('a reader that slept until its generation was pruned takes no stale one for it', async () => {
  const store = await temporaryStore();
  await store.swapRef('counter', undefined, 0);
  const sleeper = pauseNext('open', 'before');
  const read = store.getRef('counter');
  await sleeper.isPaused;
  await swapTimes(store, 'counter', 40);
  await writeFile(join(rootOf(store), 'refs', 'counter', '~', '1'), '{"value":"stale"}');
  sleeper.resume();
  expect(await read).toEqual({ value: 40, version: '41' });
});

test('a deletion is not undone by a writer that slept through it', async () => {
  const store = await temporaryStore();
  const version = await store.swapRef('lease', undefined, 'a');
  const sleeper = pauseNext('link', 'before');
  const swap = store.swapRef('lease', version, 'stale');
  await sleeper.isPaused;
  await store.deleteRef('lease');
  sleeper.resume();
  expect(await swap).toBeUndefined();
  expect(await store.getRef('lease')).toBeUndefined();
});

// A small disk of its own: a tmpfs in a mount namespace that ends with the process.
const PRIVATE_MOUNTS = ['unshare', '--mount', '--map-root-user'];
const canMount =
  spawnSync('env', [...PRIVATE_MOUNTS, 'mount', '-t', 'tmpfs', 'tmpfs', tmpdir()]).status === 0;

const WRITE = '"$NODE" --import tsx "$SCRIPT" "file:$ROOT"';
const NO_SPACE =
  'DiskFull: no space left for the store ROOT (ENOSPC): free some space on that disk or quota, ' +
  'or set RETUNE_STORE to a folder on a larger one\n';

test.skipIf(!canMount).each([
  [
    'a put is DiskFull, and a smaller one succeeds',
    `mount -t tmpfs -o size=256k tmpfs "$ROOT" && ${WRITE} put 300000; ${WRITE} put 1000`,
    `${NO_SPACE}sha256:DIGEST\n`,
  ],
  [
    'putting a file is DiskFull, and a smaller one succeeds',
    'mount -t tmpfs -o size=256k tmpfs "$ROOT" && head -c 300000 /dev/zero > "$ROOT/../source"; ' +
      `${WRITE} put-file "$ROOT/../source"; ${WRITE} put-file "$SCRIPT"`,
    `${NO_SPACE}sha256:DIGEST\n`,
  ],
  [
    'swapping a ref is DiskFull, and the ref keeps its value',
    `mount -t tmpfs -o size=256k tmpfs "$ROOT" && ${WRITE} increment counter 2; ` +
      `dd if=/dev/zero of="$ROOT/filler" 2> /dev/null; ${WRITE} increment counter 1; ` +
      `rm "$ROOT/filler"; ${WRITE} increment counter 1`,
    `1\n2\n${NO_SPACE}3\n`,
  ],
  [
    'opening a store that cannot be written says so',
    `mount -t tmpfs -o ro tmpfs "$ROOT" && ${WRITE} put 1000`,
    'InvalidInput: the store ROOT cannot be written (EROFS): give this user write permission to ' +
      'it, or set RETUNE_STORE to another folder\n',
  ],
])(
  'on a disk without room, %s',
  async (_, script, expected) => {
    const root = join(await temporaryFolder(), 'store');
    await mkdir(root);
    const leftovers = 'find "$ROOT/tmp" -type f 2> /dev/null';
    const output = await shell(`${script}; ${leftovers} || true`, root, PRIVATE_MOUNTS);
    expect(output.replaceAll(root, 'ROOT').replace(/[0-9a-f]{64}/, 'DIGEST')).toBe(expected);
  },
  60_000,
);

test('over the file-size limit, a put is DiskFull and leaves nothing', async () => {
  const root = join(await temporaryFolder(), 'store');
  const script = 'ulimit -f 64 && "$NODE" --import tsx "$SCRIPT" "file:$ROOT" put 300000';
  expect(await shell(script, root)).toBe(
    `DiskFull: a file is too large for the store ${root} (EFBIG): raise the file-size limit ` +
      '(ulimit -f), or set RETUNE_STORE to a folder on another file system\n',
  );
  expect(await readdir(join(root, 'tmp'))).toEqual([]);
  expect(await readdir(join(root, 'blobs', 'sha256'))).toEqual([]);
}, 60_000);

/** Output of a shell script that finds this Node, the writing process and a store's folder. */
async function shell(script: string, root: string, within: string[] = []): Promise<string> {
  const environment = { ...process.env, NODE: process.execPath, SCRIPT: STORE_PROCESS, ROOT: root };
  const { stdout } = await promisify(execFile)('env', [...within, 'sh', '-c', script], {
    env: environment,
  });
  return stdout;
}

/** Swaps a ref so many times; its last value is that number. */
async function swapTimes(store: Store, name: string, times: number): Promise<void> {
  for (let count = 1; count <= times; count += 1) {
    const version = (await store.getRef(name))?.version;
    expect(await store.swapRef(name, version, count)).toBeDefined();
  }
}

/** Holds the next such system call of this process up, just before or just after it happens. */
function pauseNext(
  call: 'link' | 'open',
  when: 'before' | 'after',
): { isPaused: Promise<unknown>; resume: () => void } {
  type Call = (...operands: readonly unknown[]) => Promise<unknown>;
  const calls = fsPromises as unknown as Record<'link' | 'open', Call>;
  const events = new EventEmitter();
  const paused = once(events, 'paused');
  const resumed = once(events, 'resumed');
  const replace = (replacement: Call): void => {
    calls[call] = replacement;
    syncBuiltinESMExports();
  };
  const original = calls[call];
  onTestFinished(() => replace(original));
  replace(async (...operands) => {
    replace(original);
    const early = when === 'after' ? original(...operands) : undefined;
    await early;
    events.emit('paused');
    await resumed;
    return early ?? original(...operands);
  });
  return { isPaused: paused, resume: () => events.emit('resumed') };
}
