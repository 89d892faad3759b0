import { expect, test } from 'vitest';
import { getRun, listRuns, putRun } from '../../store/runs.ts';
import type { RunRecord } from '../../store/runs.ts';
import { temporaryStore } from './stores.ts';

const RUN: RunRecord = {
  id: 'tweets/nightly',
  executionRunId: 'run-1',
  name: 'tweet-sentiment',
  status: 'running',
  submittedAt: 1000,
  source: `sha256:${'1'.repeat(64)}`,
  options: { params: { rows: 10 } },
  state: {
    name: 'tweet-sentiment',
    status: 'running',
    steps: { data: { status: 'cached', attempt: 0, outputs: { rows: 10 } } },
    outputs: {},
  },
};
const ENDED: RunRecord = { ...RUN, status: 'completed', endedAt: 2000 };
const NEWER: RunRecord = { ...RUN, executionRunId: 'run-2', submittedAt: 3000 };

test.each([
  ['its first state', [RUN], RUN],
  ['its end', [RUN, ENDED], ENDED],
  ['nothing after its end', [ENDED, RUN], ENDED],
  ['a newer execution', [ENDED, NEWER], NEWER],
  ['nothing of an older execution', [NEWER, ENDED], NEWER],
])('a run record takes %s', async (_, records, expected) => {
  const store = await temporaryStore();
  let stored: RunRecord | undefined;
  for (const record of records) stored = await putRun(store, record);
  expect(stored).toEqual(expected);
  expect(await getRun(store, RUN.id)).toEqual(expected);
});

test('runs are listed with the newest first, and an unknown one is undefined', async () => {
  const store = await temporaryStore();
  await putRun(store, RUN);
  await putRun(store, { ...RUN, id: 'b', submittedAt: 3000 });
  await putRun(store, { ...RUN, id: 'a', submittedAt: 2000 });
  expect((await listRuns(store)).map((run) => run.id)).toEqual(['b', 'a', 'tweets/nightly']);
  expect(await getRun(store, 'tweets')).toBeUndefined();
});
