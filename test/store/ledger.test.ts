import { expect, test } from 'vitest';
import {
  countReportedFailures,
  openAttempt,
  readAttempts,
  updateAttempt,
} from '../../store/ledger.ts';
import type { AttemptStart } from '../../store/ledger.ts';
import { failureOf, temporaryStore } from './stores.ts';

const START: AttemptStart = {
  workflowId: 'tweets/nightly',
  executionRunId: 'run-1',
  step: 'tune (learning_rate=5e-5, seed=1)',
  kind: 'train',
  fingerprint: 'f1',
  worker: { host: 'a', pid: 7, build: '0.1.0' },
  startedAt: 1000,
};

test('attempts are numbered, and each is kept as it went', async () => {
  const store = await temporaryStore();
  const first = await openAttempt(store, START);
  expect(first).toEqual({ ...START, attempt: 1 });
  await updateAttempt(store, first, { resumedFromStep: 0 });
  await updateAttempt(store, first, { firstOptimizerStep: { step: 1, at: 1500 } });

  const second = await openAttempt(store, { ...START, startedAt: 2000 });
  await updateAttempt(store, second, { resumedFromStep: 40 });
  const ended = { endedAt: 3000, outcome: 'completed' } as const;
  expect(await updateAttempt(store, second, ended)).toEqual({
    ...START,
    startedAt: 2000,
    attempt: 2,
    resumedFromStep: 40,
    ...ended,
  });
  expect(await readAttempts(store, START)).toEqual([
    {
      ...START,
      attempt: 1,
      resumedFromStep: 0,
      firstOptimizerStep: { step: 1, at: 1500 },
    },
    { ...START, startedAt: 2000, attempt: 2, resumedFromStep: 40, ...ended },
  ]);
});

test('attempts that open at once get numbers of their own', async () => {
  const store = await temporaryStore();
  const opened = await Promise.all(Array.from({ length: 10 }, () => openAttempt(store, START)));
  expect(opened.map(({ attempt }) => attempt).sort((a, b) => a - b)).toEqual(
    Array.from({ length: 10 }, (_, index) => index + 1),
  );
  expect(await readAttempts(store, START)).toHaveLength(10);
});

test('attempts are read by run, execution or step', async () => {
  const store = await temporaryStore();
  const starts: AttemptStart[] = [
    { ...START, startedAt: 3 },
    { ...START, step: 'score', startedAt: 2 },
    { ...START, executionRunId: 'run-2', startedAt: 1 },
    { ...START, workflowId: 'tweets', startedAt: 4 },
  ];
  for (const start of starts) await openAttempt(store, start);
  const timesOf = async (filter: Parameters<typeof readAttempts>[1]): Promise<number[]> =>
    (await readAttempts(store, filter)).map((attempt) => attempt.startedAt);

  const { workflowId, executionRunId } = START;
  expect(await timesOf({ workflowId })).toEqual([1, 2, 3]);
  expect(await timesOf({ workflowId, executionRunId })).toEqual([2, 3]);
  expect(await timesOf({ workflowId, executionRunId, step: 'score' })).toEqual([2]);
  expect(await timesOf({ workflowId: 'tweets' })).toEqual([4]);
  expect(await timesOf({ workflowId: 'none' })).toEqual([]);
});

test('only failures that the step itself reported are counted', async () => {
  const store = await temporaryStore();
  const failure = { type: 'OutOfMemory', message: 'no room' } as const;
  const ends = [
    { outcome: 'failed', failure },
    { outcome: 'shutting-down' },
    { outcome: 'cancelled' },
    undefined,
    { outcome: 'failed', failure },
    { outcome: 'completed' },
  ] as const;
  for (const end of ends) {
    const attempt = await openAttempt(store, START);
    if (end !== undefined) await updateAttempt(store, attempt, { endedAt: 2000, ...end });
  }
  expect(await countReportedFailures(store, START)).toBe(2);
  expect(await countReportedFailures(store, { ...START, step: 'score' })).toBe(0);
});

test('an update of an attempt that nobody opened is our mistake', async () => {
  const store = await temporaryStore();
  expect(await failureOf(updateAttempt(store, { ...START, attempt: 3 }, { endedAt: 1 }))).toBe(
    'Internal: internal: the ledger has no attempt ' +
      'ledger/tweets%2Fnightly/run-1/tune (learning_rate=5e-5, seed=1)/000003',
  );
});
