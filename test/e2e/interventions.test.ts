import { writeFile } from 'node:fs/promises';
import type { IncomingHttpHeaders } from 'node:http';
import { text } from 'node:stream/consumers';
import { beforeAll, expect, test, vi } from 'vitest';
import { signed } from '../../activities/webhook.ts';
import type { RunState } from '../../plan/plan.ts';
import { readAttempts } from '../../store/ledger.ts';
import { startFileServer } from '../servers/file-server.ts';
import { cleanUp } from '../setup/cleanup.ts';
import { HOOK, IntervenedSite } from './intervened-site.ts';
import { openSiteStore, until } from './observed-run.ts';

vi.setConfig({ testTimeout: 240_000, hookTimeout: 120_000 });

let site: IntervenedSite;
beforeAll(async () => {
  site = await IntervenedSite.open();
});

/** A step that fails until \`file\` is there, one after it, and one that has nothing to do with it. */
function shaky(file: string, more = ''): string {
  return `
name: shaky
params: { word: hello, other: beside }
steps:
  beside: { uses: echo@1, with: { value: '\${{ params.other }} of \${{ run.id }}' } }
  shaky:
    uses: shaky@1
    on_failure: pause
    with: { file: '${file}', value: '\${{ params.word }}' }
  after: { uses: echo@1, with: { value: '\${{ steps.shaky.outputs.value }} again' } }
${more}outputs: { value: '\${{ steps.after.outputs.value }}', beside: '\${{ steps.beside.outputs.value }}' }
`;
}

/** Attempts by step, from the ledger. */
async function attempts(workflowId: string, { site: at } = site): Promise<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (const { step } of await readAttempts(await openSiteStore(at), { workflowId })) {
    counts[step] = (counts[step] ?? 0) + 1;
  }
  return counts;
}

function statuses({ steps }: RunState): Record<string, string> {
  return Object.fromEntries(Object.entries(steps).map(([id, { status }]) => [id, status]));
}

test('a step is skipped: what depends on it is left out, or reads the outputs that somebody gives', async () => {
  await site.submit('skipped', shaky(site.path('never')));
  await site.paused('skipped');
  const { code, stdout } = await site.retune('skip', 'skipped', 'shaky', '--follow');
  expect({ code, stdout }).toMatchObject({
    code: 0,
    stdout: expect.stringContaining('run skipped: left out: shaky'),
  });
  const left = await site.ended('skipped');
  expect(statuses(left)).toEqual({ beside: 'completed', shaky: 'skipped', after: 'skipped' });
  expect(left.steps['shaky']?.note).toBe(`left out by hand after: no ${site.path('never')} yet`);

  await site.submit('given', shaky(site.path('never')));
  await site.paused('given');
  const wrong = await site.retune('skip', 'given', 'shaky', '--outputs', '{"value": 7, "sum": 1}');
  expect(wrong).toMatchObject({
    code: 1,
    stderr:
      "error: outputs for step 'shaky': 'value' is 7; expected a string; unknown key 'sum'; expected value\n",
  });
  const given = { step: 'shaky', outputs: { value: 'by hand' } };
  expect(await site.update('given', 'skip', given)).toMatchObject({ code: 0 });
  const ended = await site.ended('given');
  expect(ended).toMatchObject({ status: 'completed', outputs: { value: 'by hand again' } });
  // What a person gave is the result of nothing: another run of the step does not find it.
  await site.submit('asked-again', shaky(site.path('never')));
  expect(statuses(await site.paused('asked-again'))).toMatchObject({ shaky: 'paused' });
});

test('params are changed while the run is paused: exactly what depends on them runs again', async () => {
  await site.submit('changed', shaky(site.path('changed')));
  await site.paused('changed');
  await writeFile(site.path('changed'), '');
  const unknown = await site.retune('set-params', 'changed', '-p', 'wrod=bye');
  expect(unknown).toMatchObject({ code: 1, stderr: expect.stringContaining("'wrod'") });
  const wrong = await site.update('changed', 'set_params', { params: { word: 7 } });
  expect(wrong.code).toBe(1);
  expect(wrong.stderr).toContain("param 'word' was given as 7; expected a string");
  expect(statuses(await site.state('changed'))).toMatchObject({ shaky: 'paused' });

  const { code, stdout } = await site.retune('set-params', 'changed', '-p', 'word=bye');
  expect({ code, stdout }).toEqual({ code: 0, stdout: 'run changed: runs again: shaky\n' });
  const ended = await site.ended('changed');
  expect(ended.outputs).toEqual({ value: 'bye again', beside: 'beside of changed' });
  expect(await attempts('changed')).toEqual({ beside: 1, shaky: 2, after: 1 });
});

