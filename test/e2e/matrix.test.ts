import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import type { JsonObject } from '../../plan/json.ts';
import type { RunState } from '../../plan/plan.ts';
import { PROJECT_ROOT } from '../../setup/dependencies.mjs';
import { withCleanUp } from '../setup/cleanup.ts';
import { temporaryFolder } from '../setup/folders.ts';
import { startWorker } from '../setup/processes.ts';
import { testSite, type TestSite } from '../setup/temporal.ts';
import { submit, until } from './observed-run.ts';
import { temporal } from './temporal-cli.ts';

const EXAMPLE = join(PROJECT_ROOT, 'pipelines', 'learning-rates.yaml');

let site: TestSite;
let folder: string;

beforeAll(async () => {
  site = await testSite();
  folder = await temporaryFolder();
  await startWorker(site);
});

/** A pipeline whose data are the bundled messages; `steps` is YAML, two spaces in. */
async function pipelineOf(name: string, steps: string): Promise<string> {
  const file = join(folder, `${name}.yaml`);
  const source = "{ source: 'file:pipelines/data/messages', text: text, label: label }";
  const data = `  data: { uses: download-dataset@1, with: ${source} }\n`;
  const head = `name: ${name}\nparams: { counts: { type: list, default: [] } }\n`;
  await writeFile(file, `${head}steps:\n${data}${steps}`);
  return file;
}

const DATASET = "dataset: '${{ steps.data.outputs.dataset }}'";

function statuses({ steps }: RunState): JsonObject {
  return Object.fromEntries(Object.entries(steps).map(([id, { status }]) => [id, status]));
}

