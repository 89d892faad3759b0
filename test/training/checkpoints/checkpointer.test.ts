import { expect, onTestFinished, test } from 'vitest';
import { readManifest } from '../../../store/artifacts.ts';
import type { ArtifactFile, ArtifactManifest, Store } from '../../../store/store.ts';
import {
  CHECKPOINT_TYPE,
  listCheckpoints,
} from '../../../training/checkpoints/checkpoint-store.ts';
import {
  Checkpointer,
  type CheckpointEvent,
  type CheckpointOptions,
} from '../../../training/checkpoints/checkpointer.ts';
import { failureOf, STORE_DRIVERS, temporaryStore } from '../../store/stores.ts';
import { OPTIMIZERS } from '../optimizers/filled-state.ts';
import { PLATFORM, SmallState } from './small-state.ts';

function smallState(name?: string): SmallState {
  const small = new SmallState(name);
  onTestFinished(() => small.close());
  return small;
}

/** Checkpoints of a state, one at each step unless `options` say otherwise. */
function openCheckpointer(
  store: Store,
  small: SmallState,
  options: Partial<CheckpointOptions> = {},
): { checkpointer: Checkpointer; events: CheckpointEvent[] } {
  const events: CheckpointEvent[] = [];
  const checkpointer = new Checkpointer(
    { store, key: 'key', everySeconds: 1000, everySteps: 1, ...options },
    small.state,
    PLATFORM,
    (event) => events.push(event),
  );
  return { checkpointer, events };
}

/** `steps` steps with a checkpoint after each; those of `best` are the best so far. */
async function trainSteps(
  { checkpointer }: { readonly checkpointer: Checkpointer },
  small: SmallState,
  steps: number,
  best: readonly number[] = [],
): Promise<void> {
  for (let i = 0; i < steps; i++) {
    await checkpointer.copied();
    await small.step();
    await checkpointer.begin(small.progress, { isBest: best.includes(small.progress.step) });
  }
  await checkpointer.finish();
}

/** The manifests of a training's checkpoints, the newest first. */
async function manifests(store: Store): Promise<readonly ArtifactManifest[]> {
  const known = await listCheckpoints(store, 'key');
  return Promise.all(known.map(({ manifest }) => readManifest(store, manifest, CHECKPOINT_TYPE)));
}

const damages = STORE_DRIVERS[0]!.damage;

async function damageFiles(
  store: Store,
  manifest: ArtifactManifest | undefined,
  isDamaged: (file: ArtifactFile) => boolean,
  how: keyof typeof damages = 'a flipped bit',
): Promise<void> {
  const files = manifest?.files.filter(isDamaged) ?? [];
  expect(files).not.toEqual([]);
  for (const { digest } of files) await damages[how](store, digest);
}

test.each(Object.keys(OPTIMIZERS))('a state of %s comes back bit for bit', async (name) => {
  const store = await temporaryStore();
  const small = smallState(name);
  await trainSteps(openCheckpointer(store, small), small, 3);
  const again = smallState(name);
  const restored = await openCheckpointer(store, again).checkpointer.restore();
  expect(restored).toEqual({ progress: small.progress, platform: PLATFORM, best: undefined });
  expect(again.saved()).toEqual(small.saved());
});

test('what the optimizer changes after the copy is not in the checkpoint', async () => {
  const store = await temporaryStore();
  const small = smallState();
  const { checkpointer } = openCheckpointer(store, small);
  await small.step();
  await checkpointer.begin(small.progress);
  await checkpointer.copied();
  const expected = small.saved();
  await small.step();
  await checkpointer.finish();
  const again = smallState();
  const restored = await openCheckpointer(store, again).checkpointer.restore();
  expect(restored?.progress.step).toBe(1);
  expect(again.saved()).toEqual(expected);
});

test('an unchanged tensor costs no bytes', async () => {
  const store = await temporaryStore();
  const small = smallState('sgd');
  await trainSteps(openCheckpointer(store, small), small, 2);
  const [second, first] = await manifests(store);
  const digests = new Set(first?.files.map(({ digest }) => digest));
  const written = second?.files.filter(({ digest }) => !digests.has(digest));
  expect(second?.files.map(({ path, size }) => [path, size])).toEqual([
    ['parameters/0000-0000', 128 + 4 * 600 * 500],
    ['parameters/0001-0000', 128 + 4 * 530 * 500],
    ['parameters/small-0000', 128 + 4 * 501],
    ['progress.json', expect.any(Number)],
  ]);
  // All but the embedding.
  expect(written?.map(({ path }) => path)).toEqual([
    'parameters/0001-0000',
    'parameters/small-0000',
    'progress.json',
  ]);
});

