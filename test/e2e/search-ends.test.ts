import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Client, Connection } from '@temporalio/client';
import { beforeAll, describe, expect, test } from 'vitest';
import { stringify } from 'yaml';
import type { JsonObject, JsonValue } from '../../plan/json.ts';
import type { RunState, StepState } from '../../plan/plan.ts';
import { artifactFile, readManifest } from '../../store/artifacts.ts';
import { readAttempts } from '../../store/ledger.ts';
import type { ArtifactDigest, Store } from '../../store/store.ts';
import { cleanUp } from '../setup/cleanup.ts';
import { temporaryFolder } from '../setup/folders.ts';
import { startWorker } from '../setup/processes.ts';
import { testSite, type TestSite } from '../setup/temporal.ts';
import { openSiteStore, submit } from './observed-run.ts';

/** A training of nothing: its loss is how far x is from 3. */
const KIND = `import { defineStep, Failure, z } from 'retune/steps';

export default defineStep({
  kind: 'valley', version: 1, effect: 'pure', role: 'train', summary: 'How far x is from 3.',
  with: z.strictObject({ x: z.number().default(0), word: z.string().optional() }),
  outputs: { metrics: z.record(z.string(), z.number()) },
  run(_, { x }) {
    if (x < 0) throw new Failure('Diverged', 'the loss is not finite: x is negative');
    if (x > 5000) throw new Failure('Unauthorized', 'x is for others: ask for it');
    return { metrics: { loss: Math.abs(x - 3) } };
  },
});
`;

let site: TestSite;
let folder: string;
let store: Store;

beforeAll(async () => {
  site = await testSite();
  folder = await temporaryFolder();
  await writeFile(join(folder, 'valley.ts'), KIND);
  store = await openSiteStore(site);
  await startWorker(site, ['--steps', join(folder, 'valley.ts')]);
});

/** Runs a search of `valley`, to its end. */
async function searched(id: string, search: JsonObject): Promise<StepState & { run: RunState }> {
  const file = join(folder, `${id}.yaml`);
  const strategy = { search: { metric: 'metrics.loss', max_parallel: 2, ...search } };
  const steps = { dig: { uses: 'valley@1', strategy } };
  await writeFile(file, stringify({ name: id, defaults: { retry: { max_attempts: 1 } }, steps }));
  const run = await (await submit(site, id, file)).ended();
  return { ...run.steps['dig']!, run };
}

const grid = (...values: readonly JsonValue[]): JsonObject => ({
  sampler: 'grid',
  parameters: { x: { values } },
});

async function table({ outputs }: StepState): Promise<readonly JsonObject[]> {
  const manifest = await readManifest(store, outputs?.['trials'] as ArtifactDigest);
  const text = await readFile(await artifactFile(store, manifest, 'trials.jsonl'), 'utf8');
  return text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as JsonObject);
}

