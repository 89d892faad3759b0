import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'vitest';
import {
  putTokenizedDataset,
  readTokenizedDatasetInfo,
  readTokenizedSplit,
  tokenizedSplitFile,
  writeTokenizedSplit,
} from '../../data/tokenized-dataset.ts';
import type { TokenizedRow } from '../../data/tokenized-dataset.ts';
import { storeTest } from './temporary-store.ts';

/** Rows of 1 to 7 tokens, in more than one record batch. */
const ROWS: readonly TokenizedRow[] = Array.from({ length: 5_000 }, (_, row) => ({
  id: `é-${row}`,
  inputIds: Int32Array.from({ length: 1 + (row % 7) }, (_, token) => row * 10 + token),
  label: row % 3,
  values: null,
  completionMask: null,
}));
const LABELLED = { label: true, valuesPerRow: 0, completionMask: false };

storeTest('reads tokens back as flat arrays', async ({ store, folder }) => {
  const rows = await writeTokenizedSplit(join(folder, 'train.arrow'), [ROWS], LABELLED);
  const info = {
    splits: { train: rows },
    labels: ['a', 'b', 'c'],
    label_kind: 'class' as const,
    chat_template: null,
    pad_token: '<pad>',
    pad_token_id: 0,
    max_length: 7,
    tokenizer: `sha256:${'0'.repeat(64)}` as const,
    tokens: ROWS.reduce((sum, row) => sum + row.inputIds.length, 0),
    truncated: 0,
  };
  const digest = await putTokenizedDataset(store, info, { directory: folder });
  const read = await readTokenizedSplit(await tokenizedSplitFile(store, digest));

  expect(await readTokenizedDatasetInfo(store, digest)).toEqual(info);
  expect(read.ids).toEqual(ROWS.map((row) => row.id));
  expect(read.labels).toEqual(Int32Array.from(ROWS, (row) => row.label as number));
  expect(read.inputIds.length).toBe(info.tokens);
  expect(
    ROWS.map((_, row) => read.inputIds.slice(read.offsets[row], read.offsets[row + 1])),
  ).toEqual(ROWS.map((row) => row.inputIds));
});

storeTest('writes the same bytes however the rows arrive', async ({ folder }) => {
  const digests = [];
  for (const groups of [[ROWS], ROWS.map((row) => [row])]) {
    const path = join(folder, 'train.arrow');
    await writeTokenizedSplit(path, groups, LABELLED);
    digests.push(
      createHash('sha256')
        .update(await readFile(path))
        .digest('hex'),
    );
  }
  expect(digests).toEqual(
    Array(2).fill('2fa55c900257beee19add7c7f12622b377999c58399197544684097c46f877d5'),
  );
});

storeTest('reads values and masks back, of several record batches', async ({ folder }) => {
  const path = join(folder, 'train.arrow');
  const rows = ROWS.map((row, index): TokenizedRow => ({
    ...row,
    label: null,
    values: Float32Array.of(index / 7, -index),
    completionMask: Uint8Array.from(row.inputIds, (token) => token % 2),
  }));
  await writeTokenizedSplit(path, [rows], { label: false, valuesPerRow: 2, completionMask: true });
  const read = await readTokenizedSplit(path);

  expect(read.labels).toBeNull();
  expect(read.valuesPerRow).toBe(2);
  expect(read.values).toEqual(Float32Array.from(rows.flatMap(({ values }) => [...values!])));
  expect(read.completionMask).toEqual(Uint8Array.from(read.inputIds, (token) => token % 2));
});

storeTest('has no labels without labels, and ids exactly as they were', async ({ folder }) => {
  const path = join(folder, 'train.arrow');
  const inputIds = Int32Array.of(5, 6);
  const row = { id: '\uFEFFa', inputIds, label: null, values: null, completionMask: null };
  await writeTokenizedSplit(path, [[row]], { ...LABELLED, label: false });

  expect(await readTokenizedSplit(path)).toEqual({
    ids: ['\uFEFFa'],
    inputIds,
    offsets: Int32Array.of(0, 2),
    labels: null,
    values: null,
    valuesPerRow: 0,
    completionMask: null,
  });
});
