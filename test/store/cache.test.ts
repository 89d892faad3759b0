import { writeFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import type { JsonObject } from '../../plan/json.ts';
import { putArtifact, readManifest } from '../../store/artifacts.ts';
import { invalidate, lookUp, producerOf, publish } from '../../store/cache.ts';
import type { StepResult } from '../../store/cache.ts';
import { lineage } from '../../store/lineage.ts';
import type { ArtifactDigest, Store } from '../../store/store.ts';
import { blobPath, failureOf, temporaryStore } from './stores.ts';

function resultOf(fingerprint: string, inputs: JsonObject, outputs: JsonObject): StepResult {
  return { fingerprint, kind: 'train', inputs, outputs, createdAt: 1_700_000_000_000 };
}

function artifactOf(store: Store, type: string, text: string): Promise<ArtifactDigest> {
  return putArtifact(store, { type, metadata: {}, files: { 'a.txt': Buffer.from(text) } });
}

test('a published result is a hit, with every artifact in it', async () => {
  const store = await temporaryStore();
  expect(await lookUp(store, 'f1')).toEqual({
    hit: false,
    reason: 'no result with this fingerprint yet',
    isDamaged: false,
  });
  const base = await artifactOf(store, 'model', 'base');
  const tuned = await artifactOf(store, 'model', 'tuned');
  const unrelated = `sha256:${'9'.repeat(64)}`;
  const result = resultOf(
    'f1',
    { model: base, args: { seed: 42, note: unrelated } },
    { model: tuned, results: [{ model: base }], note: unrelated, text: `see ${base}` },
  );
  const entry = {
    ...result,
    inputArtifacts: { model: base },
    outputArtifacts: { model: tuned, 'results.0.model': base },
  };
  expect(await publish(store, result)).toEqual({ entry, isFirst: true });
  expect(await lookUp(store, 'f1')).toEqual({ hit: true, entry });
  expect(await producerOf(store, tuned)).toEqual(entry);
});

test('the first of two results of one fingerprint stands', async () => {
  const store = await temporaryStore();
  const [a, b] = [await artifactOf(store, 'model', 'a'), await artifactOf(store, 'model', 'b')];
  const first = await publish(store, resultOf('f1', {}, { model: a }));
  const second = await publish(store, resultOf('f1', {}, { model: b }));
  expect(second).toEqual({ entry: first.entry, isFirst: false });
});

test('a result that is not kept is replaced by the next one', async () => {
  const store = await temporaryStore();
  const [a, b] = [await artifactOf(store, 'model', 'a'), await artifactOf(store, 'model', 'b')];
  const first = await publish(store, resultOf('f1', {}, { model: a }));
  const second = await publish(store, resultOf('f1', {}, { model: b }), (before) => {
    expect(before).toEqual(first.entry);
    return false;
  });
  expect(second).toMatchObject({ entry: { outputs: { model: b } }, isFirst: true });
  expect(await lookUp(store, 'f1')).toEqual({ hit: true, entry: second.entry });
});

test('of many that publish at once, all get the same result', async () => {
  const store = await temporaryStore();
  const published = await Promise.all(
    Array.from({ length: 12 }, (_, index) => publish(store, resultOf('f1', {}, { index }))),
  );
  expect(published.filter(({ isFirst }) => isFirst)).toHaveLength(1);
  expect(new Set(published.map(({ entry }) => entry.outputs.index)).size).toBe(1);
});

test.each([
  ['manifest', (digest: string) => `artifact ${digest} is no longer in the store`],
  ['file', (digest: string) => `file a.txt of artifact ${digest} is no longer in the store`],
] as const)(
  'a result without its %s is a miss, and the next one replaces it',
  async (part, why) => {
    const store = await temporaryStore();
    const model = await artifactOf(store, 'model', 'tuned');
    await publish(store, resultOf('f1', {}, { model }));
    const lost = part === 'file' ? (await readManifest(store, model)).files[0]!.digest : model;
    await store.deleteBlob(lost);
    expect(await lookUp(store, 'f1')).toEqual({
      hit: false,
      reason: `its output model is incomplete: ${why(model)}`,
      isDamaged: true,
    });

    const again = await artifactOf(store, 'model', 'tuned again');
    const { isFirst } = await publish(store, resultOf('f1', {}, { model: again }));
    expect(isFirst).toBe(true);
    const found = await lookUp(store, 'f1');
    expect(found.hit && found.entry.outputs).toEqual({ model: again });
  },
);

test('a result whose artifact was collected, listing and all, is a miss', async () => {
  const store = await temporaryStore();
  const model = await artifactOf(store, 'model', 'tuned');
  await publish(store, resultOf('f1', {}, { model }));
  await store.deleteRef(model.replace('sha256:', 'artifacts/'));
  await store.deleteBlob(model);
  expect((await lookUp(store, 'f1')).hit).toBe(false);
});

test('a corrupt manifest is a miss; a corrupt file is one as soon as somebody read it', async () => {
  const store = await temporaryStore();
  const model = await artifactOf(store, 'model', 'tuned');
  const file = (await readManifest(store, model)).files[0]!.digest;
  await publish(store, resultOf('f1', {}, { model }));

  await store.deleteBlob(file);
  await writeFile(blobPath(store, file), 'turned');
  expect((await lookUp(store, 'f1')).hit).toBe(true);
  expect(await failureOf(store.getFile(file))).toMatch(/^CorruptArtifact: /);
  expect((await lookUp(store, 'f1')).hit).toBe(false);

  await artifactOf(store, 'model', 'tuned');
  expect((await lookUp(store, 'f1')).hit).toBe(true);
  await store.deleteBlob(model);
  await writeFile(blobPath(store, model), '{}');
  expect(await lookUp(store, 'f1')).toEqual({
    hit: false,
    reason: `its output model is incomplete: the manifest of artifact ${model} was corrupt`,
    isDamaged: true,
  });
});

test('a record of another shape is no result, and the next one replaces it', async () => {
  const store = await temporaryStore();
  await store.swapRef('cache/f1', undefined, { x: 1 });
  expect(await lookUp(store, 'f1')).toEqual({
    hit: false,
    reason: 'its record in the store is damaged',
    isDamaged: true,
  });
  expect((await publish(store, resultOf('f1', {}, { rows: 3 }))).isFirst).toBe(true);
  expect((await lookUp(store, 'f1')).hit).toBe(true);
});

test('an invalidated result is a miss', async () => {
  const store = await temporaryStore();
  await publish(store, resultOf('f1', {}, { rows: 3 }));
  await invalidate(store, 'f1');
  expect((await lookUp(store, 'f1')).hit).toBe(false);
  expect((await publish(store, resultOf('f1', {}, { rows: 3 }))).isFirst).toBe(true);
});

test('lineage goes from a model back to the sources, which come last', async () => {
  const store = await temporaryStore();
  const [data, rows, base, tuned] = await Promise.all([
    artifactOf(store, 'dataset', 'data'),
    artifactOf(store, 'dataset', 'rows'),
    artifactOf(store, 'model', 'base'),
    artifactOf(store, 'model', 'tuned'),
  ]);
  const upstream = { url: 'hf://datasets/x/y', commit: 'c0ffee' };
  await publish(store, {
    ...resultOf('f-data', { source: 'hf://datasets/x/y' }, { dataset: data }),
    kind: 'download-dataset',
    upstream,
  });
  // A later revision with the same bytes, and a check that passes its input on.
  await publish(store, {
    ...resultOf('f-data-later', { source: 'hf://datasets/x/y' }, { dataset: data }),
    upstream: { ...upstream, commit: 'decade' },
  });
  await publish(store, resultOf('f-check', { dataset: data }, { dataset: data, counts: {} }));
  await publish(store, {
    ...resultOf('f-rows', { dataset: data, take: 10 }, { dataset: rows }),
    kind: 'subset',
  });
  await publish(store, resultOf('f-tune', { model: base, train_dataset: rows }, { model: tuned }));

  expect(await lineage(store, tuned)).toEqual([
    {
      artifact: tuned,
      type: 'model',
      kind: 'train',
      fingerprint: 'f-tune',
      inputs: { model: base, train_dataset: rows },
      upstream: null,
    },
    {
      artifact: rows,
      type: 'dataset',
      kind: 'subset',
      fingerprint: 'f-rows',
      inputs: { dataset: data },
      upstream: null,
    },
    {
      artifact: data,
      type: 'dataset',
      kind: 'download-dataset',
      fingerprint: 'f-data',
      inputs: {},
      upstream,
    },
    { artifact: base, type: 'model', kind: null, fingerprint: null, inputs: {}, upstream: null },
  ]);
});

test('what two steps read appears once, after both', async () => {
  const store = await temporaryStore();
  const names = ['root', 'left', 'right', 'leaf'];
  const [root, left, right, leaf] = await Promise.all(
    names.map((name) => artifactOf(store, 'dataset', name)),
  );
  await publish(store, resultOf('f-left', { from: root! }, { dataset: left! }));
  await publish(store, resultOf('f-right', { from: left!, also: root! }, { dataset: right! }));
  await publish(store, resultOf('f-leaf', { a: left!, b: right! }, { dataset: leaf! }));
  const order = (await lineage(store, leaf!)).map((node) => node.artifact);
  expect(order).toEqual([leaf, right, left, root]);
});

test('a producer whose result was taken back gives way to the next', async () => {
  const store = await temporaryStore();
  const data = await artifactOf(store, 'dataset', 'data');
  await publish(store, resultOf('f1', {}, { dataset: data }));
  await invalidate(store, 'f1');
  expect(await producerOf(store, data)).toBeUndefined();
  await publish(store, resultOf('f2', {}, { dataset: data }));
  expect((await producerOf(store, data))?.fingerprint).toBe('f2');
});
