import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { RunState } from '../../plan/plan.ts';
import { readAttempts } from '../../store/ledger.ts';
import { temporaryFolder } from '../setup/folders.ts';
import { startWorker, type TestProcess } from '../setup/processes.ts';
import { testSite } from '../setup/temporal.ts';
import { type ObservedRun, pipelineFile, submit, until } from './observed-run.ts';

const STAMPS = pipelineFile('stamps');
const ENTRIES = 6;

/** One kind in two builds, with other results for equal inputs. */
const buildOf = (revision: number): string => `import { defineStep, z } from 'retune/steps';

export default defineStep({
  kind: 'stamp', version: 1, revision: ${revision}, effect: 'pure', role: 'work',
  summary: 'Says which build it is.',
  with: z.strictObject({ number: z.int() }),
  outputs: { build: z.int() },
  run: () => ({ build: ${revision} }),
});
`;

/** Revisions in the ledger by the build of the worker that ran the step, one an attempt. */
async function executions({ id, store }: ObservedRun): Promise<readonly string[]> {
  const attempts = await readAttempts(store, { workflowId: id });
  return attempts.map(({ worker }) => worker.build.replace(/ of source .*/, ''));
}

const everyStamp = (build: number): object => ({
  status: 'completed',
  outputs: { stamps: Array.from({ length: ENTRIES }, () => ({ build })) },
});

const statuses = ({ steps }: RunState): ReadonlySet<string> =>
  new Set(Object.values(steps).flatMap(({ status, matrix }) => (matrix ? [status] : [])));

test('workers of two builds of a kind serve one queue: each run has results of its own build', async () => {
  const site = await testSite();
  const folder = await temporaryFolder();
  const worker = async (roles: string, revision: number): Promise<TestProcess> => {
    const file = join(folder, `stamp-${revision}.ts`);
    await writeFile(file, buildOf(revision));
    return startWorker(site, ['--roles', roles, '--steps', file]);
  };
  const old = await worker('control', 1);
  await worker('work', 2);
  const first = await submit(site, 'first', STAMPS);
  await until('a refusal by the worker of the other build', async () => {
    const { lastFailure } = await first.pending('stamp (number=1)');
    return lastFailure?.includes('compiled with stamp@1 revision 1') ? true : undefined;
  });
  // Nothing was run, and so nothing published, by a build that the run was not compiled with.
  expect(await executions(first)).toEqual([]);
  await worker('work', 1);
  expect(await first.ended()).toMatchObject(everyStamp(1));
  expect(await executions(first)).toEqual(Array(ENTRIES).fill('revision 1'));

  await old.end('SIGTERM');
  await worker('control', 2);
  const second = await submit(site, 'second', STAMPS);
  expect(await second.ended()).toMatchObject(everyStamp(2));
  expect(await executions(second)).toEqual(Array(ENTRIES).fill('revision 2'));

  const third = await submit(site, 'third', STAMPS);
  const state = await third.ended();
  expect(state).toMatchObject(everyStamp(2));
  expect(statuses(state)).toEqual(new Set(['cached']));
  expect(await executions(third)).toEqual([]);
});
