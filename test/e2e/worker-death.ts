import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'vitest';
import type { TestProcess } from '../setup/processes.ts';
import { listArtifacts, readManifest } from '../../store/artifacts.ts';
import { listRuns } from '../../store/runs.ts';
import type { Store } from '../../store/store.ts';
import { until } from './observed-run.ts';

/** The training process that a worker has started, if it has. */
export function trainingPid(worker: TestProcess): number | undefined {
  const line = worker.remaining().find((command) => command.includes('training/child.ts'));
  return line === undefined ? undefined : Number.parseInt(line, 10);
}

/** SIGKILLs a worker alone; resolves when all that it has started is gone as well. */
export async function killWorker(worker: TestProcess): Promise<void> {
  await worker.end('SIGKILL');
  await until(
    'the end of what the worker had started',
    async () => (worker.remaining().length === 0 ? true : undefined),
    10,
  );
}

/** Far above the 5 s that a hand-over of a small training may take, far below the grace time of 60 s. */
const HAND_OVER_SECONDS = 20;

/** Tells a worker to stop; it is to end by itself, soon, and to leave nothing running. */
export async function stopWorker(worker: TestProcess): Promise<void> {
  const begun = performance.now();
  const { code } = await worker.end('SIGTERM');
  const seconds = (performance.now() - begun) / 1000;
  expect({ code, left: worker.remaining() }).toEqual({ code: 0, left: [] });
  expect(seconds).toBeLessThan(HAND_OVER_SECONDS);
}

/** Names of the files that attempts have written of their models, below $RETUNE_HOME/work. */
export async function modelUnderWay(home: string): Promise<string[]> {
  const root = join(home, 'work');
  const files: string[] = [];
  for (const attempt of await names(root)) {
    files.push(...(await names(join(root, attempt, 'model'))));
  }
  return files;
}

/** Digests of blobs that no artifact and no run of the store refers to. */
export async function unreferencedBlobs(home: string, store: Store): Promise<readonly string[]> {
  const artifacts = await listArtifacts(store);
  const manifests = await Promise.all(artifacts.map((digest) => readManifest(store, digest)));
  const referred = new Set<string>([
    ...artifacts,
    ...manifests.flatMap(({ files }) => files.map(({ digest }) => digest)),
    ...(await listRuns(store)).map(({ source }) => source),
  ]);
  const root = join(home, 'store', 'blobs', 'sha256');
  const blobs = await Promise.all((await readdir(root)).map((part) => readdir(join(root, part))));
  return blobs
    .flat()
    .map((hex) => `sha256:${hex}`)
    .filter((digest) => !referred.has(digest));
}

async function names(folder: string): Promise<string[]> {
  return readdir(folder).catch(() => []);
}
