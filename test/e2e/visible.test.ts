import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Client, Connection } from '@temporalio/client';
import { expect, test } from 'vitest';
import { cleanUp } from '../setup/cleanup.ts';
import { retune, startWorker } from '../setup/processes.ts';
import { testSite, type TestSite } from '../setup/temporal.ts';
import { pipelineFile, until } from './observed-run.ts';
import { temporal, temporalJson } from './temporal-cli.ts';

async function clientOf({ address, namespace }: TestSite): Promise<Client> {
  const connection = await Connection.connect({ address });
  cleanUp(() => connection.close());
  return new Client({ connection, namespace });
}

const small = (id: string): readonly string[] => ['run', pipelineFile('small'), '--id', id];

test('without search attributes on the server a run goes on without them', async () => {
  const site = await testSite();
  await startWorker(site);
  expect((await retune(site, small('plain'))).code).toBe(0);
  const client = await clientOf(site);
  const { searchAttributes, memo } = await client.workflow.getHandle('plain').describe();
  expect(Object.keys(searchAttributes).filter((name) => name.startsWith('Retune'))).toEqual([]);
  expect(memo).toEqual({ pipeline: 'small' });
  const { currentDetails } = await client.workflow
    .getHandle('plain')
    .query<{ currentDetails: string }>('__temporal_workflow_metadata');
  const rows = currentDetails.replaceAll(/\d+\.\d+(e-\d+)?/g, 'N').split('\n');
  expect(rows).toContain('**small**: completed');
  expect(rows).toContain('| train_rows | completed | N s | rows 64 |');
  expect(rows.find((row) => row.startsWith('| tune'))).toMatch(
    /^\| tune \| completed \| N s \| best_step 4, train_loss N, .*eval_loss N, eval_accuracy N/,
  );
});

test('setup registers them, once, and runs are found by them', async () => {
  const site = await testSite();
  const head = `search attributes of namespace '${site.namespace}' at ${site.address}:\n`;
  const rows = (was: string): string =>
    `  RetunePipeline  KEYWORD       ${was}\n  RetuneStatus    KEYWORD       ${was}\n` +
    `  RetuneParams    KEYWORD_LIST  ${was}\n  RetuneModels    KEYWORD_LIST  ${was}\n`;
  const ended = { code: 0, stderr: '' };
  expect(await retune(site, ['setup'])).toMatchObject({
    ...ended,
    stdout: head + rows('registered now'),
  });
  expect(await retune(site, ['setup'])).toMatchObject({
    ...ended,
    stdout: head + rows('was there'),
  });
  await startWorker(site);
  expect((await retune(site, [...small('found'), '-p', 'max_steps=2'])).code).toBe(0);
  expect((await retune(site, [...small('bad'), '-p', 'text=none'])).code).toBe(1);
  const query = async (text: string): Promise<readonly string[]> => {
    const found = (await temporalJson(site, ['workflow', 'list', '--query', text])) as readonly {
      execution: { workflowId: string };
    }[];
    return found.map(({ execution }) => execution.workflowId);
  };
  expect(await query("RetunePipeline = 'small' AND RetuneStatus = 'completed'")).toEqual(['found']);
  expect(await query("RetuneStatus = 'failed'")).toEqual(['bad']);
  expect(await query("RetuneParams = 'max_steps=2'")).toEqual(['found']);
  expect((await query("RetuneModels = 'small'")).toSorted()).toEqual(['bad', 'found']);

  const list = async (...args: readonly string[]): Promise<readonly string[]> => {
    const { stdout } = await retune(site, ['list', '--json', ...args]);
    return (JSON.parse(stdout) as { id: string }[]).map(({ id }) => id);
  };
  expect(await list()).toEqual(['bad', 'found']);
  expect(await list('--limit', '1')).toEqual(['bad']);
  expect(await list('--status', 'completed')).toEqual(['found']);
  expect(await list('--pipeline', 'small', '--since', '1h')).toEqual(['bad', 'found']);
  expect(await list('--pipeline', 'other')).toEqual([]);
  expect(await list('--since', '2999-01-01')).toEqual([]);
  expect(await retune(site, ['list', '--since', 'yesterday'])).toMatchObject({
    code: 1,
    stderr:
      "error: --since 'yesterday': expected a time, such as 2026-01-31 or 2026-01-31T03:00:00Z, or how " +
      'long ago, such as 90m, 12h or 7d\n',
  });
});

test('a run that waits for a person is found as paused, and after that no more', async () => {
  const site = await testSite();
  expect((await retune(site, ['setup'])).code).toBe(0);
  await startWorker(site);
  const file = join(site.home, 'asks.yaml');
  await writeFile(
    file,
    'name: asks\nparams: { to: nobody }\nsteps:\n  ask: { uses: approve@1, with: { message: "to ${{ params.to }}?" } }\n',
  );
  expect((await retune(site, ['run', file, '--id', 'asks', '--detach'])).code).toBe(0);
  const found = async (query: string): Promise<number> =>
    ((await temporalJson(site, ['workflow', 'list', '--query', query])) as unknown[]).length;
  await until('a paused run', async () =>
    (await found("RetuneStatus = 'paused' AND RetunePipeline = 'asks'")) === 1 ? true : undefined,
  );
  const list = await retune(site, ['list', '--status', 'paused', '--json']);
  expect(JSON.parse(list.stdout)).toMatchObject([{ id: 'asks', status: 'paused' }]);
  expect((await retune(site, ['approve', 'asks', 'ask'])).code).toBe(0);
  await until('its end', async () =>
    (await found("RetuneStatus = 'completed'")) === 1 ? true : undefined,
  );
  expect(await found("RetuneStatus = 'paused'")).toBe(0);
});

test('an attribute of another type is told, and left alone', async () => {
  const site = await testSite();
  const create = ['operator', 'search-attribute', 'create', '--name', 'RetuneStatus'];
  expect((await temporal(site, [...create, '--type', 'Text'])).code).toBe(0);
  expect(await retune(site, ['setup'])).toMatchObject({
    code: 1,
    stderr:
      `error: the search attribute RetuneStatus of namespace '${site.namespace}' has another type than ` +
      "KEYWORD: remove it with 'temporal operator search-attribute remove --name RetuneStatus', if " +
      'nothing else needs it, then try again\n',
  });
});
