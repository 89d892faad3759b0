import { expect, onTestFinished, test } from 'vitest';
import type { Store } from '../../../store/store.ts';
import {
  listCheckpoints,
  pruneCheckpoints,
} from '../../../training/checkpoints/checkpoint-store.ts';
import { Checkpointer } from '../../../training/checkpoints/checkpointer.ts';
import { UnsavedCheckpoints } from '../../../training/checkpoints/unsaved-checkpoints.ts';
import { temporaryStore } from '../../store/stores.ts';
import { PLATFORM, SmallState } from './small-state.ts';

/** A store whose blobs wait at a gate that is shut. */
function gated(store: Store): { store: Store; shut(): void; open(): void } {
  let gate: Promise<void> = Promise.resolve();
  let open = (): void => {};
  return {
    shut: () => {
      gate = new Promise((resolve) => (open = resolve));
    },
    open: () => open(),
    store: {
      url: store.url,
      putBlob: async (bytes, announce) => {
        await gate;
        return store.putBlob(bytes, announce);
      },
      putFile: (path, announce) => store.putFile(path, announce),
      getBlob: (digest) => store.getBlob(digest),
      getFile: (digest) => store.getFile(digest),
      hasBlob: (digest) => store.hasBlob(digest),
      deleteBlob: (digest) => store.deleteBlob(digest),
      getRef: (name) => store.getRef(name),
      swapRef: (name, expected, value) => store.swapRef(name, expected, value),
      deleteRef: (name) => store.deleteRef(name),
      listRefs: (prefix) => store.listRefs(prefix),
    },
  };
}

interface Slow {
  readonly small: SmallState;
  readonly checkpointer: Checkpointer;
  readonly store: Store;
  readonly published: number[];
  /** One step, then a checkpoint that begins while the one before is at the gate. */
  stepAndBegin(isBest?: boolean): Promise<void>;
  /** Lets the last checkpoint pass. */
  open(): void;
}

async function slowTraining(): Promise<Slow> {
  const store = await temporaryStore();
  const slow = gated(store);
  const small = new SmallState('sgd');
  onTestFinished(() => small.close());
  const published: number[] = [];
  const options = { store: slow.store, key: 'key', everySeconds: 1000 };
  const checkpointer = new Checkpointer(options, small.state, PLATFORM, (event) =>
    published.push(event.step),
  );
  const stepAndBegin = async (isBest = false): Promise<void> => {
    await checkpointer.copied();
    await small.step();
    const begun = checkpointer.begin(small.progress, { isBest });
    slow.open();
    await begun;
    slow.shut();
  };
  slow.shut();
  return { small, checkpointer, store, published, stepAndBegin, open: slow.open };
}

test('a checkpoint under way makes way for the next, but not two in a row', async () => {
  const { checkpointer, store, published, stepAndBegin, open } = await slowTraining();
  for (let step = 1; step <= 4; step++) await stepAndBegin();
  open();
  await checkpointer.finish();
  // The second took the first's place, so the third waited for it.
  expect(published).toEqual([2, 4]);
  expect((await listCheckpoints(store, 'key')).map(({ step }) => step)).toEqual([4, 2]);
  await pruneCheckpoints(store, 'key');
  expect(await store.listRefs('')).toEqual([]);
});

test('the best never makes way', async () => {
  const { small, checkpointer, published, stepAndBegin, open } = await slowTraining();
  await stepAndBegin(true);
  const best = small.saved();
  await stepAndBegin();
  await stepAndBegin();
  open();
  await checkpointer.restoreBest();
  expect(published).toEqual([1, 3]);
  expect(small.saved()).toBe(best);
});

test('the best of a training without a store comes back too', async () => {
  const small = new SmallState('sgd');
  const checkpoints = new UnsavedCheckpoints(small.state);
  await expect(checkpoints.restoreBest()).rejects.toThrow('internal: no checkpoint was the best');
  await checkpoints.begin(small.progress, { isBest: true });
  await checkpoints.copied();
  const best = small.saved();
  await small.step();
  await checkpoints.begin(small.progress);
  expect(checkpoints.isDue()).toBe(false);
  await small.step();
  await small.close();
  await checkpoints.finish();
  await checkpoints.restoreBest();
  expect(small.saved()).toBe(best);
});
