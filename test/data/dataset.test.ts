import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { expect } from 'vitest';
import { readDatasetInfo, readSplit, writeDataset } from '../../data/dataset.ts';
import type { DatasetRow } from '../../data/dataset.ts';
import { artifactFile, readManifest } from '../../store/artifacts.ts';
import { storeTest } from './temporary-store.ts';

const LABELS = ['negative', 'neutral', 'positive'];

/** More rows than a record batch holds, with text of one to four bytes a character. */
const SHAPE = { content: 'text', labelKind: 'class', labels: LABELS } as const;
const ROWS: readonly DatasetRow[] = Array.from({ length: 10_000 }, (_, index) => ({
  id: `row-${index}`,
  text: ['plain', 'é\u0000"\r\n\t', '日本語', '👩‍👩‍👧 🇫🇷', ''][index % 5] + String(index),
  label: index % 3,
}));

function* groupsOf(size: number): Iterable<readonly DatasetRow[]> {
  for (let at = 0; at < ROWS.length; at += size) yield ROWS.slice(at, at + size);
}

storeTest('reads back every row exactly, whole or by index', async ({ store, folder }) => {
  const digest = await writeDataset(store, { train: [ROWS] }, SHAPE, { directory: folder });
  const split = await readSplit(store, digest);

  expect(split.name).toBe('train');
  expect(split.shape.labels).toEqual(LABELS);
  expect(split.length).toBe(ROWS.length);
  expect([...split.rows()]).toEqual(ROWS);
  expect([...split.select([9_999, 0, 4_096])]).toEqual([ROWS[9_999], ROWS[0], ROWS[4_096]]);
  expect(await readDatasetInfo(store, digest)).toEqual({
    splits: { train: 10_000 },
    ...SHAPE,
  });
});

storeTest('writes the same bytes however the rows arrive', async ({ store, folder }) => {
  const digests = new Set<string>();
  for (const size of [1, 777, 10_000]) {
    const splits = { train: groupsOf(size) };
    digests.add(await writeDataset(store, splits, SHAPE, { directory: folder }));
  }
  const [digest] = digests;
  const manifest = await readManifest(store, digest as `sha256:${string}`, 'dataset');
  const file = await artifactFile(store, manifest, 'train.arrow');

  expect(digests.size).toBe(1);
  // Changes only with the format: then every cached dataset and tokenized dataset is computed anew.
  expect(
    createHash('sha256')
      .update(await readFile(file))
      .digest('hex'),
  ).toBe('023543d8cd56b20b5f64781fc0c6149e893127929e9d70a19e43c838395ff68f');
});

storeTest('keeps a U+FEFF wherever it stands in a text or an id', async ({ store, folder }) => {
  const rows = Array.from({ length: 5_000 }, (_, row) => ({
    id: `\uFEFF${row}`,
    text: ['\uFEFFa', '\uFEFF', '\uFEFF\uFEFFb', 'c\uFEFF'][row % 4] as string,
    label: null,
  }));
  const digest = await writeDataset(
    store,
    { train: [rows] },
    { ...SHAPE, labelKind: null, labels: null },
    { directory: folder },
  );
  const split = await readSplit(store, digest);

  expect([...split.rows()]).toEqual(rows);
  expect([...split.select([4_999, 0])]).toEqual([rows[4_999], rows[0]]);
});

storeTest('has no label column without labels', async ({ store, folder }) => {
  const rows = [{ id: 'a', text: 'some text', label: null }];
  const digest = await writeDataset(
    store,
    { test: [rows] },
    { ...SHAPE, labelKind: null, labels: null },
    { directory: folder },
  );
  const split = await readSplit(store, digest, 'test');

  expect([...split.rows()]).toEqual(rows);
  expect(split.shape.labels).toBeNull();
});

storeTest('asks which split when there are several', async ({ store, folder }) => {
  const splits = { train: [ROWS], test: [ROWS] };
  const digest = await writeDataset(store, splits, SHAPE, { directory: folder });

  await expect(readSplit(store, digest)).rejects.toMatchObject({
    type: 'InvalidInput',
    message: 'the dataset has the splits "test", "train", and none was chosen: add split: test',
  });
  await expect(readSplit(store, digest, 'tran')).rejects.toMatchObject({
    type: 'InvalidInput',
    message: 'the dataset has no split "tran", only "test", "train"; did you mean "train"?',
  });
});

storeTest('refuses a split without rows or with an unfit name', async ({ store, folder }) => {
  const options = { directory: folder };
  await expect(writeDataset(store, { train: [] }, SHAPE, options)).rejects.toMatchObject({
    type: 'InvalidInput',
    message: 'the split "train" has no rows',
  });
  await expect(writeDataset(store, { '../x': [ROWS] }, SHAPE, options)).rejects.toMatchObject({
    type: 'InvalidInput',
    message: '"../x" cannot name a split: expected letters, digits and _, such as train',
  });
});

storeTest('stops with the reason of the signal', async ({ store, folder }) => {
  const controller = new AbortController();
  const reason = new Error('shutting down');
  function* groups(): Iterable<readonly DatasetRow[]> {
    yield ROWS;
    controller.abort(reason);
    yield ROWS;
  }
  const options = { directory: folder, signal: controller.signal };
  await expect(writeDataset(store, { train: groups() }, SHAPE, options)).rejects.toBe(reason);
});
