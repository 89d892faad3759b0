import { expect, test } from 'vitest';
import type { JsonObject, JsonValue } from '../../plan/json.ts';
import {
  combineMatrix,
  endOfMatrix,
  entryStep,
  expandMatrix,
  type MatrixStep,
  readyEntries,
} from '../../plan/matrix.ts';
import type { MatrixStrategy, Plan, RunState, StepState } from '../../plan/plan.ts';
import type { RunProgress } from '../../plan/run-progress.ts';
import { orderedSteps, statusText } from '../../plan/run-state.ts';
import { admit, expressionContexts } from '../../plan/scheduling.ts';
import { eventOf, progressWith } from './progress.ts';

const FACTS = { id: 'r', name: 'p', attempt: 1, scheduled_time: '2026-01-01T00:00:00.000Z' };

function matrixStep(strategy: Partial<MatrixStrategy>): MatrixStep {
  return {
    id: 'tune',
    kind: 'noop',
    version: 1,
    revision: 1,
    effect: 'pure',
    role: 'work',
    needs: [],
    with: {},
    runsOn: 'cpu',
    retry: { maxAttempts: 1, backoffMs: 1, maxBackoffMs: 1 },
    strategy: { matrix: {}, failFast: true, ...strategy },
  };
}

type Values = Parameters<typeof combineMatrix>[1];

function valuesOf(values: Values): readonly JsonObject[] {
  return combineMatrix('tune', values).map((entry) => entry.values);
}

test('every combination, the last dimension fastest', () => {
  expect(valuesOf({ matrix: { a: [1, 2], b: ['x', 'y'] } })).toEqual([
    { a: 1, b: 'x' },
    { a: 1, b: 'y' },
    { a: 2, b: 'x' },
    { a: 2, b: 'y' },
  ]);
  expect(valuesOf({ matrix: { a: [1, 2], b: [] } })).toEqual([]);
});

test('exclude leaves out what has all of its values', () => {
  const matrix = { a: [1, 2], b: [{ x: [1] }, null] };
  expect(
    valuesOf({
      matrix,
      exclude: [
        { a: 1, b: { x: [1] } },
        { b: null, a: 2 },
      ],
    }),
  ).toEqual([
    { a: 1, b: null },
    { a: 2, b: { x: [1] } },
  ]);
});

// The example of GitHub's documentation, "Example: Expanding configurations".
test("include as in GitHub's example", () => {
  const include = [
    { color: 'green' },
    { color: 'pink', animal: 'cat' },
    { fruit: 'apple', shape: 'circle' },
    { fruit: 'banana' },
    { fruit: 'banana', animal: 'cat' },
  ];
  const matrix = { fruit: ['apple', 'pear'], animal: ['cat', 'dog'] };
  expect(valuesOf({ matrix, include })).toEqual([
    { fruit: 'apple', animal: 'cat', color: 'pink', shape: 'circle' },
    { fruit: 'apple', animal: 'dog', color: 'green', shape: 'circle' },
    { fruit: 'pear', animal: 'cat', color: 'pink' },
    { fruit: 'pear', animal: 'dog', color: 'green' },
    { fruit: 'banana' },
    { fruit: 'banana', animal: 'cat' },
  ]);
  expect(valuesOf({ matrix: {}, include: [{ a: 1 }, { a: 1, b: 2 }] })).toEqual([
    { a: 1 },
    { a: 1, b: 2 },
  ]);
});

test.each<[JsonValue[], string[]]>([
  [
    [5e-5, 0.001, 1000, -2e-7, 0],
    ['x=5e-5', 'x=0.001', 'x=1000', 'x=-2e-7', 'x=0'],
  ],
  [
    ['a b', true, null],
    ['x=a b', 'x=true', 'x=null'],
  ],
  [
    [`sha256:${'0'.repeat(64)}`, { model: 1 }, [1], 'two\nlines', ''],
    ['x[0]', 'x[1]', 'x[2]', 'x[3]', 'x[4]'],
  ],
])('%j are named %j', (values, names) => {
  const ids = combineMatrix('tune', { matrix: { x: values } }).map(({ id }) => id);
  expect(ids).toEqual(names.map((name) => `tune (${name})`));
});

