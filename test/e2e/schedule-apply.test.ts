import { readFile, writeFile } from 'node:fs/promises';
import { beforeAll, expect, test } from 'vitest';
import type { JsonObject } from '../../plan/json.ts';
import { ScheduleSite } from './schedule-site.ts';
import { bytesOf, PIPELINE, temporal } from './temporal-cli.ts';

// One story on one server: each test goes on from the schedules that the one before has left.

/** Times that no run of these tests starts by itself at. */
const FIRST = "{ cron: '0 3 1 1 *', timezone: Europe/Paris, params: { rows: 16 } }";
const SECOND = "{ cron: '@yearly', id: rare, jitter: 0s, catchup_window: 1d }";

let server: ScheduleSite;

beforeAll(async () => {
  server = await ScheduleSite.start();
});

async function ids(): Promise<readonly string[]> {
  const listed = await server.json<readonly { id: string }[]>('list');
  return listed.map(({ id }) => id);
}

test('a dry run says what apply would create, and creates nothing', async () => {
  await server.write(FIRST, SECOND);
  const printed = await server.lines('apply', server.file, '--dry-run');
  expect(printed.map((line) => line.replace(/sha256:\w+/, 'DIGEST'))).toEqual([
    'schedule small: create',
    '  cron: 0 3 1 1 *',
    '  timezone: Europe/Paris',
    '  overlap: skip',
    '  catchup_window: 5m',
    '  jitter: 0s',
    '  pause_on_failure: false',
    '  workflow: pipeline',
    '  queue: retune',
    '  workflow_id: small',
    '  params.rows: 16',
    `  source_name: ${server.file}`,
    expect.stringMatching(/^ {2}pipeline: \d+ lines, DIGEST$/),
    'schedule rare: create',
    '  cron: @yearly',
    '  timezone: UTC',
    '  overlap: skip',
    '  catchup_window: 1d',
    ...['  jitter: 0s', '  pause_on_failure: false', '  workflow: pipeline', '  queue: retune'],
    ...['  workflow_id: rare', `  source_name: ${server.file}`],
    expect.stringMatching(/^ {2}pipeline: \d+ lines, DIGEST$/),
    'dry run, nothing was changed: 2 to create',
  ]);
  expect(await server.lines('list')).toEqual([
    "no schedules yet: 'retune schedule apply FILE' makes those of a file",
  ]);
});

test('apply creates the schedules of a file; again it changes nothing', async () => {
  expect((await server.lines('apply', server.file)).at(-1)).toBe('2 created');
  expect(await server.lines('apply', server.file)).toEqual([
    'schedule small: unchanged',
    'schedule rare: unchanged',
    '2 unchanged',
  ]);
  await server.untilListed('small', 'rare');
  const listed = await server.json<readonly JsonObject[]>('list');
  const year = new Date().getUTCFullYear() + 1;
  const shape = {
    pipeline: 'small',
    overlap: 'skip',
    paused: false,
    note: null,
    last: null,
    waits_for: null,
  };
  expect(listed).toEqual([
    {
      ...{ ...shape, id: 'rare', cron: '@yearly', timezone: 'UTC' },
      next: `${year}-01-01T00:00:00.000Z`,
    },
    {
      ...{ ...shape, id: 'small', cron: '0 3 1 1 *', timezone: 'Europe/Paris' },
      next: `${year}-01-01T02:00:00.000Z`,
    },
  ]);
  expect((await server.lines('list'))[2]).toMatch(
    /^small +small +0 3 1 1 \* +Europe\/Paris +skip +\S+Z +-$/,
  );
});

