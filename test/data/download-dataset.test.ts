import { existsSync } from 'node:fs';
import { copyFile, mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, onTestFinished } from 'vitest';
import { readSplit } from '../../data/dataset.ts';
import { downloadDataset } from '../../data/download-dataset.ts';
import type { DatasetOptions, DownloadProgress } from '../../data/download-dataset.ts';
import { resolveSource } from '../../data/sources/sources.ts';
import type { Environment } from '../../data/sources/source.ts';
import type { Store } from '../../store/store.ts';
import { startFileServer } from '../servers/file-server.ts';
import { startHubServer } from '../servers/hub-server.ts';
import { SHARED, sharedTest } from './shared-data.ts';
import { storeTest } from './temporary-store.ts';

const COLUMNS = { content: { text: 'text' }, label: 'label' };
const CSV = 'text,label\ngood,positive\nbad,negative\n';

async function download(
  places: { folder: string; store: Store },
  source: string,
  dataset: DatasetOptions,
  env: Environment,
  onProgress?: (progress: DownloadProgress) => void,
): ReturnType<typeof downloadDataset> {
  const directory = join(places.folder, 'work');
  await mkdir(directory);
  const resolved = await resolveSource(source, 'dataset', { env });
  return downloadDataset(places.store, resolved, dataset, {
    env,
    directory,
    ...(onProgress ? { onProgress } : {}),
  });
}

storeTest('downloads one file of this machine', async ({ store, folder }) => {
  await writeFile(join(folder, 'tweets.csv'), CSV);
  const env = { RETUNE_DATA_ROOT: folder };
  const progress: DownloadProgress[] = [];
  const result = await download({ store, folder }, 'file:tweets.csv', COLUMNS, env, (seen) =>
    progress.push(seen),
  );
  const split = await readSplit(store, result.dataset);

  expect(result).toEqual({
    dataset: result.dataset,
    rows: 2,
    rowsWithoutText: [],
    splits: { train: 2 },
    labels: ['negative', 'positive'],
    revision: (await resolveSource('file:tweets.csv', 'dataset', { env })).revision,
  });
  expect([...split.rows()]).toEqual([
    { id: 'train-0', text: 'good', label: 1 },
    { id: 'train-1', text: 'bad', label: 0 },
  ]);
  expect(progress).toEqual([
    { phase: 'fetch', file: 'file:tweets.csv', receivedBytes: CSV.length, totalBytes: CSV.length },
    { phase: 'read', rows: 2 },
  ]);
});

storeTest('gives equal data an equal digest, wherever it comes from', async ({ store, folder }) => {
  const server = await startFileServer();
  onTestFinished(() => server.close());
  server.on('/tweets.csv', (_, response) => response.end(CSV));
  const hub = await startHubServer([
    { type: 'dataset', name: 'acme/tweets', files: { 'tweets.csv': CSV } },
  ]);
  onTestFinished(() => hub.close());
  await writeFile(join(folder, 'tweets.csv'), CSV);
  const env = { RETUNE_DATA_ROOT: folder, HF_ENDPOINT: hub.url };

  const digests = new Set<string>();
  for (const source of [
    'file:tweets.csv',
    `${server.url}/tweets.csv`,
    'hf://datasets/acme/tweets',
  ]) {
    const work = join(folder, String(digests.size) + source.slice(0, 2));
    await mkdir(work);
    digests.add((await download({ store, folder: work }, source, COLUMNS, env)).dataset);
  }
  expect(digests.size).toBe(1);
});

storeTest(
  'takes for data a file that is the source, whatever it is called',
  async ({ store, folder }) => {
    const server = await startFileServer();
    onTestFinished(() => server.close());
    server.on('/LICENSE', (_, response) => response.end(CSV));
    const hub = await startHubServer([
      { type: 'dataset', name: 'acme/tweets', files: { LICENSE: CSV, 'a/LICENSE': CSV } },
    ]);
    onTestFinished(() => hub.close());
    await mkdir(join(folder, 'a'));
    await writeFile(join(folder, 'a/LICENSE'), CSV);
    const env = { RETUNE_DATA_ROOT: folder, HF_ENDPOINT: hub.url };

    const files = [
      'file:a/LICENSE',
      `${server.url}/LICENSE`,
      'hf://datasets/acme/tweets/a/LICENSE',
    ];
    for (const [index, source] of files.entries()) {
      const work = { store, folder: join(folder, `file-${index}`) };
      await mkdir(work.folder);
      const result = await download(work, source, { ...COLUMNS, format: 'csv' }, env);
      expect(result.splits).toEqual({ train: 2 });
    }
    for (const [index, source] of ['file:a', 'hf://datasets/acme/tweets/a'].entries()) {
      const work = { store, folder: join(folder, `folder-${index}`) };
      await mkdir(work.folder);
      await expect(
        download(work, source, { ...COLUMNS, format: 'csv' }, env),
      ).rejects.toMatchObject({
        type: 'InvalidInput',
        message: `"${source}" holds no csv file, only "LICENSE"`,
      });
    }
  },
);

