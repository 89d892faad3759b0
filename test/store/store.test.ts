import { execFile, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, test } from 'vitest';
import { openStore } from '../../store/open.ts';
import type { Store } from '../../store/store.ts';
import { failureOf, STORE_DRIVERS, temporaryFolder } from './stores.ts';
import type { Damage } from './stores.ts';

const STORE_PROCESS = fileURLToPath(new URL('store-process.ts', import.meta.url));
const ABSENT = `sha256:${'0'.repeat(64)}` as const;

function digestOf(bytes: Uint8Array): `sha256:${string}` {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}

function processArguments(store: Store, ...operands: string[]): string[] {
  return ['--import', 'tsx', STORE_PROCESS, store.url, ...operands];
}

describe.each(STORE_DRIVERS)('blobs of the $name store', ({ open, damage }) => {
  test.each([
    ['no bytes', Buffer.alloc(0)],
    ['text', Buffer.from('a fine day')],
    ['several chunks', Buffer.alloc(2_500_000, 'retune')],
  ])('%s come back as they were put, as bytes or as a file', async (_, bytes) => {
    const store = await open();
    const source = join(await temporaryFolder(), 'source');
    await writeFile(source, bytes);

    const expected = { digest: digestOf(bytes), size: bytes.byteLength };
    expect(await store.hasBlob(expected.digest)).toBe(false);
    expect(await store.putFile(source)).toEqual(expected);
    expect(await store.putBlob(bytes)).toEqual(expected);
    expect(await store.hasBlob(expected.digest)).toBe(true);
    expect(bytes.equals(await store.getBlob(expected.digest))).toBe(true);
    expect(bytes.equals(await readFile(await store.getFile(expected.digest)))).toBe(true);
    expect(bytes.equals(await readFile(source))).toBe(true);
  });

  test('a blob is there for whoever opens the store again, until it is deleted', async () => {
    const store = await open();
    const { digest } = await store.putBlob(Buffer.from('a fine day'));
    const again = await openStore(store.url);
    expect(Buffer.from(await again.getBlob(digest)).toString()).toBe('a fine day');
    await again.deleteBlob(digest);
    await again.deleteBlob(digest);
    expect(await store.hasBlob(digest)).toBe(false);
  });

  test.each(['getBlob', 'getFile'] as const)('%s of an absent blob is NotFound', async (read) => {
    const store = await open();
    const root = store.url.replace('file:', '');
    expect(await failureOf(store[read](ABSENT))).toBe(
      `NotFound: blob ${ABSENT} is not in the store ${root}: check RETUNE_STORE, or submit the ` +
        'pipeline that made it again, which computes what is missing',
    );
  });

  test.each(
    (['a flipped bit', 'a lost end', 'appended bytes'] satisfies Damage[]).flatMap((kind) => [
      [kind, 'getBlob'] as const,
      [kind, 'getFile'] as const,
    ]),
  )('%s is found by %s, quarantined, and mended by a new put', async (kind, read) => {
    const store = await open();
    const bytes = Buffer.from('a fine day');
    const { digest } = await store.putBlob(bytes);
    await damage[kind](store, digest);

    const root = store.url.replace('file:', '');
    expect(await failureOf(store[read](digest))).toMatch(
      new RegExp(
        `^CorruptArtifact: blob ${digest} in the store ${root} is corrupt: its bytes have the ` +
          `digest sha256:[0-9a-f]{64}; it was moved to ${root}/quarantine; submit or resume the ` +
          'run, which computes it again, and check the disk$',
      ),
    );
    expect(await store.hasBlob(digest)).toBe(false);
    expect(await failureOf(store[read](digest))).toMatch(/^NotFound: /);
    await store.putBlob(bytes);
    expect(bytes.equals(await store.getBlob(digest))).toBe(true);
  });

  test('a put mends a blob of the wrong size that nobody has read yet', async () => {
    const store = await open();
    const bytes = Buffer.from('a fine day');
    const { digest } = await store.putBlob(bytes);
    await damage['a lost end'](store, digest);
    await store.putBlob(bytes);
    expect(bytes.equals(await store.getBlob(digest))).toBe(true);
  });

  test('putFile of a missing file is NotFound', async () => {
    const store = await open();
    const source = join(await temporaryFolder(), 'missing.txt');
    expect(await failureOf(store.putFile(source))).toBe(
      `NotFound: ${source} is to go into the store, but there is no such file`,
    );
  });

  test.each(['../../etc/passwd', 'sha256:12', `md5:${'0'.repeat(64)}`, ''])(
    '%j is no digest',
    async (text) => {
      const store = await open();
      const expected =
        `InvalidInput: ${JSON.stringify(text)} is not a digest: ` +
        'expected sha256: and 64 hexadecimal digits';
      const digest = text as `sha256:${string}`;
      for (const read of ['getBlob', 'getFile', 'hasBlob', 'deleteBlob'] as const) {
        expect(await failureOf(store[read](digest))).toBe(expected);
      }
    },
  );
});

