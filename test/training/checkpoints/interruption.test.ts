import { cp, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { readManifest } from '../../../store/artifacts.ts';
import { openStore } from '../../../store/open.ts';
import type { Store } from '../../../store/store.ts';
import {
  listCheckpoints,
  pruneCheckpoints,
  sweepUnfinished,
} from '../../../training/checkpoints/checkpoint-store.ts';
import { Checkpointer } from '../../../training/checkpoints/checkpointer.ts';
import { rootOf, temporaryFolder, temporaryStore } from '../../store/stores.ts';
import { PLATFORM, SmallState } from './small-state.ts';

const SMALL_SPECS = [
  { name: 'weight', shape: [5, 6], isDecayed: true },
  { name: 'bias', shape: [6], isDecayed: false },
];

/** The store as a process sees it that is killed before its `limit`-th write: no write returns. */
function killedAt(store: Store, limit: number): { store: Store; killed: Promise<void> } {
  let writes = 0;
  let kill = (): void => {};
  const killed = new Promise<void>((resolve) => (kill = resolve));
  const write = async <T>(act: () => Promise<T>): Promise<T> => {
    writes += 1;
    if (writes < limit) return act();
    kill();
    return new Promise<T>(() => {});
  };
  return {
    killed,
    store: {
      url: store.url,
      // The announcement is a write of its own, before that of the blob.
      putBlob: (bytes, announce) =>
        store.putBlob(bytes, async (digest) => {
          await announce?.(digest);
          await write(async () => undefined);
        }),
      putFile: (path, announce) => store.putFile(path, announce),
      getBlob: (digest) => store.getBlob(digest),
      getFile: (digest) => store.getFile(digest),
      hasBlob: (digest) => store.hasBlob(digest),
      deleteBlob: (digest) => write(() => store.deleteBlob(digest)),
      getRef: (name) => store.getRef(name),
      swapRef: (name, expected, value) => write(() => store.swapRef(name, expected, value)),
      deleteRef: (name) => write(() => store.deleteRef(name)),
      listRefs: (prefix) => store.listRefs(prefix),
    },
  };
}

/** Step with a checkpoint; the second is the best. */
async function stepAndSave(checkpointer: Checkpointer, small: SmallState): Promise<void> {
  await small.step();
  await checkpointer.begin(small.progress, { isBest: small.progress.step === 2 });
  await checkpointer.finish();
}

function open(store: Store, small: SmallState): Checkpointer {
  const options = { store, key: 'key', everySeconds: 1000, everySteps: 1 };
  return new Checkpointer(options, small.state, PLATFORM, () => undefined);
}

async function blobs(store: Store): Promise<readonly string[]> {
  const root = join(rootOf(store), 'blobs', 'sha256');
  const parts = await readdir(root).catch(() => []);
  const names = await Promise.all(parts.map((part) => readdir(join(root, part))));
  return names.flat().map((hex) => `sha256:${hex}`);
}

/** Blobs of the checkpoints that are kept. */
async function referred(store: Store): Promise<ReadonlySet<string>> {
  const known = await listCheckpoints(store, 'key');
  const manifests = await Promise.all(known.map(({ manifest }) => readManifest(store, manifest)));
  return new Set([
    ...known.map(({ manifest }) => manifest),
    ...manifests.flatMap(({ files }) => files.map(({ digest }) => digest)),
  ]);
}

test('killed before any write of a checkpoint, a training goes on and nothing is left over', async () => {
  const small = new SmallState('adafactor', SMALL_SPECS);
  const template = await temporaryStore();
  const checkpointer = open(template, small);
  for (let step = 1; step <= 3; step++) await stepAndSave(checkpointer, small);
  const digests = [small.saved()];
  for (let step = 4; step <= 5; step++) {
    await small.step();
    digests.push(small.saved());
  }
  await small.close();

  const outcomes = new Set<number>();
  for (let limit = 1, isKilled = true; isKilled; limit++) {
    const folder = join(await temporaryFolder(), 'store');
    await cp(rootOf(template), folder, { recursive: true });
    const store = await openStore(`file:${folder}`);
    const dying = killedAt(store, limit);
    const first = new SmallState('adafactor', SMALL_SPECS);
    const dyingCheckpointer = open(dying.store, first);
    Object.assign(first.progress, (await dyingCheckpointer.restore())?.progress);
    const ended = stepAndSave(dyingCheckpointer, first).then(() => false);
    isKilled = await Promise.race([ended, dying.killed.then(() => true)]);
    await first.close();

    const second = new SmallState('adafactor', SMALL_SPECS);
    const resumed = open(store, second);
    const restored = await resumed.restore();
    const step = restored?.progress.step ?? 0;
    outcomes.add(step);
    expect({ limit, best: restored?.best?.step }).toEqual({ limit, best: 2 });
    expect(second.saved()).toBe(digests[step - 3]);
    Object.assign(second.progress, restored?.progress);
    for (let next = step; next < 5; next++) await stepAndSave(resumed, second);
    await second.close();
    expect(second.saved()).toBe(digests[2]);

    await sweepUnfinished(store, 'key', 0);
    const kept = await referred(store);
    expect((await blobs(store)).filter((blob) => !kept.has(blob))).toEqual([]);
    await pruneCheckpoints(store, 'key');
    expect(await blobs(store)).toEqual([]);
  }
  // Both before and after the swap that publishes it.
  expect(outcomes).toEqual(new Set([3, 4]));
});

test('killed before any write of its pruning, a training leaves what the next pruning deletes', async () => {
  const small = new SmallState('adafactor', SMALL_SPECS);
  const template = await temporaryStore();
  const checkpointer = open(template, small);
  for (let step = 1; step <= 3; step++) await stepAndSave(checkpointer, small);
  await small.close();
  for (let limit = 1, isKilled = true; isKilled; limit++) {
    const folder = join(await temporaryFolder(), 'store');
    await cp(rootOf(template), folder, { recursive: true });
    const store = await openStore(`file:${folder}`);
    const dying = killedAt(store, limit);
    const ended = pruneCheckpoints(dying.store, 'key').then(() => false);
    isKilled = await Promise.race([ended, dying.killed.then(() => true)]);
    await pruneCheckpoints(store, 'key');
    expect({ limit, left: await blobs(store) }).toEqual({ limit, left: [] });
    expect(await store.listRefs('')).toEqual([]);
  }
});
