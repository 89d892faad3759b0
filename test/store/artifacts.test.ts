import { mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import {
  artifactFile,
  exportArtifact,
  listArtifacts,
  putArtifact,
  readManifest,
  resolveDigest,
  verifyArtifact,
} from '../../store/artifacts.ts';
import type { ArtifactDigest, Store } from '../../store/store.ts';
import { blobPath, failureOf, rootOf, temporaryFolder, temporaryStore } from './stores.ts';

const MODEL = {
  type: 'model',
  metadata: { parameters: 3, architecture: 'gpt2' },
  files: {
    'model.safetensors': Buffer.from('weights'),
    'config.json': Buffer.from('{}'),
    'extra/notes.txt': Buffer.from('notes'),
  },
};
/** Computed apart from this project: SHA-256 of the manifest's JSON with sorted keys. */
const MODEL_DIGEST = 'sha256:97a819620bfa5f1d8747bd98d10b9829628a90c5c88c00661f13c7353382938c';

test('equal content has one digest, whatever the order, and in any store', async () => {
  const source = join(await temporaryFolder(), 'weights');
  await writeFile(source, 'weights');
  const [store, other] = [await temporaryStore(), await temporaryStore()];

  expect(await putArtifact(store, MODEL)).toBe(MODEL_DIGEST);
  expect(await putArtifact(store, MODEL)).toBe(MODEL_DIGEST);
  const reordered = {
    files: {
      'extra/notes.txt': Buffer.from('notes'),
      'config.json': Buffer.from('{}'),
      'model.safetensors': { file: source },
    },
    metadata: { architecture: 'gpt2', parameters: 3 },
    type: 'model',
  };
  expect(await putArtifact(other, reordered)).toBe(MODEL_DIGEST);
  expect(await putArtifact(other, { ...MODEL, type: 'modal' })).not.toBe(MODEL_DIGEST);
});

test('a manifest lists its files by path, and each is at hand', async () => {
  const store = await temporaryStore();
  const manifest = await readManifest(store, await putArtifact(store, MODEL), 'model');
  expect(manifest.metadata).toEqual(MODEL.metadata);
  expect(manifest.files.map(({ path, size }) => [path, size])).toEqual([
    ['config.json', 2],
    ['extra/notes.txt', 5],
    ['model.safetensors', 7],
  ]);
  const path = await artifactFile(store, manifest, 'extra/notes.txt');
  expect(await readFile(path, 'utf8')).toBe('notes');
  expect(await failureOf(artifactFile(store, manifest, 'vocab.json'))).toBe(
    'NotFound: this model has no file "vocab.json", only config.json, extra/notes.txt, ' +
      'model.safetensors',
  );
});

test('an artifact of another type, and a blob that is no artifact, are refused', async () => {
  const store = await temporaryStore();
  const model = await putArtifact(store, MODEL);
  expect(await failureOf(readManifest(store, model, 'dataset'))).toBe(
    `InvalidInput: artifact ${model} is a model, expected a dataset: ` +
      'wire an output of type dataset here',
  );
  for (const text of ['weights', '[]', '{"type":"model","metadata":{},"files":[{"path":"x"}]}']) {
    const { digest } = await store.putBlob(Buffer.from(text));
    expect(await failureOf(readManifest(store, digest))).toBe(
      `InvalidInput: ${digest} is in the store, but is no artifact: expected a manifest with ` +
        'type, metadata and files; give the digest that a step put out',
    );
  }
});

test.each(['../outside', '/etc/passwd', 'a/../../b', 'a//b', './a', '', 'a\\b', 'a\0b'])(
  'the file path %j is refused, in a new artifact and in one from elsewhere',
  async (path) => {
    const store = await temporaryStore();
    const why =
      `has the file path ${JSON.stringify(path)}: ` +
      'expected a relative path with /, without . or .. or empty parts';
    const files = { 'a.txt': Buffer.from('a'), [path]: Buffer.from('x') };
    expect(await failureOf(putArtifact(store, { type: 'model', metadata: {}, files }))).toBe(
      `InvalidInput: a new artifact ${why}`,
    );
    expect(await readdir(join(rootOf(store), 'blobs', 'sha256'))).toEqual([]);

    const blob = await store.putBlob(Buffer.from('x'));
    const manifest = { type: 'model', metadata: {}, files: [{ path, ...blob }] };
    const { digest } = await store.putBlob(Buffer.from(JSON.stringify(manifest)));
    const target = join(await temporaryFolder(), 'target');
    expect(await failureOf(exportArtifact(store, digest, target))).toBe(
      `InvalidInput: artifact ${digest} ${why}`,
    );
    await expect(stat(target)).rejects.toThrow('ENOENT');
  },
);

test.each(['a new folder', 'an empty folder'])('an artifact is exported to %s', async (kind) => {
  const store = await temporaryStore();
  const digest = await putArtifact(store, MODEL);
  const folder = await temporaryFolder();
  const target = join(folder, 'deep', 'target');
  if (kind === 'an empty folder') await mkdir(target, { recursive: true });

  await exportArtifact(store, digest, target);
  expect((await readdir(target)).sort()).toEqual(['config.json', 'extra', 'model.safetensors']);
  expect(await readFile(join(target, 'extra', 'notes.txt'), 'utf8')).toBe('notes');
  await writeFile(join(target, 'config.json'), 'the copy is the user’s own');
  expect((await readManifest(store, digest)).files).toHaveLength(3);
  expect(await readdir(join(folder, 'deep'))).toEqual(['target']);
});

test('an export leaves what is there alone', async () => {
  const store = await temporaryStore();
  const digest = await putArtifact(store, MODEL);
  const folder = await temporaryFolder();
  await writeFile(join(folder, 'notes.txt'), 'mine');

  expect(await failureOf(exportArtifact(store, digest, folder))).toBe(
    `InvalidInput: cannot write an artifact to ${folder}: it is not empty; ` +
      'give a new or an empty folder',
  );
  const file = join(folder, 'notes.txt');
  expect(await failureOf(exportArtifact(store, digest, file))).toBe(
    `InvalidInput: cannot write an artifact to ${file}: it is a file; ` +
      'give a new or an empty folder',
  );
  expect(await readdir(folder)).toEqual(['notes.txt']);
  expect(await readFile(file, 'utf8')).toBe('mine');
});

test('an export of a corrupt artifact leaves nothing', async () => {
  const store = await temporaryStore();
  const digest = await putArtifact(store, MODEL);
  const weights = (await readManifest(store, digest)).files[2]!.digest;
  await replaceBytes(store, weights, 'wights!');
  const folder = await temporaryFolder();

  expect(await failureOf(exportArtifact(store, digest, join(folder, 'target')))).toMatch(
    new RegExp(`^CorruptArtifact: blob ${weights} `),
  );
  expect(await readdir(folder)).toEqual([]);
});

test('verifying an artifact reads all of it', async () => {
  const store = await temporaryStore();
  const digest = await putArtifact(store, MODEL);
  expect(await failureOf(verifyArtifact(store, digest))).toBe('no failure');
  const [config, notes] = (await readManifest(store, digest)).files;
  await replaceBytes(store, notes!.digest, 'nodes');
  expect(await failureOf(verifyArtifact(store, digest))).toMatch(
    new RegExp(`^CorruptArtifact: blob ${notes!.digest} `),
  );
  await store.deleteBlob(config!.digest);
  expect(await failureOf(verifyArtifact(store, digest))).toMatch(
    new RegExp(`^NotFound: blob ${config!.digest} `),
  );
});

test('an artifact is found by its digest or the beginning of it', async () => {
  const store = await temporaryStore();
  const model = await putArtifact(store, MODEL);
  const twins = ['1', '2'].map(
    (end): ArtifactDigest => `sha256:${'abcdef01'.repeat(7)}abcdef0${end}`,
  );
  for (const twin of twins) {
    await store.swapRef(twin.replace('sha256:', 'artifacts/'), undefined, { type: 'model' });
  }
  expect(await listArtifacts(store)).toEqual([model, ...twins].sort());

  const hex = model.slice('sha256:'.length);
  for (const text of [
    model,
    hex,
    hex.slice(0, 8),
    `sha256:${hex.slice(0, 12)}`,
    hex.toUpperCase(),
  ]) {
    expect(await resolveDigest(store, text)).toBe(model);
  }
  expect(await resolveDigest(store, twins[0]!)).toBe(twins[0]);
  expect(await failureOf(resolveDigest(store, 'abcdef01'))).toBe(
    `InvalidInput: "abcdef01" fits 2 artifacts: ${twins[0]}, ${twins[1]}; give more digits`,
  );
  expect(await failureOf(resolveDigest(store, 'abcdef02'))).toBe(
    `NotFound: no artifact in the store ${store.url} begins with "abcdef02": ` +
      '`retune show ID` prints the digests of a run',
  );
});

test.each(['abcdef0', 'sha256:', 'model', 'a'.repeat(65)])(
  '%j is too little or too much of a digest',
  async (text) => {
    expect(await failureOf(resolveDigest(await temporaryStore(), text))).toBe(
      `InvalidInput: ${JSON.stringify(text)} is not an artifact's digest: expected 8 to 64 ` +
        'hexadecimal digits, with or without sha256:',
    );
  },
);

async function replaceBytes(store: Store, digest: ArtifactDigest, bytes: string): Promise<void> {
  const path = blobPath(store, digest);
  await store.deleteBlob(digest);
  await writeFile(path, bytes);
}
