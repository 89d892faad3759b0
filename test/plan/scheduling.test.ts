import { expect, test } from 'vitest';
import type { Plan, PlanStep, StepStatus } from '../../plan/plan.ts';
import type { RunProgress } from '../../plan/run-progress.ts';
import { dependentsOf } from '../../plan/run-state.ts';
import { admit, expressionContexts } from '../../plan/scheduling.ts';
import { timed } from '../language/soundness.ts';
import { progressWith } from './progress.ts';

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

type Statuses = Readonly<Record<string, StepStatus>>;

function progressTo(of: Plan, statuses: Statuses): RunProgress {
  const stands = Object.entries(statuses).map(([id, status]) => [
    id,
    { status, outputs: { rows: 3 } },
  ]);
  return progressWith(of, Object.fromEntries(stands) as Parameters<typeof progressWith>[1]);
}

test('a step is ready when all it needs has ended, whatever way', () => {
  const of = plan(step('a', []), step('b', ['a']), step('c', ['a', 'b']));
  const ids = (statuses: Statuses): string[] =>
    progressTo(of, statuses)
      .ready()
      .map(({ id }) => id);
  expect(ids({})).toEqual(['a']);
  expect(ids({ a: 'running' })).toEqual([]);
  expect(ids({ a: 'cached' })).toEqual(['b']);
  expect(ids({ a: 'failed' })).toEqual(['b']);
  expect(ids({ a: 'completed', b: 'skipped' })).toEqual(['c']);
});

test.each<[string, string | undefined, Statuses, string]>([
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
  const progress = progressTo(of, statuses);
  const b = of.steps[2] as PlanStep;
  const contexts = expressionContexts(of, progress.state, FACTS, b.needs);
  const admission = admit(b, progress.circumstances(b), contexts);
  expect(admission.kind === 'skip' ? `skip: ${admission.note}` : admission.kind).toBe(expected);
});

test('contexts hold what was asked for and has ended', () => {
  const of = plan(step('a', []), step('b', []), step('c', []));
  const { state } = progressTo(of, { a: 'cached', b: 'running', c: 'cached' });
  const { steps } = expressionContexts(of, state, FACTS, ['a', 'b']);
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
  const progress = progressWith(plan(step('a', [])), {});
  progress.apply(
    { kind: 'step-started', step: 'a', at: 10 },
    { kind: 'step-fingerprinted', step: 'a', fingerprint: 'f' },
    { kind: 'step-completed', step: 'a', at: 20, attempt: 2, outputs: { rows: 1 } },
  );
  expect(progress.state.steps['a']).toEqual({
    status: 'completed',
    attempt: 2,
    fingerprint: 'f',
    outputs: { rows: 1 },
    startedAt: 10,
    endedAt: 20,
  });
  progress.apply({ kind: 'step-invalidated', step: 'a', note: 'made again' });
  expect(progress.state.steps['a']).toEqual({ status: 'pending', attempt: 2, note: 'made again' });
});

test('a snapshot stays as it is', () => {
  const progress = progressWith(plan(step('a', [])), {});
  const before = progress.snapshot();
  progress.apply(
    { kind: 'step-started', step: 'a', at: 1 },
    { kind: 'ended', status: 'completed', outputs: { rows: 3 } },
  );
  expect(before).toMatchObject({ status: 'running', steps: { a: { status: 'pending' } } });
  expect(progress.state).toMatchObject({
    status: 'completed',
    steps: { a: { status: 'running' } },
  });
});

test('a step waits again for one that has to run again', () => {
  const of = plan(step('a', []), step('b', ['a', 'a']), step('c', ['b']));
  const progress = progressTo(of, { a: 'cached' });
  expect(progress.ready()).toEqual([of.steps[1]]);
  progress.apply({ kind: 'step-invalidated', step: 'a', note: 'made again' });
  expect(progress.ready()).toEqual([of.steps[0]]);
  progress.apply({ kind: 'step-skipped', step: 'a', note: '' });
  expect(progress.ready()).toEqual([of.steps[1]]);
  expect(progress.changes).toBe(4);
});

test('the nearest failure above, by the last need first', () => {
  const of = plan(
    step('d', ['a', 'c']),
    step('c', ['b']),
    step('b', []),
    step('a', []),
    step('e', ['d']),
    step('x', []),
  );
  const above = (progress: RunProgress): readonly unknown[] =>
    of.steps.map((each) => progress.circumstances(each).failedAbove);
  const progress = progressTo(of, { b: 'failed' });
  expect(above(progress)).toEqual(['b', 'b', undefined, undefined, 'b', undefined]);
  progress.apply({ kind: 'step-skipped', step: 'c', note: '' });
  const error = { type: 'NotFound', message: 'no' };
  progress.apply({ kind: 'step-failed', step: 'a', at: 1, attempt: 1, error });
  expect(above(progress)).toEqual(['b', 'b', undefined, undefined, 'b', undefined]);
  expect(progress.circumstances(of.steps[0]!).failed).toEqual(['b', 'a']);
  progress.apply({ kind: 'step-invalidated', step: 'b', note: 'made again' });
  expect(above(progress)).toEqual(['a', undefined, undefined, undefined, 'a', undefined]);
});

test('what an event costs does not grow with the run', () => {
  const ids = Array.from({ length: 5000 }, (_, index) => `s${index}`);
  const of = plan(...ids.map((id, index) => step(id, index === 0 ? [] : [`s${index - 1}`])));
  const progress = progressWith(of, { s0: { status: 'failed' } });
  const { cpuMs } = timed(() => {
    for (let [next] = progress.ready(); next !== undefined; [next] = progress.ready()) {
      const admission = admit(next, progress.circumstances(next), {});
      expect(admission).toMatchObject({ kind: 'skip', note: "not run: step 's0' failed" });
      progress.apply({ kind: 'step-skipped', step: next.id, note: '' });
    }
  });
  expect(progress.state.steps['s4999']).toMatchObject({ status: 'skipped' });
  // A copy of the state for each event alone takes 20 s.
  expect(cpuMs).toBeLessThan(4000);
});