describe('a search', () => {
  test('with a trial that fails by its values takes the best of the others', async () => {
    const step = await searched('failing', grid(-1, 5, 2, 9));
    expect(step).toMatchObject({
      status: 'completed',
      outputs: { metrics: { loss: 1 }, best_trial: 2, best_parameters: { x: 2 } },
      note: 'trial 2 of 4 is best: x=2; metrics.loss 1; 1 failed',
    });
    const fingerprint = expect.stringMatching(/^[0-9a-f]{64}$/) as string;
    const row = (trial: number, x: number, value: number): JsonObject => ({
      ...{ trial, status: 'completed', parameters: { x }, value },
      rungs: [{ value, fingerprint }],
    });
    expect(await table(step)).toEqual([
      {
        ...{ trial: 0, status: 'failed', parameters: { x: -1 }, value: null, rungs: [] },
        failure: 'Diverged: the loss is not finite: x is negative',
      },
      ...[row(1, 5, 2), row(2, 2, 1), row(3, 9, 6)],
    ]);
  });

  test('fails when all of its trials do', async () => {
    const { status, error } = await searched('hopeless', grid(-1, -2));
    expect([status, error]).toEqual([
      'failed',
      {
        type: 'InvalidInput',
        message:
          'all 2 trials failed; trial 0 (x=-1): Diverged: the loss is not finite: x is negative',
      },
    ]);
  });

  test('fails with a trial that another try could help', async () => {
    const { status, error } = await searched('refused', { ...grid(1, 6000, 2), max_parallel: 1 });
    expect([status, error]).toEqual([
      'failed',
      { type: 'Unauthorized', message: 'x is for others: ask for it' },
    ]);
    const attempts = await readAttempts(store, { workflowId: 'refused' });
    expect(attempts.map(({ step }) => step)).toEqual(['dig (trial 0)', 'dig (trial 1)']);
  });

  test('ends at its first trial when there is no such number', async () => {
    const search = { ...grid(1, 2, 4), metric: 'metrics.los', max_parallel: 1 };
    const { error } = await searched('numberless', search);
    expect(error).toEqual({
      type: 'InvalidInput',
      message:
        "search.metric is 'metrics.los', and there is no such number in the outputs: expected metrics.loss",
    });
    const attempts = await readAttempts(store, { workflowId: 'numberless' });
    expect(attempts.map(({ step }) => step)).toEqual([]);
  });

  test('takes what other searches have done from the cache', async () => {
    const step = await searched('wider', grid(5, 2, 7));
    expect(step.note).toBe(
      'trial 1 of 3 is best: x=2; metrics.loss 1; 2 of 3 results from the cache',
    );
    const attempts = await readAttempts(store, { workflowId: 'wider' });
    expect(attempts.map(({ step: id }) => id)).toEqual(['dig (trial 2)']);
    // How many run at once is no part of it.
    const again = await searched('wider-again', { ...grid(5, 2, 7), max_parallel: 1 });
    expect(again).toMatchObject({ status: 'cached', outputs: step.outputs! });
  });

  test('by tpe is the same wherever it runs', async () => {
    const search = {
      ...{ sampler: 'tpe', max_trials: 16, max_parallel: 3, goal: 'minimize' },
      parameters: { x: { min: 0, max: 20 } },
    };
    const step = await searched('tpe', search);
    const rows = await table(step);
    expect(rows).toHaveLength(16);
    const other = await testSite();
    await startWorker(other, ['--steps', join(folder, 'valley.ts')]);
    const file = join(folder, 'tpe.yaml');
    const elsewhere = await (await submit(other, 'tpe', file)).ended();
    expect(elsewhere.steps['dig']?.outputs).toEqual(step.outputs);
  });

  test('begins no trial when its time is over', async () => {
    const search = { ...grid(11, 12, 13, 14, 15), budget: { time: '1ms' } };
    const step = await searched('late', search);
    expect(step.note).toBe(
      'trial 0 of 2 is best: x=11; metrics.loss 8; its budget of time is used up',
    );
    expect(await table(step)).toHaveLength(2);
  });
});

/** Far below the 2 MiB that Temporal takes for one payload. */
const MAX_EVENT_BYTES = 64 * 1024;
const MAX_OUTPUT_BYTES = 4 * 1024;

test('1,000 trials near no limit of Temporal', { timeout: 1_200_000 }, async () => {
  const parameters = {
    x: { min: 0, max: 5000 },
    word: { values: ['a word of some length, as the name of a module', 'another'] },
  };
  const step = await searched('large', { max_trials: 1000, max_parallel: 20, parameters });
  expect(step.status).toBe('completed');
  expect(await table(step)).toHaveLength(1000);
  expect(JSON.stringify(step.outputs).length).toBeLessThan(MAX_OUTPUT_BYTES);
  const connection = await Connection.connect({ address: site.address });
  cleanUp(() => connection.close());
  const client = new Client({ connection, namespace: site.namespace });
  for (const id of ['large', 'large/dig', 'large/dig/trial-999']) {
    const { events = [] } = await client.workflow.getHandle(id).fetchHistory();
    const sizes = (events ?? []).map((event) => JSON.stringify(event).length);
    expect(Math.max(...sizes)).toBeLessThan(MAX_EVENT_BYTES);
    expect(sizes.length).toBeLessThan(10_000);
    console.log(
      id,
      sizes.length,
      Math.max(...sizes),
      sizes.reduce((a, b) => a + b, 0),
    );
  }
});
