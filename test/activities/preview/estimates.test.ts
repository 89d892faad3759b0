import { beforeAll, expect, test } from 'vitest';
import { EarlierRuns } from '../../../activities/preview/earlier-runs.ts';
import { Estimator } from '../../../activities/preview/estimates.ts';
import type { Estimate } from '../../../activities/preview/outcome.ts';
import type { JsonObject } from '../../../plan/json.ts';
import type { PlanStep } from '../../../plan/plan.ts';
import { emptyRunState } from '../../../plan/run-state.ts';
import { putArtifact } from '../../../store/artifacts.ts';
import { openAttempt, updateAttempt, type AttemptProgress } from '../../../store/ledger.ts';
import { openStore } from '../../../store/open.ts';
import { putRun } from '../../../store/runs.ts';
import type { ArtifactDigest, Store } from '../../../store/store.ts';
import { temporaryFolder } from '../../setup/folders.ts';

const SOURCE = `sha256:${'0'.repeat(64)}` as const;

let store: Store;
/** 100 rows with 1,000 tokens, and twice as many. */
let [small, large]: readonly ArtifactDigest[] = [];

beforeAll(async () => {
  store = await openStore(`file:${await temporaryFolder()}`);
  [small, large] = await Promise.all([dataset(100, 1_000), dataset(200, 2_000)]);
  await putRun(store, {
    ...{ id: 'before', executionRunId: 'e', name: 'p', status: 'completed', submittedAt: 1 },
    ...{ source: SOURCE, options: null, state: emptyRunState('p') },
    parts: { tune: { kind: 'train', version: 1, revision: 1, inputs: training(small, 3) } },
  });
  // Its worker was lost after 30 seconds; another one went on for 60.
  await attempt('tune', 'train@1', 0, { lastOptimizerStep: { step: 10, at: 30_000 } });
  await attempt('tune', 'train@1', 40_000, { outcome: 'completed', endedAt: 100_000 });
  await attempt('rows', 'subset@1', 0, { outcome: 'failed', endedAt: 9_000 });
  await attempt('rows', 'subset@1', 10_000, { outcome: 'completed', endedAt: 12_000 });
});

function dataset(rows: number, tokens: number): Promise<ArtifactDigest> {
  const metadata = { splits: { train: rows }, tokens };
  return putArtifact(store, { type: 'tokenized-dataset', metadata, files: {} });
}

async function attempt(
  step: string,
  kind: string,
  startedAt: number,
  progress: AttemptProgress,
): Promise<void> {
  const worker = { host: 'h', pid: 1, build: 'revision 1' };
  const run = { workflowId: 'before', executionRunId: 'e' };
  // An attempt that failed had other inputs.
  const fingerprint = progress.outcome === 'failed' ? 'other' : step;
  const entry = await openAttempt(store, { ...run, step, kind, fingerprint, worker, startedAt });
  await updateAttempt(store, entry, progress);
}

function training(
  data: ArtifactDigest | undefined,
  epochs: number,
  more: JsonObject = {},
): JsonObject {
  const args = { per_device_train_batch_size: 5, num_train_epochs: epochs, ...more };
  return { train_dataset: data ?? '', device: 'cpu', args };
}

const tune = { id: 'tune', kind: 'train', version: 1, role: 'train' } as PlanStep;
const rows = { id: 'rows', kind: 'subset', version: 1, role: 'work' } as PlanStep;

test.each<[string, PlanStep, () => JsonObject | undefined, Estimate]>([
  ['the same training', tune, () => training(small, 3), { seconds: 90, tokens: 3_000 }],
  ['fewer epochs', tune, () => training(small, 1), { seconds: 30, tokens: 1_000 }],
  ['more rows', tune, () => training(large, 3), { seconds: 180, tokens: 6_000 }],
  [
    'so many optimizer steps of 10 rows',
    tune,
    () => training(large, 3, { max_steps: 20, gradient_accumulation_steps: 2 }),
    { seconds: 60, tokens: 2_000 },
  ],
  ['inputs that are not known', tune, () => undefined, { seconds: 90, tokens: 3_000 }],
  ['another device', tune, () => ({ ...training(small, 3), device: 'cuda' }), { tokens: 3_000 }],
  [
    'a training that never was',
    { ...tune, id: 'new' },
    () => training(small, 1),
    { tokens: 1_000 },
  ],
  ['a light step', rows, () => ({}), { seconds: 2 }],
  ['a light step that never was, by its kind', { ...rows, id: 'new' }, () => ({}), { seconds: 2 }],
  ['a kind that never was', { ...rows, kind: 'tokenize' }, () => ({}), {}],
])('%s', async (_, step, inputs, expected) => {
  const estimator = new Estimator(store, await EarlierRuns.load(store, [], 'p'));
  const given = inputs();
  expect(await estimator.of(step, given && { inputs: given })).toEqual(expected);
});

test('runs of other pipelines tell nothing', async () => {
  const estimator = new Estimator(store, await EarlierRuns.load(store, [], 'other'));
  expect(await estimator.of(rows, { inputs: {} })).toEqual({});
});
