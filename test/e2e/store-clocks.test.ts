import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { describe, expect, test } from 'vitest';
import type { RunState } from '../../plan/plan.ts';
import { PROJECT_ROOT } from '../../setup/dependencies.mjs';
import { lookUp } from '../../store/cache.ts';
import { withCleanUp } from '../setup/cleanup.ts';
import { startWorker, type TestProcess } from '../setup/processes.ts';
import { testSite, type TestSite } from '../setup/temporal.ts';
import { type ObservedRun, pipelineFile, submit, until } from './observed-run.ts';
import { killWorker } from './worker-death.ts';

const TRAINING = pipelineFile('training');
const CLOCK = pathToFileURL(join(PROJECT_ROOT, 'test', 'setup', 'skewed-clock.mjs')).href;
const HOUR_MS = 3_600_000;

/** A worker whose time of day, and that of what it starts, is off by so many hours. */
function workerOff(site: TestSite, hours: number, args: readonly string[]): Promise<TestProcess> {
  const env = {
    NODE_OPTIONS: `--import ${CLOCK}`,
    RETUNE_TEST_CLOCK_MS: String(hours * HOUR_MS),
  };
  return startWorker(site, args, { env });
}

const historyOf = (state: RunState): unknown => state.steps['tune']?.outputs?.['history'];

/** Two runs of the same training, each for the workers of its own label. */
async function compete(site: TestSite): Promise<readonly [ObservedRun, ObservedRun]> {
  const one = await submit(site, 'one', TRAINING);
  await one.untilAttempt('tune', 0, 'begun', () => true);
  const two = await submit(site, 'two', TRAINING, { label: 'other' });
  await until('the second run to wait for the first', async () => {
    const { lastFailure } = await two.pending('tune');
    return lastFailure?.startsWith("step 'tune' of run 'one' computes the same") ? true : undefined;
  });
  return [one, two];
}

describe.concurrent.each([
  { holder: 5, other: -5 },
  { holder: -5, other: 5 },
])('workers with clocks off by $holder and $other hours', ({ holder, other }) => {
  test('train once for two runs that compete', () =>
    withCleanUp(async () => {
      const site = await testSite();
      await workerOff(site, holder, []);
      await workerOff(site, other, ['--roles', 'train', '--labels', 'other']);
      const runs = await compete(site);
      const [one, two] = await Promise.all(runs.map((run) => run.ended()));
      expect([one?.status, two?.status]).toEqual(['completed', 'completed']);
      expect(two?.outputs).toEqual(one?.outputs);
      // A training history holds speeds: two equal ones are one.
      expect(historyOf(two!)).toBe(historyOf(one!));
      const attempts = (await Promise.all(runs.map((run) => run.attempts('tune')))).flat();
      expect(attempts.map(({ outcome }) => outcome)).toEqual(['completed']);
      // The ledger has the wrong time: that of the worker.
      const off = Math.round((attempts[0]!.startedAt - Date.now()) / HOUR_MS);
      expect(off).toBe(holder);
    }));

  test('take over from each other, and from a checkpoint, when one has died', () =>
    withCleanUp(async () => {
      const site = await testSite();
      await startWorker(site, ['--roles', 'control,work']);
      const first = await workerOff(site, holder, ['--roles', 'train']);
      await workerOff(site, other, ['--roles', 'train', '--labels', 'other']);
      const [one, two] = await compete(site);
      const [attempt] = await one.attempts('tune');
      const newest = await until('a checkpoint', async () => {
        const [step] = await one.checkpointSteps(attempt!);
        return step;
      });
      await killWorker(first);
      const state = await two.ended();
      expect(state.status).toBe('completed');
      const published = await lookUp(two.store, attempt!.fingerprint);
      await workerOff(site, holder, ['--roles', 'train']);
      expect((await one.ended()).outputs).toEqual(state.outputs);

      expect((await one.attempts('tune')).map(({ outcome }) => outcome)).toEqual([undefined]);
      const [last, ...more] = await two.attempts('tune');
      expect(more).toEqual([]);
      expect(last?.outcome).toBe('completed');
      expect(last?.resumedFromStep).toBeGreaterThanOrEqual(newest);
      expect(await lookUp(two.store, attempt!.fingerprint)).toEqual(published);
      expect(await two.checkpointSteps(last!)).toEqual([]);
    }));
});
