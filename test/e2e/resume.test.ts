import { beforeAll, describe, expect, test } from 'vitest';
import { lookUp } from '../../store/cache.ts';
import type { AttemptRecord } from '../../store/ledger.ts';
import { unfinishedBlobs } from '../../training/checkpoints/checkpoint-store.ts';
import { startFileServer } from '../servers/file-server.ts';
import { cleanUp, withCleanUp } from '../setup/cleanup.ts';
import { startWorker } from '../setup/processes.ts';
import { ownTemporalServer, testSite, type TestSite } from '../setup/temporal.ts';
import { type ObservedRun, pipelineFile, siteBefore, submit, until } from './observed-run.ts';
import {
  killWorker,
  stopWorker,
  trainingPid,
  modelUnderWay,
  unreferencedBlobs,
} from './worker-death.ts';

const TRAINING = pipelineFile('training');
/** Of training.yaml. */
const TOTAL_STEPS = 400;
const STEPS_PER_EPOCH = 50;

const ROWS = '{"text":"good","label":"positive"}\n{"text":"bad","label":"negative"}\n';

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

/** A store that has all but the training. */
const newSite = (): Promise<TestSite> => siteBefore(whole, 'whole', 'tune');

describe.concurrent('a run comes to the same end when its worker', () => {
  test('is killed before the first checkpoint, and its successor in the middle', () =>
    withCleanUp(async () => {
      const site = await newSite();
      const first = await startWorker(site);
      const run = await submit(site, 'killed', TRAINING);
      await run.untilAttempt(
        'tune',
        0,
        'in its first steps',
        (at) => at.firstOptimizerStep != null,
      );
      await killWorker(first);
      const second = await startWorker(site);
      const attempt = await run.untilAttempt('tune', 1, 'begun', () => true);
      // At once when one is published: while the next is written, more is computed again.
      const newest = await until('two checkpoints', async () => {
        const steps = await run.checkpointSteps(attempt);
        return steps.length === 2 ? steps[0] : undefined;
      });
      await killWorker(second);
      await startWorker(site);

      expect(await run.ended()).toMatchObject({ status: 'completed', outputs: { model } });
      const [early, middle, last, ...more] = await run.attempts('tune');
      expect(more).toEqual([]);
      expect(early).toMatchObject({ resumedFromStep: 0, firstOptimizerStep: { step: 1 } });
      expect(middle).toMatchObject({ resumedFromStep: 0, firstOptimizerStep: { step: 1 } });
      expect([early?.outcome, early?.endedAt, middle?.outcome, middle?.endedAt]).toEqual(
        Array(4).fill(undefined),
      );
      // max_attempts is 1: neither of them counted.
      expect(last).toMatchObject({ attempt: 3, outcome: 'completed' });
      const reached = middle?.lastOptimizerStep?.step ?? NaN;
      const resumed = last?.resumedFromStep ?? NaN;
      expect(reached).toBeLessThan(TOTAL_STEPS);
      expect(newest).toBeGreaterThan(0);
      expect(resumed).toBeGreaterThanOrEqual(newest);
      expect(reached - resumed).toBeLessThanOrEqual(STEPS_PER_EPOCH);
      expect(last?.lastOptimizerStep?.step).toBe(TOTAL_STEPS);
      expect(await run.checkpointSteps(last!)).toEqual([]);
    }));

  test('is killed while a checkpoint is written', () =>
    withCleanUp(async () => {
      const site = await newSite();
      const first = await startWorker(site);
      const run = await submit(site, 'killed', TRAINING);
      const attempt = await run.untilAttempt('tune', 0, 'begun', () => true);
      // The training process is stopped at that moment, so that nothing completes what is half done.
      const isBeingStored = async (): Promise<boolean> =>
        (await unfinishedBlobs(run.store, attempt.fingerprint)).length > 0;
      const { kept, pid } = await until('a checkpoint being stored', async () => {
        const [newest = 0] = await run.checkpointSteps(attempt);
        const child = trainingPid(first);
        if (newest === 0 || child === undefined || !(await isBeingStored())) return undefined;
        process.kill(child, 'SIGSTOP');
        const [kept = 0] = await run.checkpointSteps(attempt);
        if (await isBeingStored()) return { kept, pid: child };
        process.kill(child, 'SIGCONT');
        return undefined;
      });
      await first.end('SIGKILL');
      process.kill(pid, 'SIGKILL');
      expect(await run.checkpointSteps(attempt)).toContain(kept);
      await startWorker(site);

      expect(await run.ended()).toMatchObject({ status: 'completed', outputs: { model } });
      const [killed, last, ...more] = await run.attempts('tune');
      expect(more).toEqual([]);
      expect(killed?.outcome).toBeUndefined();
      expect(last).toMatchObject({ resumedFromStep: kept, outcome: 'completed' });
      expect(kept).toBeGreaterThan(0);
      expect(await unreferencedBlobs(site.home, run.store)).toEqual([]);
    }));

  test('is killed while the model is being published', () =>
    withCleanUp(async () => {
      const site = await newSite();
      const first = await startWorker(site);
      const run = await submit(site, 'killed', TRAINING);
      const attempt = await run.untilAttempt('tune', 0, 'begun', () => true);
      await until('the trained model', async () =>
        (await modelUnderWay(site.home)).includes('history.jsonl') ? true : undefined,
      );
      await killWorker(first);
      expect((await lookUp(run.store, attempt.fingerprint)).hit).toBe(false);
      const [newest] = await run.checkpointSteps(attempt);
      await startWorker(site);

      expect(await run.ended()).toMatchObject({ status: 'completed', outputs: { model } });
      const [killed, last, ...more] = await run.attempts('tune');
      expect(more).toEqual([]);
      expect(killed?.outcome).toBeUndefined();
      expect(last).toMatchObject({ resumedFromStep: newest, outcome: 'completed' });
      expect(newest).toBeGreaterThanOrEqual(TOTAL_STEPS - STEPS_PER_EPOCH);
      expect(await run.checkpointSteps(last!)).toEqual([]);
    }));

  test('is told to stop while it trains', () =>
    withCleanUp(async () => {
      const site = await newSite();
      const first = await startWorker(site);
      const run = await submit(site, 'stopped', TRAINING);
      const attempt = await run.untilAttempt('tune', 0, 'begun', () => true);
      await untilCheckpoint(run, attempt);
      await stopWorker(first);
      const [stopped] = await run.attempts('tune');
      const at = stopped?.lastOptimizerStep?.step ?? NaN;
      expect(stopped?.outcome).toBe('shutting-down');
      expect((await run.checkpointSteps(attempt))[0]).toBe(at);
      expect(at).toBeLessThan(TOTAL_STEPS);
      await startWorker(site);

      expect(await run.ended()).toMatchObject({ status: 'completed', outputs: { model } });
      const [, last, ...more] = await run.attempts('tune');
      expect(more).toEqual([]);
      expect(last).toMatchObject({
        outcome: 'completed',
        resumedFromStep: at,
        firstOptimizerStep: { step: at + 1 },
      });
    }));

  test('loses its Temporal server, which comes back', () =>
    withCleanUp(async () => {
      const { home } = await newSite();
      const databaseFile = `${home}/temporal.db`;
      const server = await ownTemporalServer({ databaseFile });
      const { address } = server;
      const namespace = 'default';
      const env = { TEMPORAL_ADDRESS: address, TEMPORAL_NAMESPACE: namespace, RETUNE_HOME: home };
      const site = { address, namespace, home, env };
      const worker = await startWorker(site);
      const run = await submit(site, 'orphan', TRAINING);
      const attempt = await run.untilAttempt('tune', 0, 'begun', () => true);
      await untilCheckpoint(run, attempt);
      await server.kill();
      await ownTemporalServer({ databaseFile, port: Number(address.split(':')[1]) });

      expect(await run.ended()).toMatchObject({ status: 'completed', outputs: { model } });
      expect(worker.stderr).not.toContain('worker stopped');
      const steps = (await run.attempts('tune')).map((attempt) => attempt.resumedFromStep);
      expect(steps[0]).toBe(0);
      expect(steps.slice(1)).not.toContain(0);
    }));

  test('is told to stop while it downloads', () =>
    withCleanUp(async () => {
      const site = await testSite();
      const server = await startFileServer();
      cleanUp(() => server.close());
      const asked = new Promise<void>((resolve) => {
        server.on('/rows.jsonl', (request, response) => {
          response.writeHead(200, { etag: '"v1"', 'content-length': ROWS.length });
          if (request.method === 'HEAD') return void response.end();
          // The first download never ends.
          const isFirst = !server.requests.slice(0, -1).includes('GET /rows.jsonl');
          if (!isFirst) return void response.end(ROWS);
          response.write(ROWS.slice(0, 10));
          resolve();
        });
      });
      const first = await startWorker(site);
      const source = `${server.url}/rows.jsonl`;
      const run = await submit(site, 'stopped', pipelineFile('download'), { source });
      await asked;
      await stopWorker(first);
      await startWorker(site);

      expect(await run.ended()).toMatchObject({ status: 'completed', outputs: { rows: 2 } });
      const attempts = await run.attempts('data');
      expect(attempts.map(({ outcome }) => outcome)).toEqual(['shutting-down', 'completed']);
    }));
});

async function untilCheckpoint(run: ObservedRun, attempt: AttemptRecord): Promise<void> {
  await until('a checkpoint', async () =>
    (await run.checkpointSteps(attempt)).length > 0 ? true : undefined,
  );
}
