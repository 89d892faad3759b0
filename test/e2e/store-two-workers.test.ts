import { describe, expect, test } from 'vitest';
import type { RunState } from '../../plan/plan.ts';
import { lookUp } from '../../store/cache.ts';
import { withCleanUp } from '../setup/cleanup.ts';
import { startWorker } from '../setup/processes.ts';
import { testSite } from '../setup/temporal.ts';
import { pipelineFile, submit, until } from './observed-run.ts';
import { trainingPid } from './worker-death.ts';

const TRAINING = pipelineFile('training');

const historyOf = (state: RunState): unknown => state.steps['tune']?.outputs?.['history'];

describe.concurrent('two workers that train the same', () => {
  test('for two runs at once: one does, and the other takes its result', () =>
    withCleanUp(async () => {
      const site = await testSite();
      await startWorker(site);
      await startWorker(site, ['--roles', 'train', '--labels', 'other']);
      const runs = [
        await submit(site, 'one', TRAINING),
        await submit(site, 'two', TRAINING, { label: 'other' }),
      ];
      const [one, two] = await Promise.all(runs.map((run) => run.ended()));
      expect([one?.status, two?.status]).toEqual(['completed', 'completed']);
      expect(two?.outputs).toEqual(one?.outputs);
      // A training history holds speeds: two equal ones are one.
      expect(historyOf(two!)).toBe(historyOf(one!));
      const attempts = (await Promise.all(runs.map((run) => run.attempts('tune')))).flat();
      expect(attempts.map(({ outcome }) => outcome)).toEqual(['completed']);
      const statuses = new Set([one, two].map((run) => run?.steps['tune']?.status));
      expect(statuses).toEqual(new Set(['cached', 'completed']));
      expect(await runs[0]!.checkpointSteps(attempts[0]!)).toEqual([]);
    }));

  test('because one was thought dead, end with one result', () =>
    withCleanUp(async () => {
      const site = await testSite();
      await startWorker(site, ['--roles', 'control,work']);
      const frozen = await startWorker(site, ['--roles', 'train']);
      const run = await submit(site, 'twice', TRAINING);
      const attempt = await run.untilAttempt('tune', 0, 'begun', () => true);
      const child = await until('a checkpoint', async () =>
        (await run.checkpointSteps(attempt)).length > 0 ? trainingPid(frozen) : undefined,
      );
      for (const pid of [frozen.pid, child]) process.kill(pid, 'SIGSTOP');
      await startWorker(site, ['--roles', 'train']);
      const state = await run.ended();
      expect(state.status).toBe('completed');
      const published = await lookUp(run.store, attempt.fingerprint);
      for (const pid of [child, frozen.pid]) process.kill(pid, 'SIGCONT');
      await run.untilAttempt('tune', 0, 'ended', ({ endedAt }) => endedAt !== undefined);

      const [late, last, ...more] = await run.attempts('tune');
      expect(more).toEqual([]);
      // When it said that it lives, or when it found that the lease is another's.
      expect(late?.outcome).toBe('cancelled');
      expect(last?.outcome).toBe('completed');
      expect(last?.resumedFromStep).toBeGreaterThan(0);
      expect(await lookUp(run.store, attempt.fingerprint)).toEqual(published);
      expect(published).toMatchObject({
        hit: true,
        entry: { outputs: state.steps['tune']?.outputs },
      });
      await until('the end of its checkpoints', async () =>
        (await run.checkpointSteps(attempt)).length === 0 ? true : undefined,
      );
    }));
});