describe.each(STORE_DRIVERS)('refs of the $name store', ({ open }) => {
  test('a swap needs the version that it replaces', async () => {
    const store = await open();
    expect(await store.getRef('models/tweets')).toBeUndefined();
    expect(await store.swapRef('models/tweets', '1', 'x')).toBeUndefined();

    const first = await store.swapRef('models/tweets', undefined, { champion: 1 });
    expect(await store.getRef('models/tweets')).toEqual({ value: { champion: 1 }, version: first });
    expect(await store.swapRef('models/tweets', undefined, 'x')).toBeUndefined();

    const second = await store.swapRef('models/tweets', first, { champion: 2 });
    expect(second).not.toBe(first);
    expect(await store.swapRef('models/tweets', first, 'x')).toBeUndefined();
    expect(await store.getRef('models/tweets')).toEqual({
      value: { champion: 2 },
      version: second,
    });
  });

  test('a swap from a deleted value fails, and a ref can be made anew', async () => {
    const store = await open();
    const first = await store.swapRef('lease', undefined, 'a');
    await store.deleteRef('lease');
    await store.deleteRef('lease');
    await store.deleteRef('never made');
    expect(await store.getRef('lease')).toBeUndefined();
    expect(await store.swapRef('lease', first, 'resurrected')).toBeUndefined();

    const second = await store.swapRef('lease', undefined, 'b');
    expect(second).not.toBe(first);
    expect(await store.swapRef('lease', first, 'resurrected')).toBeUndefined();
    expect(await store.getRef('lease')).toEqual({ value: 'b', version: second });
  });

  test('null, false and an empty object are values', async () => {
    const store = await open();
    for (const value of [null, false, {}]) {
      const ref = `value/${JSON.stringify(value)}`;
      const version = await store.swapRef(ref, undefined, value);
      expect(await store.getRef(ref)).toEqual({ value, version });
    }
  });

  test('refs are listed by folder, at any depth, without deleted ones', async () => {
    const store = await open();
    const names = [
      'runs/b',
      'runs/a',
      'runs/a/1',
      'runs/a/1/x',
      'runsolo',
      'models/m',
      'runs/gone',
    ];
    for (const name of names) await store.swapRef(name, undefined, name);
    await store.deleteRef('runs/gone');

    expect(await store.listRefs('')).toEqual([
      'models/m',
      'runs/a',
      'runs/a/1',
      'runs/a/1/x',
      'runs/b',
      'runsolo',
    ]);
    expect(await store.listRefs('runs')).toEqual(['runs/a', 'runs/a/1', 'runs/a/1/x', 'runs/b']);
    expect(await store.listRefs('runs/a')).toEqual(['runs/a/1', 'runs/a/1/x']);
    expect(await store.listRefs('nothing')).toEqual([]);
  });

  test('any text makes a name of its own, and none leaves the store', async () => {
    const store = await open();
    const names = [
      '../../outside',
      './x',
      '.../x',
      '~/1',
      'a~/b',
      'tune (learning_rate=5e-5, seed=1)',
      'tune%20(learning_rate=5e-5, seed=1)',
      'é/日本/🙂',
      'x'.repeat(200),
      `${'x'.repeat(200)}y`,
      `${'x'.repeat(200)}/y`,
      `long/${'🙂'.repeat(300)}/end`,
      '*',
      'con\u0000trol\n',
    ];
    for (const name of names) expect(await store.swapRef(name, undefined, name)).toBeDefined();
    for (const name of names) expect((await store.getRef(name))?.value).toBe(name);
    expect(await store.listRefs('')).toEqual([...names].sort());
    expect(await store.listRefs(names.at(-3)!.replace('/end', ''))).toEqual([names.at(-3)]);
    await expect(stat(join(store.url.replace('file:', ''), '..', 'outside'))).rejects.toThrow(
      'ENOENT',
    );
  });

  test.each(['', '/a', 'a/', 'a//b', 'a/\ud800'])('%j is no name', async (name) => {
    const store = await open();
    expect(await failureOf(store.getRef(name))).toBe(
      `InvalidInput: ${JSON.stringify(name)} cannot name a ref: ` +
        'expected text, with single slashes between its parts',
    );
  });

  test('of many writers in one process, none loses an update or counts it twice', async () => {
    const store = await open();
    const writers = 12;
    const updates = 5;
    const seen: number[] = [];
    const increment = async (): Promise<void> => {
      for (let count = 0; count < updates;) {
        const current = await store.getRef('counter');
        const next = Number(current?.value ?? 0) + 1;
        if ((await store.swapRef('counter', current?.version, next)) === undefined) continue;
        seen.push(next);
        count += 1;
      }
    };
    await Promise.all(Array.from({ length: writers }, increment));
    const expected = Array.from({ length: writers * updates }, (_, index) => index + 1);
    expect(seen.sort((a, b) => a - b)).toEqual(expected);
    expect((await store.getRef('counter'))?.value).toBe(writers * updates);
  });

  test('of several processes, none loses an update or counts it twice', async () => {
    const store = await open();
    const outputs = await Promise.all(
      Array.from({ length: 4 }, () =>
        promisify(execFile)(
          process.execPath,
          processArguments(store, 'increment', 'counter', '200'),
        ),
      ),
    );
    const seen = outputs.flatMap(({ stdout }) => stdout.trim().split('\n').map(Number));
    expect(seen.sort((a, b) => a - b)).toEqual(Array.from({ length: 800 }, (_, i) => i + 1));
    expect((await store.getRef('counter'))?.value).toBe(800);
  }, 60_000);

  test('killed writers leave refs that can be read and written, with no answered update lost', async () => {
    const store = await open();
    const answered = await Promise.all(
      [1, 7, 20, 45].map((lines) => killAfter(store, lines, 'increment', 'counter', '1000000')),
    );
    const highest = Math.max(...answered.flat().map(Number));
    const current = await store.getRef('counter');
    expect(Number(current?.value)).toBeGreaterThanOrEqual(highest);
    expect(await store.swapRef('counter', current?.version, 'after')).toBeDefined();
    expect((await store.getRef('counter'))?.value).toBe('after');
  }, 60_000);

  test('killed writers leave whole blobs or none', async () => {
    const store = await open();
    const answered = await Promise.all(
      [1, 2, 3, 5].map((lines) => killAfter(store, lines, 'put-many', '3000000')),
    );
    const digests = answered.flat() as `sha256:${string}`[];
    expect(digests.length).toBeGreaterThanOrEqual(11);
    for (const digest of digests) {
      expect((await store.getBlob(digest)).byteLength).toBe(3_000_000);
    }
  }, 60_000);
});

/** Runs a process that writes, kills it after so many lines, and gives all the lines it wrote. */
async function killAfter(store: Store, lines: number, ...operands: string[]): Promise<string[]> {
  const child = spawn(process.execPath, processArguments(store, ...operands), {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const written: string[] = [];
  for await (const line of createInterface({ input: child.stdout })) {
    written.push(line);
    if (written.length === lines) child.kill('SIGKILL');
  }
  expect(written.length).toBeGreaterThanOrEqual(lines);
  return written;
}
