import { expect, test } from 'vitest';
import type { JsonObject } from '../../plan/json.ts';
import { retune, startProgram, startWorker } from '../setup/processes.ts';
import { testSite } from '../setup/temporal.ts';
import { pipelineFile } from './observed-run.ts';

const TIME = /^\d{4}-\d\d-\d\dT[\d:.]+Z {2}/;

test('logs tells what happened to a run; with --follow until it ends', async () => {
  const site = await testSite();
  const worker = await startWorker(site);
  const args = [pipelineFile('small'), '-p', 'max_steps=8'];
  expect((await retune(site, ['run', ...args, '--id', 'first', '--detach'])).code).toBe(0);
  const follower = startProgram('cli/main.ts', ['logs', 'first', '--follow'], { env: site.env });
  expect(await follower.exited).toEqual({ code: 0, signal: null });
  const lines = follower.stdout.trimEnd().split('\n');
  expect(lines.filter((line) => !TIME.test(line))).toEqual([]);
  const said = lines.map((line) => line.replace(TIME, ''));
  expect([said[0], said.at(-1)]).toEqual(['submitted', 'completed']);
  expect(said).toContain('tune  attempt 1 trains');
  expect(said).toContain('tune  attempt 1: completed after optimizer step 8');
  const place = new RegExp(`^tune  attempt 1 of train@1 starts on \\S+, process \\d+$`);
  expect(said.some((line) => place.test(line))).toBe(true);

  expect((await retune(site, ['run', ...args, '--id', 'again'])).code).toBe(0);
  const json = await retune(site, ['logs', 'again', '--step', 'tune', '--json']);
  const events = json.stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as JsonObject);
  expect(events).toEqual([
    {
      at: expect.any(String) as string,
      step: 'tune',
      text: expect.stringMatching(/^cached: /) as string,
    },
  ]);

  const bad = ['run', pipelineFile('small'), '-p', 'text=none', '--id', 'bad'];
  expect((await retune(site, bad)).code).toBe(1);
  const { stdout } = await retune(site, ['logs', 'bad']);
  expect(stdout).toMatch(/ {2}data {2}attempt 1: failed: InvalidInput: .*none/);
  expect(stdout).toMatch(/ {2}failed: step 'data' failed: .*none/);

  expect(await retune(site, ['logs', 'nobody'])).toMatchObject({
    code: 1,
    stderr: "error: no run 'nobody': 'retune list' shows the runs there are\n",
  });
  expect(await worker.end('SIGTERM')).toEqual({ code: 0, signal: null });
});