test('equal entries are told apart', () => {
  const ids = combineMatrix('tune', { matrix: { x: [1, 1], y: ['a'] } }).map(({ id }) => id);
  expect(ids).toEqual(['tune (x=1, y=a)', 'tune (x=1, y=a) #2']);
});

test.each<[string, Values, string]>([
  ['no list', { matrix: { x: 5 } }, 'strategy.matrix.x is 5; expected a list'],
  [
    'no map',
    { matrix: { x: [1] }, include: [1] },
    'strategy.include[0] is 1; expected a map of values',
  ],
  [
    'an unknown key',
    { matrix: { x: [1] }, exclude: [{ y: 1 }] },
    "strategy.exclude[0] has 'y', which the matrix has not; expected x",
  ],
  [
    'too many',
    { matrix: { x: Array<number>(101).fill(0), y: Array<number>(100).fill(0) } },
    'the matrix has 10100 entries; expected at most 10000; take values out, or split the step',
  ],
])('%s is refused', (_, values, message) => {
  expect(() => combineMatrix('tune', values)).toThrow(message);
});

test('the lists may come from params and from outputs', () => {
  const step = matrixStep({
    matrix: { rate: '${{ params.rates }}', split: '${{ steps.a.outputs.splits }}' },
  });
  const contexts = { params: { rates: [1, 2] }, steps: { a: { outputs: { splits: ['x'] } } } };
  expect(expandMatrix(step, contexts).map(({ id }) => id)).toEqual([
    'tune (rate=1, split=x)',
    'tune (rate=2, split=x)',
  ]);
});

const OF: Plan = {
  ...{ name: 'p', params: {}, env: {}, maxParallel: 4, outputs: {} },
  steps: [
    matrixStep({ matrix: { x: [1, 2, 3] }, maxParallel: 2 }),
    { ...entryStep(matrixStep({}), 'after'), needs: ['tune'] },
  ],
};
const TUNE = OF.steps[0] as MatrixStep;

type Entry = Pick<StepState, 'status'> & Partial<StepState>;

/** The run whose three entries stand so. */
function begun(...entries: readonly Entry[]): RunProgress {
  const expanded = expandMatrix(TUNE, {});
  const progress = progressWith(OF, { tune: { status: 'running' } });
  progress.apply(
    { kind: 'step-expanded', step: 'tune', entries: expanded },
    ...entries.map((entry, index) => eventOf(expanded[index]?.id ?? '', entry)),
  );
  return progress;
}

function running(...entries: readonly Entry[]): RunState {
  return begun(...entries).state;
}

test('as many entries start as the matrix allows, in order', () => {
  expect(readyEntries(TUNE, running())).toEqual(['tune (x=1)', 'tune (x=2)']);
  expect(readyEntries(TUNE, running({ status: 'running' }))).toEqual(['tune (x=2)']);
  const ended = [{ status: 'completed' }, { status: 'cached' }] as const;
  expect(readyEntries(TUNE, running(...ended))).toEqual(['tune (x=3)']);
});

test('after a failure none starts, unless the matrix does not fail fast', () => {
  const state = running({ status: 'failed' });
  expect(readyEntries(TUNE, state)).toEqual([]);
  const patient = { ...TUNE, strategy: { ...TUNE.strategy, failFast: false } };
  expect(readyEntries(patient, state)).toEqual(['tune (x=2)', 'tune (x=3)']);
});

const FAILURE = { type: 'NotFound', message: 'no' };

