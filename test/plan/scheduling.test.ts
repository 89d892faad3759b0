import { expect, test } from 'vitest';
import type { Plan, PlanStep, RunState, StepStatus } from '../../plan/plan.ts';
import {
  dependentsOf,
  emptyRunState,
  readySteps,
  reduceRun,
  type RunEvent,
} from '../../plan/run-state.ts';
import { admit, expressionContexts } from '../../plan/scheduling.ts';

const FACTS = { id: 'r', name: 'p', attempt: 1, scheduled_time: '2026-01-01T00:00:00.000Z' };

function step(id: string, needs: readonly string[], condition?: string): PlanStep {
  return {
    id,
    kind: 'noop',
    version: 1,
    revision: 1,
    effect: 'pure',
    role: 'work',
    needs,
    with: {},
    runsOn: 'cpu',
    retry: { maxAttempts: 1, backoffMs: 1, maxBackoffMs: 1 },
    ...(condition !== undefined && { if: condition }),
  };
}

function plan(...steps: PlanStep[]): Plan {
  return { name: 'p', params: { go: false }, env: {}, maxParallel: 4, steps, outputs: {} };
}

function stateWith(of: Plan, statuses: Readonly<Record<string, StepStatus>>): RunState {
  const planned = reduceRun(emptyRunState(''), { kind: 'planned', plan: of });
  const steps = Object.fromEntries(
    Object.entries(statuses).map(([id, status]) => [
      id,
      { status, attempt: 1, outputs: { rows: 3 } },
    ]),
  );
  return { ...planned, steps: { ...planned.steps, ...steps } };
}

test('a step is ready when all it needs has ended, whatever way', () => {
  const of = plan(step('a', []), step('b', ['a']), step('c', ['a', 'b']));
  const ids = (statuses: Readonly<Record<string, StepStatus>>): string[] =>
    readySteps(of, stateWith(of, statuses)).map(({ id }) => id);
  expect(ids({})).toEqual(['a']);
  expect(ids({ a: 'running' })).toEqual([]);
  expect(ids({ a: 'cached' })).toEqual(['b']);
  expect(ids({ a: 'failed' })).toEqual(['b']);
  expect(ids({ a: 'completed', b: 'skipped' })).toEqual(['c']);
});

test.each<[string, string | undefined, Readonly<Record<string, StepStatus>>, string]>([
  ['no if, need completed', undefined, { a: 'completed' }, 'run'],
  ['no if, need cached', undefined, { a: 'cached' }, 'run'],
  ['no if, need failed', undefined, { a: 'failed' }, "skip: not run: step 'a' failed"],
  ['no if, need skipped', undefined, { a: 'skipped' }, "skip: not run: step 'a' was skipped"],
  ['if is true', 'steps.a.outputs.rows == 3', { a: 'completed' }, 'run'],
  ['if is false', 'params.go', { a: 'completed' }, "skip: not run: if 'params.go' is false"],
  [
    'a failure elsewhere',
    undefined,
    { a: 'completed', z: 'failed' },
    "skip: not run: step 'z' failed",
  ],
  ['always()', 'always()', { a: 'failed' }, 'run'],
  ['failure() of a need', 'failure()', { a: 'failed' }, 'run'],
  [
    'failure() without one',
    'failure()',
    { a: 'completed' },
    "skip: not run: if 'failure()' is false",
  ],
  [
    'failure() of a stranger',
    'failure()',
    { a: 'completed', z: 'failed' },
    "skip: not run: step 'z' failed",
  ],
])('%s', (_name, condition, statuses, expected) => {
  const of = plan(step('a', []), step('z', []), step('b', ['a'], condition));
  const state = stateWith(of, statuses);
  const b = of.steps[2] as PlanStep;
  const admission = admit(b, of, state, expressionContexts(of, state, FACTS));
  expect(admission.kind === 'skip' ? `skip: ${admission.note}` : admission.kind).toBe(expected);
});

test('contexts hold only what has ended', () => {
  const of = plan(step('a', []), step('b', []));
  const { steps } = expressionContexts(of, stateWith(of, { a: 'cached', b: 'running' }), FACTS);
  expect(steps).toEqual({ a: { outputs: { rows: 3 }, result: 'success' } });
});

test('dependents follow through the whole graph, in any order of the file', () => {
  const of = plan(
    step('d', ['c']),
    step('c', ['b']),
    step('b', ['a']),
    step('a', []),
    step('x', []),
  );
  expect([...dependentsOf(of, new Set(['b']))].sort()).toEqual(['b', 'c', 'd']);
  expect([...dependentsOf(of, new Set())]).toEqual([]);
});

test('an invalidated step starts over and keeps its attempt count', () => {
  const of = plan(step('a', []));
  let state = stateWith(of, {});
  for (const event of [
    { kind: 'step-started', step: 'a', at: 10 },
    { kind: 'step-fingerprinted', step: 'a', fingerprint: 'f' },
    { kind: 'step-completed', step: 'a', at: 20, attempt: 2, outputs: { rows: 1 } },
  ] as const) {
    state = reduceRun(state, event);
  }
  expect(state.steps['a']).toEqual({
    status: 'completed',
    attempt: 2,
    fingerprint: 'f',
    outputs: { rows: 1 },
    startedAt: 10,
    endedAt: 20,
  });
  state = reduceRun(state, { kind: 'step-invalidated', step: 'a', note: 'made again' });
  expect(state.steps['a']).toEqual({ status: 'pending', attempt: 2, note: 'made again' });
});

test('events at a time give the state that they give one after the other, and change no older one', () => {
  const of = plan(step('a', []), step('b', ['a']), step('c', []));
  const events: readonly RunEvent[] = [
    { kind: 'planned', plan: of },
    { kind: 'step-started', step: 'a', at: 1 },
    { kind: 'step-fingerprinted', step: 'a', fingerprint: 'f' },
    { kind: 'step-cached', step: 'a', at: 2, outputs: { rows: 3 } },
    { kind: 'step-skipped', step: 'c', note: 'not run' },
    { kind: 'ended', status: 'completed', outputs: { rows: 3 } },
  ];
  const begun = emptyRunState('');
  const one = events.reduce((state, event) => reduceRun(state, event), begun);
  expect(reduceRun(begun, ...events)).toEqual(one);
  const before = reduceRun(begun, ...events.slice(0, 2));
  reduceRun(before, ...events.slice(2));
  expect(before.steps['a']).toEqual({ status: 'running', attempt: 1, startedAt: 1 });
  expect(begun.steps).toEqual({});
});
