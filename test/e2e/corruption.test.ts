import { chmod, open, readdir, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import type { RunState } from '../../plan/plan.ts';
import { readManifest } from '../../store/artifacts.ts';
import { listCheckpoints } from '../../training/checkpoints/checkpoint-store.ts';
import type { ArtifactDigest, BlobDigest, Store } from '../../store/store.ts';
import { withCleanUp } from '../setup/cleanup.ts';
import { startWorker } from '../setup/processes.ts';
import { testSite, type TestSite } from '../setup/temporal.ts';
import { openSiteStore, pipelineFile, siteBefore, submit, until } from './observed-run.ts';
import { killWorker, stopWorker } from './worker-death.ts';

/** Inverts the byte in the middle of a blob. */
async function damage(home: string, digest: BlobDigest): Promise<void> {
  const hex = digest.slice('sha256:'.length);
  const path = join(home, 'store', 'blobs', 'sha256', hex.slice(0, 2), hex);
  await chmod(path, 0o644);
  const file = await open(path, 'r+');
  const { size } = await file.stat();
  const byte = new Uint8Array(1);
  await file.read(byte, 0, 1, size >> 1);
  byte[0]! ^= 0xff;
  await file.write(byte, 0, 1, size >> 1);
  await file.close();
}

/** Leaves the first bytes of a ref's newest value. */
async function cutShort(generations: string): Promise<void> {
  const newest = Math.max(...(await readdir(generations)).map(Number));
  const path = join(generations, String(newest));
  await chmod(path, 0o644);
  await truncate(path, 9);
}

/** Digests of the blobs that were set aside, sorted. */
async function quarantined(home: string): Promise<readonly string[]> {
  const names = await readdir(join(home, 'store', 'quarantine'));
  return names.map((name) => `sha256:${name.split('.')[0]}`).sort();
}

/** The blob of a file of an artifact that a step has put out. */
async function blobOf(
  store: Store,
  state: RunState,
  [step, output, file]: readonly [step: string, output: string, file: string],
): Promise<BlobDigest> {
  const artifact = state.steps[step]?.outputs?.[output] as ArtifactDigest;
  const { files } = await readManifest(store, artifact);
  return files.find(({ path }) => path === file)!.digest;
}

const completedSteps = (state: RunState): string[] =>
  Object.keys(state.steps).filter((step) => state.steps[step]?.status === 'completed');

/** All outputs but the training history, which holds speeds. */
const outputsOf = (state: RunState): unknown =>
  Object.values(state.steps).map(({ outputs }) => ({ ...outputs, history: undefined }));

const CHAIN = pipelineFile('chain');
const TRAINING = pipelineFile('training');
const LARGE = pipelineFile('large');

/** Two stores as their workers left them, the second before its training; and what the runs ended with. */
let chainSite: TestSite;
let chain: RunState;
let trainingSite: TestSite;
let training: RunState;

beforeAll(async () => {
  chainSite = await testSite();
  const worker = await startWorker(chainSite);
  const runs = [submit(chainSite, 'chain', CHAIN), submit(chainSite, 'training', TRAINING)];
  const states = await Promise.all(runs.map(async (run) => (await run).ended()));
  [chain, training] = states as [RunState, RunState];
  expect(states.map(({ status }) => status)).toEqual(['completed', 'completed']);
  await stopWorker(worker);
  trainingSite = await siteBefore(chainSite, 'training', 'tune');
});

describe.concurrent('what is not as it was stored is set aside and made again', () => {
  test('outputs of a finished run, changed or deleted', () =>
    withCleanUp(async () => {
      const { home } = chainSite;
      const store = await openSiteStore(chainSite);
      const rows = await blobOf(store, chain, ['train_rows', 'dataset', 'train.arrow']);
      const weights = await blobOf(store, chain, ['tune', 'model', 'model.safetensors']);
      const report = await blobOf(store, chain, ['score', 'report', 'report.json']);

      for (const digest of [rows, weights]) await damage(home, digest);
      await startWorker(chainSite);
      const mended = await (await submit(chainSite, 'damaged', CHAIN)).ended();
      expect(mended.status).toBe('completed');
      expect(completedSteps(mended)).toEqual(['train_rows', 'tune', 'publish']);
      expect(outputsOf(mended)).toEqual(outputsOf(chain));
      expect(await quarantined(home)).toEqual([rows, weights].sort());
      expect(mended.steps['tune']?.note).toMatch(/^made again: .*corrupt/);

      // The same worker has read the good ones since.
      await store.deleteBlob(rows);
      await store.deleteBlob(chain.steps['tune']?.outputs?.['model'] as ArtifactDigest);
      await damage(home, report);
      const again = await (await submit(chainSite, 'deleted', CHAIN)).ended();
      expect(again.status).toBe('completed');
      expect(completedSteps(again)).toEqual(['train_rows', 'tune', 'score', 'publish']);
      expect(outputsOf(again)).toEqual(outputsOf(chain));
      expect(again.steps['train_rows']?.note).toMatch(/^made again: .* no longer in the store$/);
      expect(await quarantined(home)).toEqual([rows, weights, report].sort());
    }));

  test('a large result, which is verified by an activity of its own', () =>
    withCleanUp(async () => {
      const site = await testSite();
      const worker = await startWorker(site);
      const first = await (await submit(site, 'first', LARGE)).ended();
      expect(completedSteps(first)).toEqual(['base', 'data', 'rows', 'tokens']);
      const again = await submit(site, 'again', LARGE);
      expect(completedSteps(await again.ended())).toEqual([]);
      expect(await again.activities()).toContain('base:verification');
      // Only a process that has not read the file lately reads it again.
      await stopWorker(worker);

      const weights = await blobOf(again.store, first, ['base', 'model', 'model.safetensors']);
      await damage(site.home, weights);
      await startWorker(site);
      const mended = await (await submit(site, 'mended', LARGE)).ended();
      expect(completedSteps(mended)).toEqual(['base']);
      expect(outputsOf(mended)).toEqual(outputsOf(first));
      expect(await quarantined(site.home)).toEqual([weights]);
    }));

  test('the newest checkpoint and an input of a training whose worker was killed', () =>
    withCleanUp(async () => {
      const { home } = trainingSite;
      const first = await startWorker(trainingSite);
      const run = await submit(trainingSite, 'damaged', TRAINING);
      const attempt = await run.untilAttempt('tune', 0, 'begun', () => true);
      await until('two checkpoints', async () =>
        (await run.checkpointSteps(attempt)).length === 2 ? true : undefined,
      );
      await killWorker(first);
      const [newest, older] = await listCheckpoints(run.store, attempt.fingerprint);
      const { files } = await readManifest(run.store, newest!.manifest);
      const segment = files.find(({ path }) => path.startsWith('secondMoments'))!.digest;
      const tokens = await blobOf(run.store, training, ['train_tokens', 'dataset', 'train.arrow']);
      for (const digest of [segment, tokens]) await damage(home, digest);
      await startWorker(trainingSite);

      const state = await run.ended();
      expect(state).toMatchObject({ status: 'completed', outputs: training.outputs });
      expect(completedSteps(state)).toEqual(['train_tokens', 'tune']);
      const [, reader, last, ...more] = await run.attempts('tune');
      expect(more).toEqual([]);
      // max_attempts is 1: what cannot be read is not the reader's fault.
      expect(reader).toMatchObject({ outcome: 'failed', failure: { type: 'CorruptArtifact' } });
      expect(last).toMatchObject({ outcome: 'completed', resumedFromStep: older!.step });
      expect(await quarantined(home)).toEqual([segment, tokens].sort());
    }));

  test('refs of a finished run, and files that other programs left among them', () =>
    withCleanUp(async () => {
      const site = await testSite();
      const worker = await startWorker(site);
      const first = await (await submit(site, 'first', LARGE)).ended();
      const fingerprint = first.steps['rows']?.fingerprint ?? '';
      await stopWorker(worker);
      for (const ref of [`cache/${fingerprint}`, 'runs/first']) {
        await cutShort(join(site.home, 'store', 'refs', ...ref.split('/'), '~'));
      }
      await writeFile(join(site.home, 'store', 'refs', 'runs', '.DS_Store'), 'x');
      await startWorker(site);
      const again = await (await submit(site, 'first', LARGE)).ended();
      expect(again.status).toBe('completed');
      expect(completedSteps(again)).toEqual(['rows']);
      expect(outputsOf(again)).toEqual(outputsOf(first));
    }));
});