test.each<[string, readonly Entry[], object | undefined]>([
  ['some still run', [{ status: 'completed' }, { status: 'running' }], undefined],
  [
    'all are cached',
    [{ status: 'cached' }, { status: 'cached' }, { status: 'cached' }],
    { kind: 'step-cached', note: '3 entries' },
  ],
  [
    'some are cached',
    [{ status: 'cached' }, { status: 'completed', attempt: 2 }, { status: 'cached' }],
    { kind: 'step-completed', note: '3 entries, 2 cached', attempt: 2 },
  ],
  [
    'one failed',
    [{ status: 'failed', error: FAILURE }, { status: 'cancelled' }, { status: 'completed' }],
    { kind: 'step-failed', error: { type: 'NotFound', message: '1 of 3 entries failed' } },
  ],
  [
    'one was cancelled',
    [{ status: 'completed' }, { status: 'cancelled' }, { status: 'completed' }],
    { kind: 'step-cancelled' },
  ],
])('a matrix ends when %s', (_, states, end) => {
  const found = endOfMatrix(TUNE, running(...states), 7);
  if (end === undefined) expect(found).toBeUndefined();
  else expect(found).toMatchObject({ step: 'tune', at: 7, ...end });
});

test('the results are lists in the order of the entries', () => {
  const progress = begun(
    { status: 'completed', outputs: { rows: 1 } },
    { status: 'failed' },
    { status: 'cached', outputs: { rows: 3 } },
  );
  progress.apply(endOfMatrix(TUNE, progress.state, 9)!);
  expect(expressionContexts(OF, progress.state, FACTS, ['tune'])['steps']).toEqual({
    tune: {
      outputs: [{ rows: 1 }, {}, { rows: 3 }],
      matrix: [{ x: 1 }, { x: 2 }, { x: 3 }],
      result: 'failure',
    },
  });
  const after = OF.steps[1]!;
  expect(admit(after, progress.circumstances(after), {})).toMatchObject({
    kind: 'skip',
    note: "not run: step 'tune' failed",
  });
});

test.each(['skipped', 'cancelled', 'failed'] as const)(
  'of a step that was %s before it had entries the results are lists of nothing',
  (status) => {
    const { state } = progressWith(OF, { tune: { status } });
    const { tune } = expressionContexts(OF, state, FACTS, ['tune'])['steps'] as JsonObject;
    expect(tune).toMatchObject({ outputs: [], matrix: [] });
  },
);

test('an entry that failed ends the run before its matrix has, if that fails fast', () => {
  const after = OF.steps[1]!;
  expect(begun({ status: 'failed' }).circumstances(after).failed).toEqual(['tune']);
  expect(begun({ status: 'completed' }).circumstances(after).failed).toEqual([]);
});

test('entries stand behind their step, and are counted in its place', () => {
  const cached = { status: 'cached' } as const;
  const state = running(cached, cached, { status: 'completed' });
  expect(orderedSteps(state).map(([id]) => id)).toEqual([
    'tune',
    'tune (x=1)',
    'tune (x=2)',
    'tune (x=3)',
    'after',
  ]);
  expect(statusText({ ...state, status: 'completed' })).toBe(
    'completed, 2 of 4 steps from the cache',
  );
});

test('a run whose trainings were all in the cache says that it has trained nothing', () => {
  const text = (third: StepState): string =>
    statusText({
      ...running({ status: 'cached' }, { status: 'cached' }, third),
      status: 'completed',
      trainings: ['tune'],
    });
  expect(text({ status: 'cached', attempt: 0 })).toBe(
    'completed, 3 of 4 steps from the cache, nothing was trained',
  );
  expect(text({ status: 'completed', attempt: 1 })).toBe('completed, 2 of 4 steps from the cache');
});

test('an entry that has to run again opens its step again', () => {
  const completed = { status: 'completed', outputs: {} } as const;
  const progress = begun(completed, completed, completed);
  progress.apply(
    endOfMatrix(TUNE, progress.state, 9)!,
    { kind: 'step-invalidated', step: 'tune (x=2)', note: 'made again' },
    { kind: 'step-reopened', step: 'tune' },
  );
  expect(readyEntries(TUNE, progress.state)).toEqual(['tune (x=2)']);
  expect(progress.state.steps['tune (x=2)']?.matrix).toEqual({ x: 2 });
  expect(endOfMatrix(TUNE, progress.state, 9)).toBeUndefined();
  expect(progress.ready()).toEqual([]);
});
