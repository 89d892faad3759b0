import { cp, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Client, Connection } from '@temporalio/client';
import { beforeAll, expect, test } from 'vitest';
import type { RunState, StepState } from '../../plan/plan.ts';
import { PROJECT_ROOT } from '../../setup/dependencies.mjs';
import { readAttempts } from '../../store/ledger.ts';
import type { Comparison } from '../../store/promotion.ts';
import type { RegisteredModel } from '../../store/registry.ts';
import { cleanUp } from '../setup/cleanup.ts';
import { temporaryFolder } from '../setup/folders.ts';
import { retune, startWorker } from '../setup/processes.ts';
import { testSite, type TestSite } from '../setup/temporal.ts';
import { ObservedRun, pipelineFile, submit, until } from './observed-run.ts';
import { temporal } from './temporal-cli.ts';

const NAME = 'nightly-retrain';
const FILE = `pipelines/${NAME}.yaml`;
const DATA = 'pipelines/data';

let site: TestSite;
let client: Client;

beforeAll(async () => {
  site = await testSite();
  const connection = await Connection.connect({ address: site.address });
  cleanUp(() => connection.close());
  client = new Client({ connection, namespace: site.namespace });
  await cp(join(PROJECT_ROOT, DATA), join(site.home, DATA), { recursive: true });
  await startWorker(site, [], { env: { RETUNE_DATA_ROOT: site.home } });
  await relabel('train', () => 'neutral');
  const options = join(await temporaryFolder(), 'options.json');
  await writeFile(options, JSON.stringify({ params: { rows: 600, epochs: 2 } }));
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

/** Writes a split of the data anew, as it is in the project but for the labels. */
async function relabel(split: string, labelOf: (label: string) => string): Promise<void> {
  const path = join(DATA, 'messages', `${split}.jsonl`);
  const lines = (await readFile(join(PROJECT_ROOT, path), 'utf8')).trim().split('\n');
  const rows = lines.map((line) => JSON.parse(line) as { label: string });
  const changed = rows.map((row) => `${JSON.stringify({ ...row, label: labelOf(row.label) })}\n`);
  await writeFile(join(site.home, path), changed.join(''));
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

/** The steps that have an attempt in the ledger, sorted. */
async function executed({ id, store }: ObservedRun): Promise<readonly string[]> {
  return (await readAttempts(store, { workflowId: id })).map(({ step }) => step).sort();
}

async function versions(): Promise<unknown> {
  const { stdout } = await retune(site, ['models', 'list', '--json']);
  const [model] = JSON.parse(stdout) as RegisteredModel[];
  return { ...model?.aliases, versions: model?.versions.length };
}

const publication = async (run: ObservedRun): Promise<StepState> =>
  (await run.ended()).steps['publish']!;

test('nightly-retrain.yaml: a triggered schedule trains, and the first model is the champion', async () => {
  const first = await triggered(1);
  expect(await shown(first)).toContain(`run ${first.id} (${NAME}): completed\n`);
  expect(await first.attempts('tune')).toHaveLength(1);
  expect(await publication(first)).toMatchObject({
    note: "registered as v1; promoted: no version was 'champion' before",
    outputs: { promoted: true, comparison: null },
  });
});

test('again on unchanged data it trains nothing, and says so', async () => {
  const second = await triggered(2);
  expect(await shown(second)).toContain(
    `run ${second.id} (${NAME}): completed, 8 of 9 steps from the cache, nothing was trained\n`,
  );
  const { stdout } = await retune(site, ['show', second.id, '--json']);
  const { steps } = JSON.parse(stdout) as RunState;
  expect(Object.values(steps).map(({ status }) => status)).toEqual([
    ...Array<string>(8).fill('cached'),
    'completed',
  ]);
  const note =
    "the same model was registered before, as v1; not promoted: it is 'champion' already";
  expect(steps['publish']?.note).toBe(note);
  expect(await shown(second)).toContain(note);
  // What costs anything leaves an attempt in the ledger.
  expect(await executed(second)).toEqual(['publish']);
  const { startTime, closeTime } = await client.workflow.getHandle(second.id).describe();
  expect(Number(closeTime) - Number(startTime)).toBeLessThan(5_000);
});

test('on changed data it trains, and promotes what is better on the same test rows', async () => {
  await relabel('train', (label) => label);
  const better = await triggered(3);
  expect(await executed(better)).toEqual([
    ...['data', 'publish', 'score', 'test_rows', 'train_rows', 'train_tokens', 'tune'],
  ]);
  const { note, outputs } = await publication(better);
  const comparison = outputs?.['comparison'] as unknown as Comparison;
  expect(outputs).toMatchObject({ version: 2, promoted: true, comparison: { champion: 1 } });
  expect(comparison.gain).toBeGreaterThan(0.1);
  expect(note).toMatch(
    /^registered as v2; promoted: accuracy 0\.\d+ is better than the 0\.\d+ of v1, which was 'champion'$/,
  );

  await relabel('train', () => 'positive');
  const worse = await triggered(4);
  expect(await worse.attempts('tune')).toHaveLength(1);
  expect((await publication(worse)).outputs).toMatchObject({
    ...{ version: 3, promoted: false, aliases: [] },
    comparison: { champion: 2, champion_value: comparison.value },
  });
  expect(await versions()).toEqual({ champion: 2, versions: 3 });
});

test('of other test rows nothing is compared, until the champion is evaluated on them', async () => {
  const others = { negative: 'neutral', neutral: 'positive', positive: 'negative' };
  for (const split of ['train', 'test']) {
    await relabel(split, (label) => others[label as keyof typeof others]);
  }
  const unlike = await triggered(5);
  const { note, outputs } = await publication(unlike);
  expect(outputs).toMatchObject({ version: 4, promoted: false, comparison: null });
  expect(note).toMatch(
    /^registered as v4; not promoted: v2, which stays 'champion', has no evaluation on the same data: /,
  );

  const scored = await submit(site, 'score-champion', pipelineFile('score-champion'));
  expect(await scored.ended()).toMatchObject({
    status: 'completed',
    steps: { report: { outputs: { version: 2, aliases: ['champion'], promoted: false } } },
  });
  const again = await triggered(6);
  expect(await executed(again)).toEqual(['publish']);
  expect((await publication(again)).outputs).toMatchObject({
    ...{ version: 4, promoted: true },
    comparison: { champion: 2 },
  });
  expect(await versions()).toEqual({ champion: 4, versions: 4 });
});
