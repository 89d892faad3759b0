import { beforeAll, expect, test } from 'vitest';
import { freePort, LOOPBACK } from '../../cli/port.ts';
import type { JsonObject } from '../../plan/json.ts';
import type { RunState } from '../../plan/plan.ts';
import { retune, startWorker } from '../setup/processes.ts';
import { ObservedRun, until } from './observed-run.ts';
import { ScheduleSite } from './schedule-site.ts';

let server: ScheduleSite;

beforeAll(async () => {
  server = await ScheduleSite.start();
  await startWorker(server.site);
  await server.write(
    "{ cron: '0 3 1 1 *', timezone: Europe/Paris, params: { rows: 16 } }",
    "{ cron: '@yearly', id: rare }",
  );
  await server.lines('apply', server.file);
  await server.untilListed('small', 'rare');
});

async function ended(id: string): Promise<RunState> {
  const run = await ObservedRun.open(server.site, id);
  await run.ended();
  const { stdout } = await retune(server.site, ['show', id, '--json']);
  return JSON.parse(stdout) as RunState;
}

test('without a server each command says so', async () => {
  const env = { TEMPORAL_ADDRESS: `${LOOPBACK}:${await freePort()}` };
  for (const args of [['apply', server.file], ['list'], ['trigger', 'small']]) {
    const { code, stderr } = await retune(server.site, ['schedule', ...args], { env });
    expect([code, stderr]).toEqual([1, expect.stringContaining('no Temporal server answers at')]);
  }
});

test('trigger runs the pipeline with the params of the schedule; on unchanged data it trains nothing', async () => {
  const { run } = await server.json<{ run: string }>('trigger', 'small');
  expect(run).toMatch(/^small-20/);
  const first = await ended(run);
  expect([first.status, first.steps['tune']?.status]).toEqual(['completed', 'completed']);
  expect(first.steps['train_rows']?.outputs?.['rows']).toBe(16);

  const [said = ''] = await server.lines('trigger', 'small');
  const [, again = ''] = /^schedule small: run (\S+) started; 'retune show \1' shows it$/.exec(
    said,
  )!;
  const { status, steps } = await ended(again);
  expect(status).toBe('completed');
  const { publish, ...others } = steps;
  expect([...new Set(Object.values(others).map((step) => step.status))]).toEqual(['cached']);
  expect(publish?.note).toBe('the same model was registered before, as v1');
  const [, small] = await server.json<readonly JsonObject[]>('list');
  expect(small?.['last']).toEqual({ id: again, status: 'completed' });
});

test('-p params reach the runs', async () => {
  await server.lines('apply', server.file, '-p', 'rows=24');
  const { run } = await server.json<{ run: string }>('trigger', 'rare');
  const { steps } = await ended(run);
  expect(steps['train_rows']?.outputs?.['rows']).toBe(24);
});

test('backfill runs the times of the past, each once', async () => {
  const times = ['--from', '2023-06-01', '--to', '2025-06-01'];
  expect(await server.json('backfill', 'rare', ...times)).toEqual({ id: 'rare', runs: 2 });
  for (const year of [2024, 2025]) {
    const id = `rare-${year}-01-01T00:00:00Z`;
    await until(id, async () => {
      const found = await server.client.workflow
        .getHandle(id)
        .describe()
        .catch(() => undefined);
      return found === undefined ? undefined : true;
    });
    expect((await ended(id)).steps['tune']?.status).toBe('cached');
  }
});

test.each([
  [
    ['--from', '2024-06-01', '--to', '2024-07-01'],
    "schedule 'rare' has no time from 2024-06-01 to 2024-07-01: nothing to run",
  ],
  [
    ['--from', '2024-07-01', '--to', '2024-06-01'],
    '--from 2024-07-01 is not before --to 2024-06-01',
  ],
  [
    ['--from', 'monday', '--to', '2024-06-01'],
    '--from monday: expected a time such as 2026-01-31T03:00:00Z',
  ],
  [
    ['--from', '2024-07-01', '--to', '2999-06-01'],
    '--to 2999-06-01 is not past: a backfill is of times that were missed',
  ],
])('backfill %j is refused', async (times, message) => {
  expect(await server.refusal('backfill', 'rare', ...times)).toBe(`error: ${message}\n`);
});

test('trigger says so when the run before still goes on', async () => {
  await server.write("{ cron: '@yearly', params: { max_steps: 1000000 } }");
  await server.lines('apply', server.file);
  const { run } = await server.json<{ run: string }>('trigger', 'small');
  expect(await server.refusal('trigger', 'small')).toBe(
    `error: schedule 'small' started nothing: '${run}' still goes on, and overlap is skip; ` +
      `wait for it, or stop it with 'retune cancel ${run}'\n`,
  );
  await retune(server.site, ['cancel', run]);
});

test('a schedule that is not there, or starts something else', async () => {
  for (const args of [['trigger'], ['pause'], ['resume'], ['delete']]) {
    expect(await server.refusal(...args, 'nobody')).toBe(
      "error: no schedule 'nobody': 'retune schedule list' shows the schedules there are\n",
    );
  }
  await server.client.schedule.create({
    scheduleId: 'other',
    spec: {},
    action: { type: 'startWorkflow', workflowType: 'other', taskQueue: 'other' },
  });
  expect(await server.refusal('delete', 'other')).toBe(
    "error: schedule 'other' starts 'other', no pipeline: use 'temporal schedule' for it\n",
  );
});

test('delete takes a schedule away', async () => {
  expect(await server.lines('delete', 'small')).toEqual([
    'schedule small: deleted; its runs stay as they are',
  ]);
  await server.untilListed('other');
});
