import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'vitest';
import { fetchSource, listSource, resolveSource } from '../../data/sources/sources.ts';
import { putArtifact } from '../../store/artifacts.ts';
import { register } from '../../store/registry.ts';
import type { ArtifactDigest, Store } from '../../store/store.ts';
import { storeTest } from './temporary-store.ts';

/** Registers a model with these weights as the next version of `m`. */
async function registered(store: Store, weights: string, alias?: string): Promise<ArtifactDigest> {
  const model = await putArtifact(store, {
    type: 'model',
    metadata: {},
    files: { 'config.json': Buffer.from('{}'), 'model.safetensors': Buffer.from(weights) },
  });
  const by = { run: 'r', execution: weights, step: 'publish' };
  await register(store, { ...by, name: 'm', model, promote: 'always', ...(alias && { alias }) });
  return model;
}

storeTest('its revision is the model that the name stands for now', async ({ store }) => {
  const revisionOf = async (source: string): Promise<string> =>
    (await resolveSource(source, 'model', { env: {}, store })).revision;
  const first = await registered(store, 'one', 'champion');
  const second = await registered(store, 'two');
  expect(await revisionOf('registry:m@champion')).toBe(first);
  expect(await revisionOf('registry:m')).toBe(first);
  expect(await revisionOf('registry:m@v2')).toBe(second);
  const third = await registered(store, 'three', 'champion');
  expect(await revisionOf('registry:m@champion')).toBe(third);
});

storeTest('it gives the files of the version that was resolved', async ({ store, folder }) => {
  await registered(store, 'one', 'champion');
  const resolved = await resolveSource('registry:m@champion', 'model', { env: {}, store });
  await registered(store, 'two', 'champion');
  const listed = await listSource(resolved, 'model', { env: {}, store });
  expect(listed.map(({ name }) => name)).toEqual(['config.json', 'model.safetensors']);
  const directory = join(folder, 'fetched');
  await mkdir(directory);
  const files = ['model.safetensors'];
  const fetched = await fetchSource(resolved, 'model', { env: {}, store, directory, files });
  expect(fetched.map(({ name, path }) => [name, path])).toEqual([
    ['model.safetensors', join(directory, 'model.safetensors')],
  ]);
  expect(await readFile(join(directory, 'model.safetensors'), 'utf8')).toBe('one');
});

storeTest('a name that is not there, and data, are refused', async ({ store }) => {
  await registered(store, 'one', 'champion');
  await expect(
    resolveSource('registry:m@champoin', 'model', { env: {}, store }),
  ).rejects.toMatchObject({
    type: 'NotFound',
    message:
      'model "m" has no alias "champoin" (did you mean "champion"?); aliases: champion; versions: 1',
  });
  await expect(resolveSource('registry:m', 'dataset', { env: {}, store })).rejects.toMatchObject({
    type: 'InvalidInput',
    message:
      'cannot read from "registry:m": expected file:PATH, https://URL or hf://datasets/OWNER/NAME',
  });
});
