import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { ArtifactFile, BlobDigest, Store } from '../../../store/store.ts';
import {
  announceBlob,
  CHECKPOINT_TYPE,
  listCheckpoints,
  pruneCheckpoints,
  publishCheckpoint,
  sweepUnfinished,
} from '../../../training/checkpoints/checkpoint-store.ts';
import { temporaryFolder, temporaryStore } from '../../store/stores.ts';

/** Stores a file as a checkpointer does: its digest is known before it is there. */
async function putSegment(store: Store, key: string, text: string): Promise<ArtifactFile> {
  const path = join(await temporaryFolder(), 'segment');
  await writeFile(path, text);
  let announced: BlobDigest | undefined;
  const blob = await store.putFile(path, async (digest) => {
    announced = digest;
    await announceBlob(store, key, digest);
  });
  expect(announced).toBe(blob.digest);
  return { path: text, ...blob };
}

async function publish(
  store: Store,
  step: number,
  files: readonly ArtifactFile[],
  saveTotalLimit = 2,
): Promise<void> {
  const manifest = { type: CHECKPOINT_TYPE, metadata: { step }, files };
  await publishCheckpoint(store, 'key', { step, manifest, saveTotalLimit, rejected: new Set() });
}

async function present(store: Store, files: readonly ArtifactFile[]): Promise<readonly string[]> {
  const found = await Promise.all(files.map(({ digest }) => store.hasBlob(digest)));
  return files.filter((_, index) => found[index]).map(({ path }) => path);
}

test('what a killed writer left goes once it is old, but nothing that is shared', async () => {
  const store = await temporaryStore();
  const frozen = await putSegment(store, 'key', 'frozen');
  const first = await putSegment(store, 'key', 'first');
  await publish(store, 1, [frozen, first]);
  // The next shares a segment that did not change, and is never published.
  const half = [await putSegment(store, 'key', 'frozen'), await putSegment(store, 'key', 'half')];

  await sweepUnfinished(store, 'key');
  expect(await present(store, [frozen, first, ...half])).toHaveLength(4);
  await sweepUnfinished(store, 'key', 0);
  expect(await present(store, [frozen, first, ...half])).toEqual(['frozen', 'first', 'frozen']);
  expect((await listCheckpoints(store, 'key')).map(({ step }) => step)).toEqual([1]);

  const second = await putSegment(store, 'key', 'second');
  await publish(store, 2, [frozen, second]);
  await sweepUnfinished(store, 'key', 0);
  expect(await present(store, [frozen, first, second])).toEqual(['frozen', 'first', 'second']);
});

test('with the last checkpoint goes what was never published', async () => {
  const store = await temporaryStore();
  const files = [await putSegment(store, 'key', 'first'), await putSegment(store, 'key', 'half')];
  await publish(store, 1, files.slice(0, 1));
  await pruneCheckpoints(store, 'key');
  expect(await present(store, files)).toEqual([]);
  expect(await store.getRef('checkpoints/key')).toBeUndefined();
});

test.each([1, 2, 3])('of six checkpoints the newest %i are kept', async (saveTotalLimit) => {
  const store = await temporaryStore();
  const files: ArtifactFile[] = [];
  for (const step of [1, 2, 3, 4, 5, 6]) {
    files.push(await putSegment(store, 'key', `step ${step}`));
    await publish(store, step, files.slice(-1), saveTotalLimit);
  }
  const kept = [6, 5, 4].slice(0, saveTotalLimit);
  expect((await listCheckpoints(store, 'key')).map(({ step }) => step)).toEqual(kept);
  expect(await present(store, files)).toEqual(kept.toReversed().map((step) => `step ${step}`));
});