test('a file that has changed updates its schedule, and says what; a paused one stays paused', async () => {
  expect(await server.lines('pause', 'small', '--note', 'holidays')).toEqual([
    "schedule small: paused; 'retune schedule resume small' ends that",
  ]);
  await server.write("{ cron: '@every 90m', overlap: buffer_one, pause_on_failure: true }", SECOND);
  const expected = [
    'schedule small: update',
    '  cron: 0 3 1 1 * -> @every 1h30m',
    '  timezone: Europe/Paris -> UTC',
    '  overlap: skip -> buffer_one',
    '  pause_on_failure: false -> true',
    '  params.rows: 16 -> 24',
    expect.stringMatching(/^ {2}pipeline: \d+ lines, sha256:\w+ -> \d+ lines, sha256:\w+$/),
    'schedule rare: update',
    '  params.rows: none -> 24',
    expect.stringMatching(/^ {2}pipeline: /),
  ];
  const args = ['apply', server.file, '-p', 'rows=24'];
  expect(await server.lines(...args, '--dry-run')).toEqual([
    ...expected,
    'dry run, nothing was changed: 2 to update',
  ]);
  expect(await server.lines(...args)).toEqual([...expected, '2 updated']);
  expect((await server.lines(...args)).at(-1)).toBe('2 unchanged');

  const small = (await server.json<readonly JsonObject[]>('list')).find(({ id }) => id === 'small');
  expect(small).toMatchObject({ paused: true, note: 'holidays', next: null });
  expect((await server.lines('list'))[2]).toContain('  paused: holidays  ');
  expect(await server.lines('resume', 'small')).toEqual([
    expect.stringMatching(/^schedule small: resumed; next run 20\S+Z$/),
  ]);
});

test('a schedule that was changed by hand is what the file says again', async () => {
  await server.client.schedule.getHandle('small').update(({ memo: _, ...found }) => ({
    ...found,
    spec: { calendars: [{ hour: 5 }] },
    policies: { ...found.policies, overlap: 'BUFFER_ALL' },
  }));
  expect(await server.lines('apply', server.file, '-p', 'rows=24')).toEqual([
    'schedule small: update',
    '  cron: (a calendar) -> @every 1h30m',
    '  overlap: buffer_all -> buffer_one',
    'schedule rare: unchanged',
    '1 updated, 1 unchanged',
  ]);
});

test("a file without schedules deletes those of its pipeline, and nobody else's", async () => {
  const created = await temporal(server.site, [
    ...['schedule', 'create', '--schedule-id', 'foreign', '--cron', '@yearly', ...PIPELINE],
    ...['--workflow-id', 'foreign', ...bytesOf(server.file)],
  ]);
  expect(created.stderr).toBe('');
  await server.untilListed('foreign', 'rare', 'small');
  await server.write();
  expect(await server.lines('apply', server.file, '--dry-run')).toEqual([
    'schedule rare: delete (the file does not have it)',
    'schedule small: delete (the file does not have it)',
    'dry run, nothing was changed: 2 to delete',
  ]);
  expect((await server.lines('apply', server.file)).at(-1)).toBe('2 deleted');
  await server.untilListed('foreign');
  expect(await server.lines('apply', server.file)).toEqual([
    'pipeline small has no schedules, neither in its file nor on the server',
    'nothing to do',
  ]);
  expect((await server.lines('list'))[1]).toMatch(
    /^foreign +- +\(a calendar\) +UTC +skip +20\S+Z +-$/,
  );
});

test('an id that another schedule has is refused, and nothing is done', async () => {
  await server.write(SECOND, "{ cron: '@yearly', id: foreign }");
  expect(await server.refusal('apply', server.file)).toBe(
    "error: a schedule 'foreign' is there already, and it was not made by 'retune schedule apply': " +
      "nothing was changed; give this one another 'id' in the file, or delete that one: " +
      "'retune schedule delete foreign'\n",
  );
  expect(await ids()).toEqual(['foreign']);
});

test('a file with findings is refused, and so are runs without a param that they need', async () => {
  await server.write("{ cron: '@dayly' }");
  expect(await server.refusal('apply', server.file)).toContain(
    "'cron' is '@dayly'; did you mean '@daily'?",
  );
  await server.write("{ cron: '@yearly' }");
  const text = await readFile(server.file, 'utf8');
  await writeFile(
    server.file,
    text.replace(/^params:$/m, 'params:\n  source_name: { type: string }'),
  );
  expect(await server.refusal('apply', server.file)).toMatch(
    /^error: the runs of schedule 'small' would be refused:\n.*param 'source_name' has no default/,
  );
  expect(await ids()).toEqual(['foreign']);
});
