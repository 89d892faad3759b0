import { setTimeout as delay } from 'node:timers/promises';
import { Connection } from '@temporalio/client';
import { describe, expect, test } from 'vitest';
import type { JsonObject } from '../../plan/json.ts';
import type { RunState } from '../../plan/plan.ts';
import { readAttempts } from '../../store/ledger.ts';
import { startFileServer } from '../servers/file-server.ts';
import { cleanUp, withCleanUp } from '../setup/cleanup.ts';
import {
  retune,
  runProgram,
  startProgram,
  startWorker,
  type TestProcess,
} from '../setup/processes.ts';
import { testSite, type TestSite } from '../setup/temporal.ts';
import { openSiteStore, pipelineFile, until } from './observed-run.ts';

/** What `show --json` says of a step. */
async function stepOf(site: TestSite, run: string, step: string): Promise<JsonObject> {
  const { stdout } = await retune(site, ['show', run, '--json']);
  return (JSON.parse(stdout) as { steps: Record<string, JsonObject> }).steps[step] ?? {};
}

/** When a worker last asked the queue for an activity, in milliseconds since the epoch. */
async function lastPoll({ address, namespace }: TestSite, queue: string): Promise<number> {
  const connection = await Connection.connect({ address });
  try {
    const { pollers } = await connection.workflowService.describeTaskQueue({
      ...{ namespace, taskQueue: { name: queue }, taskQueueType: 2 },
    });
    const seconds = (pollers ?? []).map(({ lastAccessTime: at }) => Number(at?.seconds ?? 0));
    return 1000 * Math.max(0, ...seconds);
  } finally {
    await connection.close();
  }
}

describe.concurrent('a worker that', () => {
  test('has one role takes what that role is for, and training steps by its labels', () =>
    withCleanUp(async () => {
      const site = await testSite();
      const [control, work, train] = await Promise.all([
        startWorker(site, ['--roles', 'control']),
        startWorker(site, ['--roles', 'work']),
        startWorker(site, ['--roles', 'train', '--labels', 'small,big']),
        startWorker(site, ['--roles', 'train']),
      ]);
      const args = ['run', pipelineFile('small'), '--id', 'split', '-p', 'device=big', '--json'];
      const { code, stdout } = await retune(site, args);
      expect([code, (JSON.parse(stdout) as RunState).status]).toEqual([0, 'completed']);

      const attempts = await readAttempts(await openSiteStore(site), { workflowId: 'split' });
      const stepsOf = ({ pid }: TestProcess): readonly string[] =>
        attempts.filter(({ worker }) => worker.pid === pid).map(({ step }) => step);
      expect(stepsOf(train)).toEqual(['tune', 'score']);
      expect(stepsOf(control)).toEqual([]);
      expect(new Set(stepsOf(work))).toEqual(
        new Set([
          'data',
          'base',
          'train_rows',
          'test_rows',
          'train_tokens',
          'test_tokens',
          'publish',
        ]),
      );
    }));

  test('is not there: a run is submitted for later, and told to end with a word on who ends it', () =>
    withCleanUp(async () => {
      const site = await testSite();
      const run = ['run', pipelineFile('small'), '--id', 'early', '--detach'];
      expect(await retune(site, run)).toMatchObject({
        code: 0,
        stdout: "run early submitted: 'retune show early' shows how it goes\n",
      });
      expect(await retune(site, ['show', 'early'])).toMatchObject({
        code: 0,
        stdout: 'run early: running\n',
      });
      expect(await retune(site, ['cancel', 'early'])).toMatchObject({
        code: 1,
        stderr:
          "error: run 'early' was told to end, but no worker on retune does it: start one, and it is " +
          'cancelled: npm run worker -- --roles control,work,train\n',
      });
      await startWorker(site);
      const ended = await until('the end of the run', async () => {
        const { stdout } = await retune(site, ['show', 'early', '--json']);
        const state = JSON.parse(stdout) as RunState;
        return state.status === 'running' ? undefined : state;
      });
      expect([ended.name, ended.status]).toEqual(['small', 'cancelled']);
      const statuses = Object.values(ended.steps).map(({ status }) => status);
      expect(new Set(statuses)).toEqual(new Set(['cancelled']));
    }));

  test('was killed: the training that goes on in another is shown as it goes', () =>
    withCleanUp(async () => {
      const site = await testSite();
      const first = await startWorker(site);
      const run = ['run', pipelineFile('small'), '-p', 'max_steps=100000000', '--id', 'killed'];
      await retune(site, [...run, '--detach']);
      const training = async (attempt: number): Promise<JsonObject | undefined> => {
        await delay(250);
        const tune = await stepOf(site, 'killed', 'tune');
        const live = tune['live'] as JsonObject | undefined;
        return live?.['attempt'] === attempt && live['loss'] !== undefined ? tune : undefined;
      };
      await until('steps of a training', () => training(1));
      await first.end('SIGKILL');
      const second = await startWorker(site);
      const { status, attempt, note } = await until('steps of the next attempt', () => training(2));
      expect([status, attempt, note]).toEqual(['running', 2, undefined]);
      const { stdout } = await retune(site, ['show', 'killed']);
      expect(stdout).toMatch(/tune +running +[\d.]+s +attempt 2, step \d+\/100000000, loss /);
      await second.end('SIGKILL');
    }));

  // A worker that is busy does not poll; the server remembers for 70 s that it did.
  test('is busy: a step behind it says so, and runs for it are taken', () =>
    withCleanUp(async () => {
      const site = await testSite();
      const server = await startFileServer();
      cleanUp(() => server.close());
      server.on('/rows.jsonl', (request, response) => {
        response.writeHead(200, { etag: '"v1"', 'content-length': 1_000 });
        if (request.method === 'HEAD') return void response.end();
        // A download that never ends, and is never taken for one that has stalled.
        const drip = setInterval(() => response.write(' '), 5_000);
        response.on('close', () => clearInterval(drip));
        response.write(' ');
      });
      await startWorker(site, ['--concurrency', '1']);
      const source = `source=${server.url}/rows.jsonl`;
      const run = ['run', pipelineFile('download'), '-p', source, '--id'];
      await retune(site, [...run, 'first', '--detach']);
      await until('a download', async () => {
        await delay(250);
        return server.requests.includes('GET /rows.jsonl') ? true : undefined;
      });
      await retune(site, [...run, 'second', '--detach']);
      await until('a worker that is not known to poll', async () => {
        await delay(1_000);
        return (await lastPoll(site, 'retune-work')) < Date.now() - 75_000 ? true : undefined;
      });
      expect((await stepOf(site, 'second', 'data'))['note']).toBe(
        'waiting: the workers on retune-work are busy ' +
          '(start another: npm run worker -- --roles work)',
      );
      const third = startProgram('cli/main.ts', [...run, 'third'], { env: site.env });
      await third.untilPrinted(/run third \(download\): running/);
    }));
});

