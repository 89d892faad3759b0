import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Failure } from '../../../plan/failures.ts';
import { openStore } from '../../../store/open.ts';
import type { Store } from '../../../store/store.ts';
import {
  listCheckpoints,
  pruneCheckpoints,
} from '../../../training/checkpoints/checkpoint-store.ts';
import type { TrainingEvent } from '../../../training/training-event.ts';
import { train, type TrainInput, type TrainResult } from '../../../training/train.ts';
import { modelDigests, smallTraining, temporaryFolder, withoutSpeed } from './small-training.ts';

let folder = '';
let store: Store;
let input: TrainInput;
let whole: TrainResult;
let expected: Record<string, string>;

beforeAll(async () => {
  folder = await temporaryFolder();
  store = await openStore(`file:${join(folder, 'store')}`);
  input = await smallTraining(folder);
  whole = await train(input);
  expected = await modelDigests(whole);
});
afterAll(() => rm(folder, { recursive: true }));

const reason = new Failure('ShuttingDown', 'the worker is shutting down');

/** Trains with checkpoints, stopping after the step `stopAt` if it is given. */
async function attempt(
  key: string,
  options: { stopAt?: number; everySteps?: number; threads?: number } = {},
): Promise<{ result: TrainResult | undefined; events: TrainingEvent[] }> {
  const { stopAt, everySteps = 1000, threads = 1 } = options;
  const controller = new AbortController();
  const events: TrainingEvent[] = [];
  const onEvent = (event: TrainingEvent): void => {
    events.push(event);
    if (event.kind === 'step' && event.step === stopAt) controller.abort(reason);
  };
  const checkpoints = { store, key, everySeconds: 1000, everySteps };
  try {
    const signal = controller.signal;
    const result = await train({ ...input, checkpoints, signal, threads, onEvent });
    return { result, events };
  } catch (error) {
    expect(error).toBe(reason);
    return { result: undefined, events };
  }
}

const stepsOf = (events: readonly TrainingEvent[]): number[] =>
  events.flatMap((event) => (event.kind === 'step' ? [event.step] : []));

test('a training stopped after any step and resumed gives the same model and history', async () => {
  // 21 steps; 7 and 14 end an epoch, before their evaluation; the last stop is the end itself.
  const stops = [1, 2, 6, 7, 8, 13, 14, 20, 21];
  for (const stopAt of stops) {
    const { result, events } = await attempt('stops', { stopAt });
    expect({ stopAt, result }).toEqual({ stopAt, result: undefined });
    expect(stepsOf(events).at(-1)).toBe(stopAt);
    const [newest] = await listCheckpoints(store, 'stops');
    expect(newest?.step).toBe(stopAt);
  }
  const { result, events } = await attempt('stops');
  expect(stepsOf(events)).toEqual([]);
  expect(result?.resumedFromStep).toBe(21);
  expect(await modelDigests(result!)).toEqual(expected);
  expect(withoutSpeed(result!)).toEqual(withoutSpeed(whole));
  expect(result?.metrics).toEqual(whole.metrics);
  expect(result?.exact).toBe(true);
});

test('a training in parts is that of one piece, and evaluates where a part ends', async () => {
  // 7, 14 and 21 end an epoch, where the schedule evaluates; 5 is in the middle of one.
  const ends: number[] = [];
  for (const stopAtStep of [5, 7, 12]) {
    const outputDirectory = await mkdtemp(join(folder, 'part-'));
    const checkpoints = { store, key: 'parts', everySeconds: 1000, notAfter: stopAtStep };
    const part = await train({ ...input, outputDirectory, checkpoints, stopAtStep });
    expect([part.steps, part.resumedFromStep]).toEqual([stopAtStep, ends.at(-1) ?? 0]);
    expect((await listCheckpoints(store, 'parts'))[0]?.step).toBe(stopAtStep);
    const { eval_loss: loss } = part.metrics;
    expect(part.history.at(-1)).toMatchObject({ step: stopAtStep, eval_loss: loss });
    ends.push(stopAtStep);
  }
  const { result, events } = await attempt('parts');
  expect(stepsOf(events)[0]).toBe(13);
  expect(await modelDigests(result!)).toEqual(expected);
  expect(withoutSpeed(result!)).toEqual(withoutSpeed(whole));
  expect(result?.metrics).toEqual(whole.metrics);
});

