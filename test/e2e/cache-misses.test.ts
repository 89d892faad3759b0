import { chmod, readFile, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import type { RunState } from '../../plan/plan.ts';
import { readManifest } from '../../store/artifacts.ts';
import type { ArtifactDigest, BlobDigest, Store } from '../../store/store.ts';
import { startWorker } from '../setup/processes.ts';
import { testSite, type TestSite } from '../setup/temporal.ts';
import { openSiteStore, pipelineFile, submit } from './observed-run.ts';

const CHAIN = pipelineFile('chain');

/** Each artifact of chain.yaml, with the file of it that no other has. */
const ARTIFACTS = [
  ['data', 'dataset', 'train.arrow'],
  ['base', 'model', 'model.safetensors'],
  ['train_rows', 'dataset', 'train.arrow'],
  ['train_tokens', 'dataset', 'train.arrow'],
  ['tune', 'model', 'model.safetensors'],
  ['tune', 'history', 'history.jsonl'],
  ['test_data', 'dataset', 'test.arrow'],
  ['test_rows', 'dataset', 'test.arrow'],
  ['test_tokens', 'dataset', 'test.arrow'],
  ['score', 'report', 'report.json'],
  ['score', 'predictions', 'predictions.jsonl'],
] as const;

let site: TestSite;
let store: Store;
/** The newest run that has completed. */
let last: RunState;

beforeAll(async () => {
  site = await testSite();
  store = await openSiteStore(site);
  await startWorker(site);
  last = await (await submit(site, 'first', CHAIN)).ended();
  expect(last.status).toBe('completed');
});

/** Leaves the first half of a blob. */
async function cutShort(digest: BlobDigest): Promise<void> {
  const hex = digest.slice('sha256:'.length);
  const path = join(site.home, 'store', 'blobs', 'sha256', hex.slice(0, 2), hex);
  await chmod(path, 0o644);
  await truncate(path, (await readFile(path)).length >> 1);
}

const DAMAGES: Readonly<
  Record<string, (artifact: ArtifactDigest, file: string) => Promise<unknown>>
> = {
  'manifest removed': (artifact) => store.deleteBlob(artifact),
  'manifest cut short': (artifact) => cutShort(artifact),
  'file removed': async (artifact, file) => store.deleteBlob(await blobOf(artifact, file)),
  'file cut short': async (artifact, file) => cutShort(await blobOf(artifact, file)),
};

async function blobOf(artifact: ArtifactDigest, file: string): Promise<BlobDigest> {
  const { files } = await readManifest(store, artifact);
  return files.find(({ path }) => path === file)!.digest;
}

/** All outputs but the training history, which holds speeds. */
const outputsOf = ({ steps }: RunState): unknown =>
  Object.values(steps).map(({ outputs }) => ({ ...outputs, history: undefined }));

test.each(
  ARTIFACTS.flatMap(([step, output, file]) =>
    Object.keys(DAMAGES).map((damage) => ({ step, output, file, damage })),
  ),
)(
  '$output of $step, $damage: a miss of that step alone',
  async ({ step, output, file, damage }) => {
    const artifact = last.steps[step]?.outputs?.[output] as ArtifactDigest;
    await DAMAGES[damage]!(artifact, file);
    const run = await submit(site, `${step}-${output}-${damage.replaceAll(' ', '-')}`, CHAIN);
    const state = await run.ended();
    expect(state.status).toBe('completed');
    expect(outputsOf(state)).toEqual(outputsOf(last));
    for (const each of Object.keys(state.steps)) {
      const isMade = each === step || each === 'publish';
      expect([each, (await run.attempts(each)).length]).toEqual([each, isMade ? 1 : 0]);
    }
    last = state;
  },
);
