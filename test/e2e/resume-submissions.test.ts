import { cp } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import type { JsonObject } from '../../plan/json.ts';
import type { RunState, StepStatus } from '../../plan/plan.ts';
import { PROJECT_ROOT } from '../../setup/dependencies.mjs';
import { retune, startWorker } from '../setup/processes.ts';
import { testSite, type TestSite } from '../setup/temporal.ts';
import { pipelineFile, submit } from './observed-run.ts';

const CHAIN = pipelineFile('chain');
/** Of chain.yaml, in its order. */
const STEPS = [
  ...['data', 'base', 'train_rows', 'train_tokens', 'tune'],
  ...['test_data', 'test_rows', 'test_tokens', 'score', 'publish'],
] as const;
type Step = (typeof STEPS)[number];

let site: TestSite;
let first: RunState;

beforeAll(async () => {
  site = await testSite();
  await cp(join(PROJECT_ROOT, 'pipelines/data'), inDataRoot('pipelines/data'), { recursive: true });
  await startWorker(site, [], { env: { RETUNE_DATA_ROOT: site.home } });
  first = await (await submit(site, 'first', CHAIN)).ended();
});

const inDataRoot = (path: string): string => join(site.home, path);

function statuses(state: RunState): Record<string, StepStatus> {
  return Object.fromEntries(
    Object.entries(state.steps).map(([step, { status }]) => [step, status]),
  );
}

/** What is expected of a run in which these steps ran and all others were done before. */
function ran(...steps: readonly Step[]): Record<string, StepStatus> {
  return Object.fromEntries(
    STEPS.map((step) => [step, steps.includes(step) ? 'completed' : 'cached']),
  );
}

const fingerprints = (state: RunState): Record<string, string | undefined> =>
  Object.fromEntries(STEPS.map((step) => [step, state.steps[step]?.fingerprint]));

test('a finished pipeline runs again, under its own id and under another, and trains nothing', async () => {
  expect(statuses(first)).toEqual(ran(...STEPS));
  for (const id of ['first', 'again']) {
    const begun = performance.now();
    const run = await submit(site, id, CHAIN);
    const state = await run.ended();
    const seconds = (performance.now() - begun) / 1000;
    expect(statuses(state)).toEqual(ran('publish'));
    expect(state.outputs).toEqual(first.outputs);
    expect(state.steps['publish']?.note).toBe('the same model was registered before, as v1');
    expect(await run.attempts('tune')).toHaveLength(id === 'first' ? 1 : 0);
    expect(seconds).toBeLessThan(20);
  }
});

test('another learning rate trains again, and does again what depends on the model', async () => {
  const run = await submit(site, 'faster', CHAIN, { learning_rate: 2e-3 });
  const state = await run.ended();
  expect(statuses(state)).toEqual(ran('tune', 'score', 'publish'));
  expect(state.outputs['model']).not.toEqual(first.outputs['model']);
  expect(state.outputs['version']).toBe(2);
  const differing = STEPS.filter((step) => fingerprints(state)[step] !== fingerprints(first)[step]);
  expect(differing).toEqual(['tune', 'score', 'publish']);

  const args = ['run', CHAIN, '--id', 'faster-too', '-p', 'learning_rate=0.002', '--json'];
  const { code, stdout } = await retune(site, args);
  expect(code).toBe(0);
  const again = JSON.parse(stdout) as RunState;
  expect(statuses(again)).toEqual(ran('publish'));
  expect(again.outputs).toEqual(state.outputs);
});

const REMEDIES: readonly (readonly [
  how: string,
  resume: (id: string, params: JsonObject) => Promise<unknown>,
])[] = [
  ['retune resume', (id) => retune(site, ['resume', id, '--json'])],
  ['the Temporal CLI', (id, params) => submit(site, id, CHAIN, params)],
];

test.each(REMEDIES)(
  'a failed run whose missing file is put in place continues by %s',
  async (how, resume) => {
    const id = `missing-${how.split(' ').at(-1)}`;
    const params = { test_file: `${id}.jsonl`, test_rows: 30 };
    const run = await submit(site, id, CHAIN, params);
    const failed = await run.ended();
    expect(failed.status).toBe('failed');
    expect(failed.steps['test_data']?.error).toMatchObject({ type: 'NotFound' });
    expect(failed.error?.message).toContain(`${id}.jsonl`);
    expect(failed.steps['test_rows']).toMatchObject({
      status: 'skipped',
      note: "not run: step 'test_data' failed",
    });
    await cp(inDataRoot('pipelines/data/messages/test.jsonl'), inDataRoot(`${id}.jsonl`));

    await resume(id, params);
    const state = await run.ended();
    expect(state).toMatchObject({
      status: 'completed',
      outputs: { model: first.outputs['model'] },
    });
    const { data, base, train_rows, train_tokens, tune, test_data } = statuses(state);
    expect([data, base, train_rows, train_tokens, tune, test_data]).toEqual([
      ...Array(5).fill('cached'),
      'completed',
    ]);
    expect(await run.attempts('tune')).toEqual([]);
  },
);

test('a failed run continues with another param, under the same id', async () => {
  const run = await submit(site, 'greedy', CHAIN, { test_rows: 1000 });
  const failed = await run.ended();
  expect(statuses(failed)).toMatchObject({ test_data: 'cached', test_rows: 'failed' });
  expect(failed.steps['test_rows']?.error).toMatchObject({ type: 'InvalidInput' });

  const state = await (await submit(site, 'greedy', CHAIN, { test_rows: 50 })).ended();
  expect(statuses(state)).toEqual(ran('test_rows', 'test_tokens', 'score', 'publish'));
});