test('params that the paused step does not read leave it paused', async () => {
  await site.submit('other', shaky(site.path('other')));
  await site.paused('other');
  const answer = await site.update('other', 'set_params', { params: { other: 'elsewhere' } });
  expect(answer.code).toBe(0);
  const state = await site.until('other', 'beside', ({ steps, status }) => {
    return steps['beside']?.outputs?.['value'] === 'elsewhere of other' && status === 'paused';
  });
  expect(statuses(state)).toEqual({ beside: 'completed', shaky: 'paused', after: 'pending' });
  // It goes on from these params, also in a later submission.
  await site.retune('cancel', 'other');
  await writeFile(site.path('other'), '');
  expect(await site.retune('resume', 'other')).toMatchObject({ code: 0 });
  expect((await site.state('other')).outputs).toMatchObject({ beside: 'elsewhere of other' });
});

test('a signal holds a run, and another lets it go on', async () => {
  const file = site.path('held');
  await site.submit(
    'held',
    `
name: held
steps:
  first: { uses: waits@1, with: { file: '${file}' } }
  second: { uses: echo@1, with: { value: '\${{ steps.first.outputs.value }}' } }
`,
  );
  await site.until('held', 'a step under way', ({ steps }) => steps['first']?.status === 'running');
  const early = await site.update('held', 'set_params', { params: {} });
  expect(early.stderr).toContain(
    "the run is running: params can be changed while it is paused, as by the signal 'pause'; now 'first' still run",
  );
  expect(await site.retune('pause', 'held')).toMatchObject({ code: 0, stderr: '' });
  await writeFile(file, '');
  const held = await site.paused('held');
  expect(statuses(held)).toEqual({ first: 'completed', second: 'pending' });
  expect(held.note).toBe("no step starts until the signal 'resume'");
  expect(await site.retune('resume', 'held')).toMatchObject({ code: 0 });
  expect(statuses(await site.state('held'))).toEqual({ first: 'completed', second: 'completed' });
});

test('nobody comes: the step has failed after its pause_timeout, and a step for failures runs', async () => {
  await site.submit(
    'alone',
    shaky(
      site.path('alone'),
      `  tell: { uses: echo@1, if: failure(), needs: [shaky], with: { value: told } }\n`,
    ).replace('on_failure: pause', 'on_failure: pause\n    pause_timeout: 2s'),
  );
  const ended = await site.ended('alone');
  expect(ended.error?.message).toBe(
    `step 'shaky' failed: no ${site.path('alone')} yet (nobody said retry or skip within its pause_timeout)`,
  );
  expect(statuses(ended)).toMatchObject({ shaky: 'failed', after: 'skipped', tell: 'completed' });
});

test('a paused run can be cancelled', async () => {
  await site.submit('left', shaky(site.path('left')));
  await site.paused('left');
  expect(await site.retune('cancel', 'left')).toMatchObject({ code: 0 });
  const state = await site.state('left');
  expect(state.status).toBe('cancelled');
  expect(statuses(state)).toMatchObject({ shaky: 'cancelled', after: 'cancelled' });
});

test('entries of a matrix are paused and tried again by themselves', async () => {
  await site.submit(
    'entries',
    `
name: entries
steps:
  shaky:
    uses: shaky@1
    on_failure: pause
    strategy: { matrix: { name: [one, two, three] } }
    with: { file: '${site.folder}/entry-\${{ matrix.name }}', value: '\${{ matrix.name }}' }
  all: { uses: echo@1, with: { value: "\${{ join(steps.shaky.outputs.*.value, ' ') }}" } }
`,
  );
  await writeFile(site.path('entry-two'), '');
  const paused = await site.until('entries', 'two pauses', ({ status, steps }) => {
    return status === 'paused' && steps['shaky (name=three)']?.status === 'paused';
  });
  expect(paused.note).toMatch(
    /^'shaky \(name=one\)', .*'shaky \(name=three\)' failed: retry or skip$/,
  );
  await writeFile(site.path('entry-one'), '');
  const one = await site.update('entries', 'retry', 'shaky (name=one)');
  expect(one.code).toBe(0);
  await writeFile(site.path('entry-two'), '');
  await writeFile(site.path('entry-three'), '');
  // Of the step whole, or of all that is paused.
  expect(await site.update('entries', 'retry', null)).toMatchObject({ code: 0 });
  const ended = await site.ended('entries');
  expect(ended.steps['all']?.outputs).toEqual({ value: 'one two three' });
});