test('the best stays while newer checkpoints come and go, and comes back', async () => {
  const store = await temporaryStore();
  const small = smallState();
  const checkpoints = openCheckpointer(store, small);
  await trainSteps(checkpoints, small, 2, [1, 2]);
  const best = small.saved(['parameters']);
  await trainSteps(checkpoints, small, 4);
  expect((await listCheckpoints(store, 'key')).map(({ step }) => step)).toEqual([6, 5]);
  const last = small.saved();

  const again = smallState();
  const { checkpointer } = openCheckpointer(store, again);
  expect((await checkpointer.restore())?.best?.step).toBe(2);
  expect(again.saved()).toEqual(last);
  await checkpointer.restoreBest();
  expect(again.saved(['parameters'])).toEqual(best);
  expect(again.saved(['firstMoments'])).toEqual(small.saved(['firstMoments']));

  // A new best takes its place, and the blobs of the old one go.
  const [{ files: before } = { files: [] }] = await manifests(store);
  await trainSteps(checkpoints, small, 3, [7]);
  const old = before.filter(({ path }) => path.startsWith('best/'));
  const changed = old.filter(({ path }) => !path.endsWith('0000-0000'));
  const left = await Promise.all(changed.map(({ digest }) => store.hasBlob(digest)));
  expect(left).toEqual([false, false]);
});

test('a checkpoint that is the best at the step of the last one adds no bytes', async () => {
  const store = await temporaryStore();
  const small = smallState();
  const { checkpointer } = openCheckpointer(store, small);
  await small.step();
  await checkpointer.begin(small.progress);
  await checkpointer.begin(small.progress, { isBest: true });
  await checkpointer.begin(small.progress, { isBest: true });
  await checkpointer.finish();
  const [best, plain, ...more] = await manifests(store);
  expect(more).toEqual([]);
  expect(plain?.metadata['best_step']).toBe(null);
  expect(best?.metadata['best_step']).toBe(1);
  const digests = (manifest: ArtifactManifest | undefined): unknown =>
    [...new Set(manifest?.files.map(({ digest }) => digest))].sort();
  expect(digests(best)).toEqual(digests(plain));
});

test.each([
  { what: 'a row moment', part: /^rowMoments/, how: 'a flipped bit' },
  { what: 'a parameter', part: /^parameters\/0001/, how: 'a lost end' },
  { what: 'the progress', part: /^progress/, how: 'a lost end' },
  { what: 'the best', part: /^best\/parameters\/0001/, how: 'appended bytes' },
] as const)('$what with $how: the checkpoint before it counts', async ({ part, how }) => {
  const store = await temporaryStore();
  const small = smallState('adafactor');
  const checkpoints = openCheckpointer(store, small);
  await trainSteps(checkpoints, small, 1);
  const expected = small.saved();
  // The second is the best of which the third has a copy.
  await trainSteps(checkpoints, small, 1, [2]);
  const [newest] = await manifests(store);
  await damageFiles(store, newest, ({ path }) => part.test(path), how);

  const again = smallState('adafactor');
  const { checkpointer, events } = openCheckpointer(store, again);
  expect((await checkpointer.restore())?.progress.step).toBe(1);
  expect(again.saved()).toEqual(expected);
  expect(events).toEqual([
    { kind: 'damaged', step: 2, message: expect.stringContaining('corrupt') },
  ]);
});

test('when all are damaged or of another layout, the state is as if there were none', async () => {
  const store = await temporaryStore();
  const small = smallState();
  await trainSteps(openCheckpointer(store, small), small, 2);
  const [newest] = await listCheckpoints(store, 'key');
  await store.deleteBlob(newest!.manifest);
  const other = smallState('sgd_momentum');
  const { checkpointer, events } = openCheckpointer(store, other);
  expect(await checkpointer.restore()).toBeUndefined();
  const zero = new SmallState('sgd_momentum');
  for (const tensor of zero.state.tensors) zero.state.view('parameters', tensor).fill(0);
  await zero.close();
  expect(other.saved()).toBe(zero.saved());
  expect(events).toEqual([
    { kind: 'damaged', step: 2, message: expect.stringContaining('is not in the store') },
    {
      kind: 'damaged',
      step: 1,
      message: 'it was written for another model or by another build',
    },
  ]);
  // What it publishes next takes their place.
  await trainSteps({ checkpointer }, other, 1);
  expect((await listCheckpoints(store, 'key')).map(({ step }) => step)).toEqual([1]);
});

test('a best that is damaged at the end is told, and the next attempt begins before it', async () => {
  const store = await temporaryStore();
  const small = smallState();
  const checkpoints = openCheckpointer(store, small);
  await trainSteps(checkpoints, small, 3, [2]);
  const [newest] = await manifests(store);
  const isBest = ({ path }: ArtifactFile): boolean => path === 'best/parameters/0001-0000';
  const digest = newest?.files.find(isBest)?.digest;
  await damageFiles(store, newest, isBest);
  const message = await failureOf(checkpoints.checkpointer.restoreBest());
  expect(message).toMatch(
    `CorruptArtifact: the best parameters of this training, of step 2, are damaged: blob ${digest} in the store `,
  );
  expect(message).toMatch(
    /; the next attempt goes on from an older checkpoint, or from the beginning$/,
  );
  const again = openCheckpointer(store, smallState());
  expect(await again.checkpointer.restore()).toBeUndefined();
  expect(again.events.map((event) => event.step)).toEqual([3, 2]);
});
