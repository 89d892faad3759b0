import { mkdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'vitest';
import { fetchSource, listSource, resolveSource } from '../../data/sources/sources.ts';
import type { FetchProgress } from '../../data/sources/source.ts';
import { storeTest } from './temporary-store.ts';

/** A data root with a file, a folder of files, and links that lead in and out of it. */
const rootTest = storeTest.extend<{ root: string; target: string }>({
  root: async ({ folder }, use) => {
    const root = join(folder, 'root');
    await mkdir(join(root, 'set/deep'), { recursive: true });
    await mkdir(join(root, 'out'));
    await writeFile(join(folder, 'secret.csv'), 'text\nsecret\n');
    await writeFile(join(root, 'tweets.csv'), 'text\na\n');
    await writeFile(join(root, 'set/train.csv'), 'text\nb\n');
    await writeFile(join(root, 'set/deep/test.csv'), 'text\nc\n');
    await writeFile(join(root, 'set/.hidden'), 'x');
    await symlink('../tweets.csv', join(root, 'set/linked.csv'));
    await symlink('..', join(root, 'set/deep/up'));
    await symlink('../../secret.csv', join(root, 'out/linked.csv'));
    await use(root);
  },
  target: async ({ folder }, use) => {
    await mkdir(join(folder, 'target'));
    await use(join(folder, 'target'));
  },
});

rootTest('fetches a file, with a revision that follows its content', async ({ root, target }) => {
  const env = { RETUNE_DATA_ROOT: root };
  const resolved = await resolveSource('file:tweets.csv', 'dataset', { env });
  const progress: FetchProgress[] = [];
  const options = { env, directory: target, onProgress: (p: FetchProgress) => progress.push(p) };
  const files = await fetchSource(resolved, 'dataset', options);

  expect(files).toEqual([
    {
      name: 'tweets.csv',
      display: 'file:tweets.csv',
      isSource: true,
      path: join(target, 'tweets.csv'),
      size: 7,
    },
  ]);
  expect(await readFile(join(target, 'tweets.csv'), 'utf8')).toBe('text\na\n');
  expect(progress).toEqual([{ file: 'file:tweets.csv', receivedBytes: 7, totalBytes: 7 }]);

  await writeFile(join(root, 'tweets.csv'), 'text\nz\n');
  const changed = await resolveSource('file:tweets.csv', 'dataset', { env });
  expect(changed.revision).toMatch(/^sha256:[0-9a-f]{64}$/);
  expect(changed.revision).not.toBe(resolved.revision);
});

rootTest('fetches a folder without what is hidden', async ({ root, target }) => {
  const env = { RETUNE_DATA_ROOT: root };
  const resolved = await resolveSource('file:set/', 'dataset', { env });
  const listed = await listSource(resolved, 'dataset', { env });
  const files = await fetchSource(resolved, 'dataset', {
    env,
    directory: target,
    files: ['deep/test.csv', 'linked.csv'],
  });

  expect(listed.map((file) => [file.name, file.display])).toEqual([
    ['deep/test.csv', 'file:set/deep/test.csv'],
    ['linked.csv', 'file:set/linked.csv'],
    ['train.csv', 'file:set/train.csv'],
  ]);
  expect(files.map((file) => file.path)).toEqual([
    join(target, 'deep/test.csv'),
    join(target, 'linked.csv'),
  ]);
  expect(await readFile(join(target, 'linked.csv'), 'utf8')).toBe('text\na\n');
});

rootTest('refuses a file that changed after it was looked up', async ({ root, target }) => {
  const env = { RETUNE_DATA_ROOT: root };
  const resolved = await resolveSource('file:set', 'dataset', { env });
  await writeFile(join(root, 'set/train.csv'), 'text\nchanged\n');
  const now = await resolveSource('file:set', 'dataset', { env });

  const fetching = fetchSource(resolved, 'dataset', { env, directory: target });
  await expect(fetching).rejects.toMatchObject({
    type: 'SourceUnavailable',
    message:
      `"file:set" changed since it was looked up, from ${resolved.revision} to ${now.revision}: ` +
      'run again when nothing writes to it',
  });
});

const OUTSIDE = ['file:../secret.csv', 'file:set/../../secret.csv', 'file:/etc/passwd', 'file:out'];

rootTest.for(OUTSIDE)('refuses %s, which leads outside the root', async (source, { root }) => {
  await expect(
    resolveSource(source, 'dataset', { env: { RETUNE_DATA_ROOT: root } }),
  ).rejects.toMatchObject({
    type: 'InvalidInput',
    message:
      `"${source}" leads outside the data root ${root}: move the data below it, or start the ` +
      'worker with RETUNE_DATA_ROOT set to a folder that holds both',
  });
});

rootTest('takes absolute paths below the root, and the scheme in any case', async ({ root }) => {
  const env = { RETUNE_DATA_ROOT: root };
  const relative = await resolveSource('file:tweets.csv', 'dataset', { env });
  for (const source of [
    `file:${root}/tweets.csv`,
    `file://${root}/tweets.csv`,
    'FILE:tweets.csv',
  ]) {
    const { revision } = await resolveSource(source, 'dataset', { env });
    expect(revision).toBe(relative.revision);
  }
});

const REFUSED: readonly (readonly [string, string, (root: string) => string])[] = [
  [
    'file:tweet.csv',
    'NotFound',
    (root) =>
      `"file:tweet.csv" does not exist below the data root ${root}; did you mean "file:tweets.csv"?`,
  ],
  [
    'file:set/nothing/at-all.csv',
    'NotFound',
    (root) =>
      `"file:set/nothing/at-all.csv" does not exist below the data root ${root}: ` +
      'put it there, or start the worker with RETUNE_DATA_ROOT set to the folder it is in',
  ],
  ['file:', 'InvalidInput', () => '"file:" has no path: write file:PATH, as file:data.csv'],
  [
    'tweets.csv',
    'InvalidInput',
    () =>
      'cannot read from "tweets.csv": it has no scheme: write file:tweets.csv for a path; ' +
      'expected file:PATH, https://URL or hf://datasets/OWNER/NAME',
  ],
  [
    's3://bucket/key.csv',
    'InvalidInput',
    () =>
      'cannot read from "s3://bucket/key.csv": s3:// sources are not built yet; expected ' +
      'file:PATH, https://URL or hf://datasets/OWNER/NAME',
  ],
  [
    'ftp://host/key.csv',
    'InvalidInput',
    () =>
      'cannot read from "ftp://host/key.csv": expected file:PATH, https://URL or ' +
      'hf://datasets/OWNER/NAME',
  ],
];

rootTest.for(REFUSED)('refuses %s', async ([source, type, message], { root }) => {
  await expect(
    resolveSource(source, 'dataset', { env: { RETUNE_DATA_ROOT: root } }),
  ).rejects.toMatchObject({ type, message: message(root) });
});

rootTest('says that the root is missing, or a link is broken', async ({ root }) => {
  const env = { RETUNE_DATA_ROOT: join(root, 'none') };
  await expect(resolveSource('file:x', 'dataset', { env })).rejects.toMatchObject({
    type: 'InvalidInput',
    message:
      `the data root ${root}/none does not exist: set RETUNE_DATA_ROOT to the folder that file: ` +
      'sources are relative to',
  });
  await rm(join(root, 'tweets.csv'));
  await expect(
    resolveSource('file:set', 'dataset', { env: { RETUNE_DATA_ROOT: root } }),
  ).rejects.toMatchObject({
    type: 'InvalidInput',
    message:
      '"file:set/linked.csv" is a link to nothing, or was removed just now: mend or remove it',
  });
});
