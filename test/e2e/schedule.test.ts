import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Client, Connection } from '@temporalio/client';
import { beforeAll, expect, test } from 'vitest';
import type { RunState } from '../../plan/plan.ts';
import { PROJECT_ROOT } from '../../setup/dependencies.mjs';
import { cleanUp } from '../setup/cleanup.ts';
import { temporaryFolder } from '../setup/folders.ts';
import { retune, startWorker } from '../setup/processes.ts';
import { testSite, type TestSite } from '../setup/temporal.ts';
import { ObservedRun, until } from './observed-run.ts';
import { temporal } from './temporal-cli.ts';

const NAME = 'nightly-retrain';
const FILE = `pipelines/${NAME}.yaml`;

let site: TestSite;
let client: Client;

beforeAll(async () => {
  site = await testSite();
  const connection = await Connection.connect({ address: site.address });
  cleanUp(() => connection.close());
  client = new Client({ connection, namespace: site.namespace });
  await startWorker(site);
  const options = join(await temporaryFolder(), 'options.json');
  await writeFile(options, JSON.stringify({ params: { rows: 64, epochs: 0.5 } }));
  const words = [...(await commandOfComment()), '--input-file', options];
  const { code, stderr } = await temporal(site, words);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
});

/** The words of the command in the file's opening comment that creates the schedule, after `temporal`. */
async function commandOfComment(): Promise<readonly string[]> {
  const comment = (await readFile(join(PROJECT_ROOT, FILE), 'utf8')).replaceAll('\\\n#', '');
  const [, command = ''] = /^# temporal (schedule create .*)$/m.exec(comment) ?? [];
  return [...command.matchAll(/'([^']*)'|(\S+)/g)].map(
    ([, quoted, plain]) => quoted ?? plain ?? '',
  );
}

/** Triggers the schedule, and waits for the end of the run that it starts. */
async function triggered(count: number): Promise<ObservedRun> {
  await temporal(site, ['schedule', 'trigger', '--schedule-id', NAME]);
  const id = await until(`run ${count} of the schedule`, async () => {
    const { info } = await client.schedule.getHandle(NAME).describe();
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

test('nightly-retrain.yaml: a triggered schedule runs the pipeline; again on unchanged data it trains nothing and says so', async () => {
  const first = await triggered(1);
  expect(await shown(first)).toContain(`run ${first.id} (${NAME}): completed\n`);
  expect(await first.attempts('tune')).toHaveLength(1);

  const second = await triggered(2);
  expect(second.id).not.toBe(first.id);
  expect(await shown(second)).toContain(
    `run ${second.id} (${NAME}): completed, 8 of 9 steps from the cache\n`,
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