test('what cannot be done is refused with a reason, and changes nothing', async () => {
  await site.submit('refused', shaky(site.path('refused')));
  const before = await site.paused('refused');
  const refusals: readonly [string, unknown, string][] = [
    ['retry', { step: 'shakey' }, "no step 'shakey'; expected one of beside, shaky, after"],
    [
      ...(['retry', { step: 'beside' }] as const),
      "step 'beside' is completed: only a step that is paused because it failed is tried again; when the run has ended, submit it again with 'from: beside'",
    ],
    [
      'retry',
      { stpe: 'shaky' },
      'retry: unknown key \'stpe\'; expected step, as in {"step": "tune"}',
    ],
    ['skip', { step: 'beside' }, 'only a step that has not begun, or is paused, can be skipped'],
    ['skip', { step: 'shaky', outputs: 7 }, 'skip: outputs is 7; expected a map, as in'],
    [
      'approve',
      { step: 'shaky', decision: 'approved', by: 'ada' },
      'asks nothing; no step of the run does',
    ],
    [
      'approve',
      { step: 'shaky', decision: 'yes', by: 'ada' },
      'decision is "yes"; expected approved or rejected',
    ],
    ['approve', { step: 'shaky', decision: 'approved' }, 'approve: by is missing; expected text'],
    ['set_params', { params: [1] }, 'set_params: params is [1]; expected a map of params'],
  ];
  for (const [name, input, reason] of refusals) {
    const { code, stderr: said } = await site.update('refused', name, input);
    // The Temporal CLI quotes what it was told.
    const stderr = said.replaceAll('\\"', '"');
    expect({ name, input, code, stderr }).toMatchObject({
      code: 1,
      stderr: expect.stringContaining(reason),
    });
    expect(stderr).not.toMatch(/\n +at |interventions\.ts/);
  }
  expect(await site.state('refused')).toEqual(before);
  await site.retune('cancel', 'refused');
  expect(await site.retune('retry', 'refused')).toMatchObject({
    code: 1,
    stderr:
      "error: run 'refused' has ended already (cancelled): 'retune resume refused' submits it again\n",
  });
});

test('a step that fails for good pauses the run, and another try of it completes it', async () => {
  // A worker ends with the test that starts it.
  const own = await IntervenedSite.open();
  const file = own.path('retried');
  await own.submit('retried', shaky(file));
  const paused = await own.paused('retried');
  expect(paused.note).toBe("'shaky' failed: retry or skip");
  expect(statuses(paused)).toEqual({ beside: 'completed', shaky: 'paused', after: 'pending' });
  // The worker and all that it knew is gone; the pause is not.
  await own.worker.end('SIGKILL');
  await own.startWorker();
  await writeFile(file, '');
  const { code, stdout } = await own.update('retried', 'retry', { step: 'shaky' });
  expect({ code, stdout }).toMatchObject({ code: 0, stdout: expect.stringContaining('shaky') });
  const ended = await own.ended('retried');
  expect(ended).toMatchObject({ status: 'completed', outputs: { value: 'hello again' } });
  expect(await attempts('retried', own)).toEqual({ beside: 1, shaky: 2, after: 1 });
});

interface PauseMessage {
  readonly steps: readonly { readonly step: string }[];
}

const GATED = `
name: gated
steps:
  made: { uses: echo@1, with: { value: model } }
  gate:
    uses: approve@1
    with: { message: 'publish the \${{ steps.made.outputs.value }}?', timeout: 1h }
  publish: { uses: echo@1, needs: [gate], with: { value: published } }
outputs: { by: '\${{ steps.gate.outputs.by }}' }
`;

test('a step asks: it runs once somebody has approved, and not again in a resumption', async () => {
  await site.submit('gated', GATED);
  const asking = await site.paused('gated');
  expect(asking.note).toBe("'gate' asks: approve");
  expect(asking.steps['gate']?.question).toBe('publish the model?');
  const shown = await site.retune('show', 'gated');
  expect(shown.stdout).toContain('asks: publish the model?');
  const answer = { step: 'gate', decision: 'approved', by: 'ada', comment: 'looks well' };
  expect(await site.update('gated', 'approve', answer)).toMatchObject({ code: 0 });
  const ended = await site.ended('gated');
  expect(ended.outputs).toEqual({ by: 'ada' });
  expect(ended.steps['gate']?.note).toBe('approved by ada: looks well');
  const again = await site.retune('resume', 'gated');
  expect(again).toMatchObject({ code: 0 });
  expect((await site.state('gated')).steps['gate']?.note).toBe(
    'approved by ada: looks well (in an earlier execution)',
  );
});