test('a part does not go on from a checkpoint behind its own end', async () => {
  await attempt('behind', { stopAt: 12, everySteps: 3 });
  const checkpoints = { store, key: 'behind', everySeconds: 1000, notAfter: 11 };
  const { resumedFromStep, steps } = await train({ ...input, checkpoints, stopAtStep: 11 });
  // Of those kept, 12 and 10, the older is before the end.
  expect([resumedFromStep, steps]).toEqual([10, 11]);
});

test('a part that ends early for good leaves what the next one ends with at once', async () => {
  const stopping = { ...input, earlyStopping: { patience: 1, threshold: 100 } };
  const checkpoints = { store, key: 'early', everySeconds: 1000 };
  // The second evaluation, at step 14, is not better by 100.
  const part = await train({ ...stopping, checkpoints, stopAtStep: 18 });
  expect(part.steps).toBe(14);
  const rest = await train({ ...stopping, checkpoints });
  expect([rest.resumedFromStep, rest.steps]).toEqual([14, 14]);
  const alone = await train(stopping);
  expect(await modelDigests(rest)).toEqual(await modelDigests(alone));
});

test.each([2, 3, 4])(
  'the model is the same on %i threads, also when that changes',
  async (threads) => {
    const key = `threads-${threads}`;
    await attempt(key, { stopAt: 5, threads: 1 });
    const { result } = await attempt(key, { threads });
    expect(result?.resumedFromStep).toBe(5);
    expect(await modelDigests(result!)).toEqual(expected);
    const fresh = await train({ ...input, threads });
    expect(await modelDigests(fresh)).toEqual(expected);
  },
);

test('checkpoints are taken at every epoch end and every so many steps; two are kept', async () => {
  const { events } = await attempt('kept', { everySteps: 5 });
  const steps = events.flatMap((event) => (event.kind === 'checkpoint' ? [event.step] : []));
  expect(steps).toEqual([5, 7, 12, 14, 19]);
  const kept = await listCheckpoints(store, 'kept');
  expect(kept.map(({ step }) => step)).toEqual([19, 14]);
});

test('a damaged checkpoint is passed over for the one before, then for the beginning', async () => {
  await attempt('damaged', { stopAt: 16, everySteps: 4 });
  const [newest, older] = await listCheckpoints(store, 'damaged');
  await store.deleteBlob(newest!.manifest);
  const second = await attempt('damaged', { stopAt: 17 });
  expect(second.events[0]).toMatchObject({
    kind: 'note',
    message: expect.stringContaining(
      'the checkpoint of step 16 is damaged, an older one is tried: blob ',
    ) as string,
  });
  expect(second.events[1]).toEqual({
    kind: 'started',
    resumedFromStep: older!.step,
    totalSteps: 21,
  });
  for (const { manifest } of await listCheckpoints(store, 'damaged')) {
    await store.deleteBlob(manifest);
  }
  const { result, events } = await attempt('damaged');
  expect(events.find((event) => event.kind === 'started')).toMatchObject({ resumedFromStep: 0 });
  expect(await modelDigests(result!)).toEqual(expected);
});

test("pruning a training's checkpoints deletes all it wrote, and nothing of another's", async () => {
  const blobs = async (key: string): Promise<string[]> => {
    const found: string[] = [];
    for (const { manifest } of await listCheckpoints(store, key)) {
      const json = JSON.parse(Buffer.from(await store.getBlob(manifest)).toString()) as {
        files: { digest: string }[];
      };
      found.push(manifest, ...json.files.map((file) => file.digest));
    }
    return found;
  };
  await attempt('pruned', { stopAt: 3 });
  await attempt('other', { stopAt: 3 });
  const mine = await blobs('pruned');
  const others = await blobs('other');
  await pruneCheckpoints(store, 'pruned');
  const exist = (digests: readonly string[]): Promise<boolean[]> =>
    Promise.all(digests.map((digest) => store.hasBlob(digest as `sha256:${string}`)));
  expect(new Set(await exist(mine))).toEqual(new Set([false]));
  expect(new Set(await exist(others))).toEqual(new Set([true]));
  expect(await listCheckpoints(store, 'pruned')).toEqual([]);
});

test('a store that is gone fails the training, and says so', async () => {
  const root = join(folder, 'gone');
  const gone = await openStore(`file:${root}`);
  await rm(root, { recursive: true });
  const checkpoints = { store: gone, key: 'gone', everySeconds: 1000 };
  await expect(train({ ...input, checkpoints })).rejects.toThrow(
    `the store ${root} is gone (ENOENT): bring its folder back, or set RETUNE_STORE to another and start all workers again`,
  );
});
