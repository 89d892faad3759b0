import { randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { freePort, LOOPBACK } from '../../cli/port.ts';
import { retune, startProgram, startWorker } from '../setup/processes.ts';
import { testSite } from '../setup/temporal.ts';
import { pipelineFile } from './observed-run.ts';
import { temporal } from './temporal-cli.ts';

/** In the pipeline, in what its steps put out, and in how one of them fails. */
const PLAIN = ['max_steps', 'learning_rate', 'train_rows', 'accuracy', 'no-such-column'];

const newKey = (id: string): string => `${id} ${randomBytes(32).toString('base64')}\n`;

test('with a codec the server holds no plain text, and keys can be replaced', async () => {
  const site = await testSite();
  const file = join(site.home, 'keys');
  const first = newKey('first');
  await writeFile(file, first);
  const env = { RETUNE_PAYLOAD_CODEC: file };
  expect((await retune(site, ['setup'])).code).toBe(0);
  const worker = await startWorker(site, [], { env });
  const run = (id: string, ...args: readonly string[]): ReturnType<typeof retune> =>
    retune(site, ['run', pipelineFile('small'), '--id', id, ...args], { env });
  expect((await run('secret')).code).toBe(0);
  const failed = await run('failed', '-p', 'text=no-such-column');
  expect([failed.code, failed.stdout]).toEqual([1, expect.stringContaining('no-such-column')]);

  // Payloads are in base64; the server's own JSON of a history, and its list of runs.
  for (const id of ['secret', 'failed']) {
    const shown = await temporal(site, ['workflow', 'show', '-w', id, '-o', 'json']);
    const described = await temporal(site, ['workflow', 'describe', '-w', id, '-o', 'json']);
    const texts = `${shown.stdout}${described.stdout}`;
    const data = [...texts.matchAll(/"data": "([^"]*)"/g)].map(([, text = '']) =>
      Buffer.from(text, 'base64').toString('latin1'),
    );
    expect(data.length).toBeGreaterThan(10);
    // Ids of activities, such as train_rows, are names of the server's own.
    const all = [texts.replaceAll(/"activityId": "[^"]*"/g, ''), ...data].join('\n');
    expect([id, PLAIN.filter((word) => all.includes(word))]).toEqual([id, []]);
    expect(texts).toContain('RetuneStatus');
  }

  // Who has no keys reads nothing; who has them, also after another one came first, does.
  expect(await retune(site, ['show', 'secret'])).toMatchObject({
    code: 1,
    stderr:
      "error: what the Temporal server holds is encrypted: let RETUNE_PAYLOAD_CODEC name the workers' " +
      'file of keys\n',
  });
  await writeFile(file, newKey('second') + first);
  await worker.end('SIGTERM');
  await startWorker(site, [], { env });
  const shown = await retune(site, ['show', 'secret'], { env });
  expect(shown.stdout).toMatch(/score +completed .*accuracy/);
  expect((await run('later')).code).toBe(0);

  // Temporal's own CLI, through a codec server.
  const port = await freePort();
  const server = startProgram('cli/main.ts', ['codec-server', '--port', `${port}`], {
    env: { ...site.env, ...env },
  });
  await server.untilPrinted(/codec server/);
  const endpoint = ['--codec-endpoint', `http://${LOOPBACK}:${port}`];
  const decoded = await temporal(site, ['workflow', 'show', '-w', 'secret', ...endpoint]);
  expect(decoded.stdout).toContain('"status":"completed"');
  const start = [
    'workflow',
    'execute',
    '--type',
    'pipeline',
    '--task-queue',
    'retune',
    '-w',
    'cli',
  ];
  const input = ['--input-file', pipelineFile('small'), '--input-meta', 'encoding=binary/plain'];
  const executed = await temporal(site, [...start, ...input, ...endpoint]);
  expect([executed.code, executed.stdout]).toEqual([0, expect.stringContaining('COMPLETED')]);
  const history = await temporal(site, ['workflow', 'show', '-w', 'cli', '-o', 'json']);
  const source = Buffer.from(/"data": "([^"]*)"/.exec(history.stdout)?.[1] ?? '', 'base64');
  expect(source.toString()).not.toContain('max_steps');
  expect(await server.end('SIGTERM')).toEqual({ code: 0, signal: null });
});

test.each([
  [
    '',
    /: it holds no key; expected lines of ID KEY, KEY being 32 bytes in base64; the first encrypts/,
  ],
  ['first c2hvcnQ=\n', /: line 1 is no key; expected lines of ID KEY/],
])('a file of keys %j is refused', async (text, message) => {
  const site = await testSite();
  const file = join(site.home, 'keys');
  await writeFile(file, text);
  const { code, stderr } = await retune(site, ['list'], { env: { RETUNE_PAYLOAD_CODEC: file } });
  expect([code, stderr.startsWith(`error: RETUNE_PAYLOAD_CODEC names ${file}`)]).toEqual([1, true]);
  expect(stderr).toMatch(message);
});
