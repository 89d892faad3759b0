import { cp } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import type { RunState, StepStatus } from '../../plan/plan.ts';
import { PROJECT_ROOT } from '../../setup/dependencies.mjs';
import { withCleanUp } from '../setup/cleanup.ts';
import { startWorker } from '../setup/processes.ts';
import { testSite, type TestSite } from '../setup/temporal.ts';
import { type ObservedRun, pipelineFile, siteBefore, submit, until } from './observed-run.ts';
import { temporalJson } from './temporal-cli.ts';
import { killWorker, stopWorker } from './worker-death.ts';

const CHAIN = pipelineFile('chain');
const TRAINING = pipelineFile('training');
const DATA = 'pipelines/data';

/** Where nothing has interrupted the training, and the model of that. */
let whole: TestSite;
let model: unknown;

beforeAll(async () => {
  whole = await testSite();
  const worker = await startWorker(whole);
  const state = await (await submit(whole, 'whole', TRAINING)).ended();
  expect(state.status).toBe('completed');
  model = state.outputs['model'];
  await stopWorker(worker);
});

/** `temporal workflow reset`, to the point that the flags name. */
async function reset(site: TestSite, { id }: ObservedRun, to: readonly string[]): Promise<void> {
  const args = ['workflow', 'reset', '--workflow-id', id, '--reason', 'test', ...to];
  await temporalJson(site, args);
}

/** Resets to before the workflow task that has started a step. */
async function resetBefore(site: TestSite, run: ObservedRun, step: string): Promise<void> {
  const { startedBy } = await run.execution(step);
  await reset(site, run, ['--event-id', `${startedBy}`]);
}

function statuses({ steps }: RunState): Record<string, StepStatus> {
  return Object.fromEntries(Object.entries(steps).map(([step, { status }]) => [step, status]));
}

describe.concurrent('temporal workflow reset in the middle of a training', () => {
  test.each(['LastWorkflowTask', 'FirstWorkflowTask'])(
    'to %s: it goes on from the checkpoint of the run that was terminated',
    (type) =>
      withCleanUp(async () => {
        const site = await siteBefore(whole, 'whole', 'tune');
        await startWorker(site);
        const run = await submit(site, 'reset', TRAINING);
        const attempt = await run.untilAttempt('tune', 0, 'begun', () => true);
        await run.untilCheckpoint(attempt);
        await reset(site, run, ['--type', type]);

        expect(await run.ended()).toMatchObject({ status: 'completed', outputs: { model } });
        const [terminated, last, ...more] = await run.attempts('tune');
        expect(more).toEqual([]);
        expect(terminated?.outcome).toBe('cancelled');
        expect(last?.outcome).toBe('completed');
        expect(last?.executionRunId).not.toBe(terminated?.executionRunId);
        // The training that is cancelled leaves a checkpoint of its last step.
        expect(last?.resumedFromStep).toBe(terminated?.lastOptimizerStep?.step);
        expect(await run.checkpointSteps(last!)).toEqual([]);
      }),
  );

  test('of a worker that is gone: the new run does not wait for the lease', () =>
    withCleanUp(async () => {
      const site = await siteBefore(whole, 'whole', 'tune');
      const first = await startWorker(site);
      const run = await submit(site, 'reset', TRAINING);
      const attempt = await run.untilAttempt('tune', 0, 'begun', () => true);
      const newest = await until(
        'a checkpoint',
        async () => (await run.checkpointSteps(attempt))[0],
      );
      await killWorker(first);
      await reset(site, run, ['--type', 'LastWorkflowTask']);
      await startWorker(site);

      expect(await run.ended()).toMatchObject({ status: 'completed', outputs: { model } });
      const [killed, last, ...more] = await run.attempts('tune');
      expect(more).toEqual([]);
      expect(killed?.outcome).toBeUndefined();
      expect(last?.resumedFromStep).toBeGreaterThanOrEqual(newest);
      // Whoever finds the lease held by another is tried again by Temporal.
      expect((await run.execution('tune')).attempt).toBe(1);
    }));

  test('temporal activity reset: the next attempt goes on from the checkpoint', () =>
    withCleanUp(async () => {
      const site = await siteBefore(whole, 'whole', 'tune');
      await startWorker(site);
      const run = await submit(site, 'reset', TRAINING);
      const attempt = await run.untilAttempt('tune', 0, 'begun', () => true);
      await run.untilCheckpoint(attempt);
      const args = ['--workflow-id', run.id, '--activity-id', 'tune', '--reset-heartbeats'];
      await temporalJson(site, ['activity', 'reset', ...args]);

      expect(await run.ended()).toMatchObject({ status: 'completed', outputs: { model } });
      const [, last, ...more] = await run.attempts('tune');
      expect(more).toEqual([]);
      expect(last?.outcome).toBe('completed');
      expect(last?.resumedFromStep).toBeGreaterThan(0);
    }));
});

describe.concurrent('temporal workflow reset of a run that has ended', () => {
  test('before and after each of its steps: nothing is done twice', () =>
    withCleanUp(async () => {
      const site = await testSite();
      await startWorker(site);
      const run = await submit(site, 'chain', CHAIN);
      const first = await run.ended();
      expect(first.status).toBe('completed');
      const { publish: _, ...steps } = statuses(first);
      const again = async (): Promise<void> => {
        const state = await run.ended();
        expect(state.status).toBe('completed');
        expect(state.outputs).toEqual(first.outputs);
        for (const step of Object.keys(steps)) expect(await run.attempts(step)).toHaveLength(1);
      };
      // Each is in the history of the newest execution as long as a reset to before it is the next.
      for (const step of ['score', 'test_rows', 'tune', 'train_tokens', 'data']) {
        await resetBefore(site, run, step);
        await again();
      }
      await reset(site, run, ['--type', 'FirstWorkflowTask']);
      await again();
      await reset(site, run, ['--type', 'LastWorkflowTask']);
      await again();
      expect((await run.ended()).steps['publish']?.note).toBe(
        'the same model was registered before, as v1',
      );
    }));

  test('with a failure, to before it: with its cause mended the run continues', () =>
    withCleanUp(async () => {
      const site = await testSite();
      await cp(join(PROJECT_ROOT, DATA), join(site.home, DATA), { recursive: true });
      await startWorker(site, [], { env: { RETUNE_DATA_ROOT: site.home } });
      const run = await submit(site, 'mended', CHAIN, { test_file: 'missing.jsonl' });
      const failed = await run.ended();
      expect(failed.steps['test_data']?.error).toMatchObject({ type: 'NotFound' });
      await cp(join(site.home, DATA, 'messages/test.jsonl'), join(site.home, 'missing.jsonl'));

      await resetBefore(site, run, 'test_data:revision');
      const state = await run.ended();
      expect(state.status).toBe('completed');
      expect(state.outputs['model']).toEqual(failed.steps['tune']?.outputs?.['model']);
      for (const step of Object.keys(state.steps)) {
        expect(await run.attempts(step)).toHaveLength(1);
      }
    }));
});