describe.concurrent('a step with a matrix', () => {
  test('the example trains once for each learning rate and takes the best', () =>
    withCleanUp(async () => {
      const params = { learning_rates: [1e-4, 3e-3], max_steps: 20 };
      const first = await submit(site, 'rates', EXAMPLE, params);
      const state = await first.ended();
      expect(state).toMatchObject({ status: 'completed' });
      const [slow, fast] = ['tune (learning_rate=1e-4)', 'tune (learning_rate=0.003)'] as const;
      expect(state.steps['tune']).toMatchObject({ status: 'completed', entries: [slow, fast] });
      const accuracies = [slow, fast].map((id) => {
        const { eval_accuracy: accuracy } = state.steps[id]!.outputs!['metrics'] as JsonObject;
        return accuracy as number;
      });
      const best = accuracies[1]! > accuracies[0]! ? 1 : 0;
      const { outputs: chosen } = state.steps[[slow, fast][best]!]!;
      expect(state.outputs).toMatchObject({
        learning_rate: params.learning_rates[best],
        validation_accuracy: accuracies[best],
        model: chosen!['model'],
      });

      const more = { ...params, learning_rates: [1e-4, 1e-3, 3e-3] };
      const second = await (await submit(site, 'more-rates', EXAMPLE, more)).ended();
      expect(statuses(second)).toMatchObject({
        [slow]: 'cached',
        'tune (learning_rate=0.001)': 'completed',
        [fast]: 'cached',
      });
      expect(second.steps['tune']?.note).toBe('3 entries, 2 cached');
    }));

  test('a failure cancels the others, and what depends on it does not run', () =>
    withCleanUp(async () => {
      const file = await pipelineOf(
        'fast',
        `  rows:
    uses: subset@1
    strategy: { matrix: { split: [train, nope, test], take: [3] }, max_parallel: 1 }
    with: { ${DATASET}, split: '\${{ matrix.split }}', take: '\${{ matrix.take }}' }
  after: { uses: subset@1, with: { dataset: '\${{ steps.rows.outputs[0].dataset }}' } }
`,
      );
      const run = await submit(site, 'fast', file);
      const state = await run.ended();
      expect(statuses(state)).toEqual({
        data: expect.stringMatching(/^(completed|cached)$/) as string,
        rows: 'failed',
        'rows (split=train, take=3)': 'completed',
        'rows (split=nope, take=3)': 'failed',
        'rows (split=test, take=3)': 'cancelled',
        after: 'skipped',
      });
      expect(state.steps['rows']?.error).toEqual({
        type: 'InvalidInput',
        message: '1 of 3 entries failed',
      });
      expect(state.error?.message).toBe(
        'step \'rows (split=nope, take=3)\' failed: the dataset has no split "nope", only "test", "train"',
      );
      expect(state.steps['after']?.note).toBe("not run: step 'rows' failed");
    }));

  test('without fail_fast all run, and an always() step reads what there is', () =>
    withCleanUp(async () => {
      const file = await pipelineOf(
        'patient',
        `  rows:
    uses: subset@1
    strategy: { matrix: { split: [nope, test] }, fail_fast: false }
    with: { ${DATASET}, split: '\${{ matrix.split }}', take: 4 }
  after:
    uses: subset@1
    if: always()
    with: { dataset: '\${{ steps.rows.outputs[1].dataset }}' }
`,
      );
      const state = await (await submit(site, 'patient', file)).ended();
      expect(statuses(state)).toEqual({
        data: expect.stringMatching(/^(completed|cached)$/) as string,
        rows: 'failed',
        'rows (split=nope)': 'failed',
        'rows (split=test)': 'completed',
        after: 'completed',
      });
      expect(state.steps['after']?.outputs).toMatchObject({ rows: 4 });
    }));

  test('its lists may be outputs of a step, or empty', () =>
    withCleanUp(async () => {
      const file = await pipelineOf(
        'dynamic',
        `  first:
    uses: subset@1
    strategy: { matrix: { label: '\${{ steps.data.outputs.labels }}', take: [1, 2] } }
    with: { ${DATASET}, split: test, take: '\${{ matrix.take }}' }
  second:
    uses: subset@1
    strategy: { matrix: { of: '\${{ steps.first.outputs }}' } }
    with: { dataset: '\${{ matrix.of.dataset }}' }
  none:
    uses: subset@1
    strategy: { matrix: { take: '\${{ params.counts }}' } }
    with: { ${DATASET}, split: test, take: '\${{ matrix.take }}' }
outputs:
  rows: '\${{ steps.second.outputs.*.rows }}'
  labels: '\${{ steps.first.matrix.*.label }}'
  none: '\${{ steps.none.outputs }}'
`,
      );
      const run = await submit(site, 'dynamic', file);
      const state = await run.ended();
      expect(state.outputs).toEqual({
        rows: [1, 2, 1, 2, 1, 2],
        labels: ['negative', 'negative', 'neutral', 'neutral', 'positive', 'positive'],
        none: [],
      });
      expect(state.steps['none']).toMatchObject({
        status: 'completed',
        note: 'the matrix has no entries: nothing to run',
      });
      expect(Object.keys(state.steps)).toContain('second (of[5])');
    }));

  test('cancelled with its run leaves no entry behind', () =>
    withCleanUp(async () => {
      const params = { learning_rates: [1e-4, 1e-3], max_steps: 100_000 };
      const run = await submit(site, 'cancelled', EXAMPLE, params);
      const entries = ['tune (learning_rate=1e-4)', 'tune (learning_rate=0.001)'];
      // One at a time is trained, whichever the worker was given first.
      await until('an entry in training', async () => {
        const attempts = await Promise.all(entries.map((entry) => run.attempts(entry)));
        return attempts.flat()[0];
      });
      await temporal(site, ['workflow', 'cancel', '--workflow-id', 'cancelled']);
      const state = await run.ended();
      expect(state.status).toBe('cancelled');
      expect(statuses(state)).toMatchObject({
        tune: 'cancelled',
        'tune (learning_rate=1e-4)': 'cancelled',
        'tune (learning_rate=0.001)': 'cancelled',
        best: 'cancelled',
        score: 'cancelled',
      });
    }));
});

test('entries that may not run side by side do not', async () => {
  const file = await pipelineOf(
    'narrow',
    `  rows:
    uses: subset@1
    strategy: { matrix: { take: [1, 2, 3, 4, 5] }, max_parallel: 1 }
    with: { ${DATASET}, split: train, take: '\${{ matrix.take }}' }
`,
  );
  const run = await submit(site, 'narrow', file);
  const { steps } = await run.ended();
  const times = (steps['rows']?.entries ?? []).map((id) => steps[id]!);
  expect(times).toHaveLength(5);
  for (const [index, { startedAt }] of times.entries()) {
    if (index > 0) expect(startedAt).toBeGreaterThanOrEqual(times[index - 1]!.endedAt!);
  }
});