describe('a worker that cannot start says why, and what to do', () => {
  test.each([
    [['--rolls', 'work'], {}, "error: unknown option '--rolls'\n(Did you mean --roles?)\n"],
    [
      ['--roles', 'wrk'],
      {},
      "error: option '--roles <list>' argument 'wrk' is invalid. found 'wrk', expected some of control, work, train\n",
    ],
    [
      ['--labels', 'gpu 1'],
      {},
      "error: option '--labels <list>' argument 'gpu 1' is invalid. found 'gpu 1', expected letters, digits, '_', '.' and '-'\n",
    ],
  ])('%j', async (args, env, stderr) => {
    expect(await runProgram('worker.ts', args, { env })).toMatchObject({ code: 1, stderr });
  });

  test.each([
    [
      'no server',
      { TEMPORAL_ADDRESS: '127.0.0.1:1' },
      /^no Temporal server answers at 127\.0\.0\.1:1 \(.+\): start one with 'npm run dev', or set TEMPORAL_ADDRESS to yours$/,
    ],
    [
      'no namespace',
      { TEMPORAL_NAMESPACE: 'nobody' },
      /^the Temporal server at \S+ has no namespace 'nobody': set TEMPORAL_NAMESPACE to one it has, or make it: temporal operator namespace create -n nobody$/,
    ],
    [
      'a store that is not built',
      { RETUNE_STORE: 's3://bucket/prefix' },
      /^cannot open the store "s3:\/\/bucket\/prefix": the s3 driver is not built yet; set RETUNE_STORE=file:PATH, on a folder that all workers of one machine share$/,
    ],
  ])('%s', async (_, env, message) => {
    const site = await testSite();
    const { code, stderr } = await runProgram('worker.ts', [], { env: { ...site.env, ...env } });
    const { level, msg } = JSON.parse(stderr) as { level: number; msg: string };
    expect([code, level]).toEqual([1, 60]);
    expect(msg).toMatch(message);
  });
});