test('a rejection fails the step, or is its output; so does the end of the time to answer', async () => {
  await site.submit('rejected', GATED);
  await site.paused('rejected');
  const no = ['approve', 'rejected', 'gate', '--reject', '--by', 'bob', '--comment', 'too early'];
  expect(await site.retune(...no)).toMatchObject({
    code: 0,
    stdout: 'run rejected: rejected: gate\n',
  });
  const rejected = await site.ended('rejected');
  expect(rejected.steps['gate']?.error).toEqual({
    type: 'Rejected',
    message: 'rejected by bob: too early',
  });
  expect(statuses(rejected)).toMatchObject({ publish: 'skipped' });

  const late = GATED.replace('timeout: 1h', 'timeout: 1s, on_reject: continue');
  await site.submit('late', late);
  const { steps } = await site.ended('late');
  expect(steps['gate']?.outputs).toEqual({
    decision: 'rejected',
    by: '',
    comment: 'nobody decided in time',
  });
});

test('a webhook hears of each pause, signed, though it was away at first', async () => {
  const server = await startFileServer();
  cleanUp(() => server.close());
  const heard: { headers: IncomingHttpHeaders; body: string }[] = [];
  let isAway = true;
  server.on('/', (request, response) => {
    void text(request).then((body) => {
      response.statusCode = isAway ? 503 : 200;
      if (!isAway) heard.push({ headers: request.headers, body });
      isAway = false;
      response.end();
    });
  });
  const file = site.path('told');
  const pause = `on: { pause: { url: '${server.url}/', secret: '\${{ secrets.HOOK }}' } }\n`;
  await site.submit(
    'told',
    `${GATED}${pause}`
      .replace('needs: [gate]', 'needs: [gate, shaky]')
      .replace(
        '  gate:',
        `  shaky: { uses: shaky@1, on_failure: pause, with: { file: '${file}', value: word } }\n  gate:`,
      ),
  );
  const messages = await until('two pauses', () => {
    const steps = heard.flatMap(({ body }) => (JSON.parse(body) as PauseMessage).steps);
    return Promise.resolve(steps.length === 2 ? steps : undefined);
  });
  expect(messages.toSorted((a, b) => a.step.localeCompare(b.step))).toEqual([
    {
      ...{ step: 'gate', reason: 'asks', message: 'publish the model?' },
      until: expect.stringMatching(/^20.*Z$/),
    },
    {
      ...{ step: 'shaky', reason: 'failed', message: `no ${file} yet` },
      until: expect.stringMatching(/^20.*Z$/),
    },
  ]);
  for (const { headers, body } of heard) {
    const id = headers['webhook-id'] as string;
    const at = 1000 * Number(headers['webhook-timestamp']);
    expect(headers).toMatchObject(signed({ id, secret: HOOK }, body, at));
    expect(JSON.parse(body)).toMatchObject({
      ...{ type: 'run.paused', run: 'told', pipeline: 'gated' },
      text: expect.stringMatching(/^run told [(]gated[)] waits: /),
    });
  }
  await writeFile(file, '');
  await site.update('told', 'retry', 'shaky');
  await site.update('told', 'approve', { step: 'gate', decision: 'approved', by: 'ada' });
  expect((await site.ended('told')).status).toBe('completed');
});

test('a schedule says that a paused run keeps it from starting others', async () => {
  const file = site.path('scheduled.yaml');
  await writeFile(file, `${shaky(site.path('never'))}on: { schedule: [{ cron: '@yearly' }] }\n`);
  const steps = ['--steps', site.path('kinds.ts')];
  expect(await site.retune('schedule', 'apply', file, ...steps)).toMatchObject({ code: 0 });
  const { stdout } = await site.retune('schedule', 'trigger', 'shaky', '--json');
  const { run } = JSON.parse(stdout) as { run: string };
  await site.paused(run);
  const listed = await site.retune('schedule', 'list');
  expect(listed.stdout).toContain(`none while '${run}' is paused`);
  expect(listed.stdout).toContain(`${run} (paused)`);
  await site.retune('cancel', run);
  const after = await site.retune('schedule', 'list', '--json');
  expect(JSON.parse(after.stdout)).toMatchObject([
    { waits_for: null, last: { status: 'cancelled' } },
  ]);
});