storeTest('downloads only what the card of a repository names', async ({ store, folder }) => {
  const parquet = await readFile(
    fileURLToPath(new URL('../fixtures/data/tables/tweets.parquet', import.meta.url)),
  );
  const card = `---
configs:
- config_name: default
  data_files: [{ split: train, path: en/*.parquet }, { split: test, path: test.csv }]
---`;
  const files = {
    'README.md': card,
    'en/a.parquet': parquet,
    'en/b.parquet': parquet,
    'fr/a.parquet': parquet,
    'test.csv': 'text,label\nx,2\n',
  };
  const hub = await startHubServer([
    { type: 'dataset', name: 'acme/tweets', files, lfs: ['en/a.parquet'] },
  ]);
  onTestFinished(() => hub.close());
  const env = { HF_ENDPOINT: hub.url };
  const options = { ...COLUMNS, labels: ['a', 'b', 'c'] };
  const result = await download({ store, folder }, 'hf://datasets/acme/tweets', options, env);

  expect(result).toMatchObject({
    rows: 9,
    splits: { train: 8, test: 1 },
    labels: ['a', 'b', 'c'],
    revision: hub.head('acme/tweets'),
  });
  expect(hub.requests.filter(({ url }) => url.includes('fr/'))).toEqual([]);
});

const CARDS: readonly (readonly [what: string, card: string, splits: Record<string, number>])[] = [
  ['the folder', '{ config_name: en, data_dir: en }', { test: 1, train: 2 }],
  [
    'the folder and files',
    "{ config_name: en, data_dir: en, data_files: [{ split: all, path: '**' }] }",
    { all: 3 },
  ],
  ['the separator', "{ config_name: fr, data_dir: fr, sep: ';' }", { train: 2 }],
];

storeTest.for(CARDS)('reads %s that a card names', async ([, card, splits], { store, folder }) => {
  const files = {
    'README.md': `---\nconfigs: [${card}]\n---`,
    'de/train.csv': CSV,
    'en/README.md': '# English',
    'en/train.csv': CSV,
    'en/test.csv': 'text,label\nbad,negative\n',
    'fr/a.csv': CSV.replaceAll(',', ';'),
  };
  for (const [name, content] of Object.entries(files)) {
    await mkdir(dirname(join(folder, 'set', name)), { recursive: true });
    await writeFile(join(folder, 'set', name), content);
  }
  const env = { RETUNE_DATA_ROOT: folder };
  const result = await download({ store, folder }, 'file:set', COLUMNS, env);

  expect(result).toMatchObject({ splits, labels: ['negative', 'positive'] });
});

storeTest('leaves nothing in the store when a row is bad', async ({ store, folder }) => {
  await writeFile(join(folder, 'train.csv'), CSV);
  await writeFile(join(folder, 'test.csv'), 'text,label\n,positive\n');
  const splits = { train: 'train.csv', test: 'test.csv' };
  await expect(
    download({ store, folder }, 'file:.', { ...COLUMNS, splits }, { RETUNE_DATA_ROOT: folder }),
  ).rejects.toMatchObject({
    type: 'InvalidInput',
    message:
      'file:./test.csv: no row of the split "test" has a text (column "text"): name the column of the text',
  });
  expect(await store.listRefs('artifacts')).toEqual([]);
  expect(existsSync(join(folder, 'work/fetched/train.csv'))).toBe(true);
});

sharedTest('data/tweets.jsonl')(
  'reads real tweets with the names of their classes',
  async ({ store, folder }) => {
    await copyFile(join(SHARED, 'data/tweets.jsonl'), join(folder, 'tweets.jsonl'));
    const options = { ...COLUMNS, id: 'id' };
    const env = { RETUNE_DATA_ROOT: folder };
    const result = await download({ store, folder }, 'file:tweets.jsonl', options, env);
    const split = await readSplit(store, result.dataset);
    const lines = (await readFile(join(SHARED, 'data/tweets.jsonl'), 'utf8')).trim().split('\n');

    expect(result).toMatchObject({ rows: 2_000, labels: ['negative', 'neutral', 'positive'] });
    expect([...split.rows()]).toEqual(
      lines.map((line) => {
        const { id, text, label } = JSON.parse(line) as Record<string, unknown>;
        return { id, text, label };
      }),
    );
  },
);

sharedTest('data/vader-tweets.tsv')('reads real tab-separated text', async ({ store, folder }) => {
  const tsv = await readFile(join(SHARED, 'data/vader-tweets.tsv'), 'utf8');
  await writeFile(join(folder, 'vader.tsv'), tsv);
  const options = { content: { text: 'text' }, id: 'id' };
  const result = await download({ store, folder }, 'file:vader.tsv', options, {
    RETUNE_DATA_ROOT: folder,
  });
  const split = await readSplit(store, result.dataset);

  // No field of this file is quoted, so its lines are its fields.
  expect([...split.rows()]).toEqual(
    tsv
      .trim()
      .split(/\r?\n/)
      .slice(1)
      .map((line) => line.split('\t'))
      .map(([id, , text]) => ({ id, text, label: null })),
  );
});
