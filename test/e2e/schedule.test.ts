import { Client, Connection } from '@temporalio/client';
import { beforeAll, expect, test } from 'vitest';
import type { RunState } from '../../plan/plan.ts';
import { cleanUp } from '../setup/cleanup.ts';
import { retune, startWorker } from '../setup/processes.ts';
import { testSite, type TestSite } from '../setup/temporal.ts';
import { ObservedRun, pipelineFile, until } from './observed-run.ts';
import { bytesOf, PIPELINE, temporal } from './temporal-cli.ts';

const SCHEDULE = ['--schedule-id', 'weekly'];

let site: TestSite;
let client: Client;

beforeAll(async () => {
  site = await testSite();
  const connection = await Connection.connect({ address: site.address });
  cleanUp(() => connection.close());
  client = new Client({ connection, namespace: site.namespace });
  await startWorker(site);
  const { code, stderr } = await temporal(site, [
    ...['schedule', 'create', ...SCHEDULE, '--cron', '0 3 * * 1', '--overlap-policy', 'Skip'],
    ...[...PIPELINE, '--workflow-id', 'retrain', ...bytesOf(pipelineFile('small'))],
  ]);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
});

/** Triggers the schedule, and waits for the end of the run that it starts. */
async function triggered(count: number): Promise<ObservedRun> {
  await temporal(site, ['schedule', 'trigger', ...SCHEDULE]);
  const id = await until(`run ${count} of the schedule`, async () => {
    const { info } = await client.schedule.getHandle('weekly').describe();
    const actions = info.recentActions.map(({ action }) => action.workflow.workflowId);
    return actions[count - 1];
  });
  const run = await ObservedRun.open(site, id);
  await run.ended();
  return run;
}

async function shown(run: ObservedRun): Promise<string> {
  return (await retune(site, ['show', run.id])).stdout;
}

test('a triggered schedule runs the pipeline; again on unchanged data it trains nothing and says so', async () => {
  const first = await triggered(1);
  expect(await shown(first)).toContain(`run ${first.id} (small): completed\n`);
  expect(await first.attempts('tune')).toHaveLength(1);

  const second = await triggered(2);
  expect(second.id).not.toBe(first.id);
  expect(await shown(second)).toContain(
    `run ${second.id} (small): completed, 8 of 9 steps from the cache\n`,
  );
  const { stdout } = await retune(site, ['show', second.id, '--json']);
  const { steps } = JSON.parse(stdout) as RunState;
  expect(Object.values(steps).map(({ status }) => status)).toEqual([
    ...Array<string>(8).fill('cached'),
    'completed',
  ]);
  expect(steps['publish']?.note).toBe('the same model was registered before, as v1');
  // What costs anything leaves an attempt in the ledger.
  expect(await second.attempts('tune')).toEqual([]);
  const { startTime, closeTime } = await client.workflow.getHandle(second.id).describe();
  expect(Number(closeTime) - Number(startTime)).toBeLessThan(20_000);
});
