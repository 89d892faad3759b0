import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import type { RunPreview, StepPreview } from '../../../activities/preview/outcome.ts';
import { previewRun } from '../../../activities/preview/preview.ts';
import { compile } from '../../../language/compile.ts';
import type { JsonObject } from '../../../plan/json.ts';
import { openStore } from '../../../store/open.ts';
import { lightKinds } from './kinds.ts';
import { PipelineSite } from './pipeline-worker.ts';

let site: PipelineSite;

beforeAll(async () => {
  site = await PipelineSite.open();
  await writeFile(join(site.dataRoot, 'rows'), 'row');
  await writeFile(join(site.dataRoot, 'other'), 'other');
  const state = await site.serving(lightKinds(1), [], () =>
    site.run('read', 'name: read\nsteps: { data: { uses: read@1, with: { source: rows } } }', {}),
  );
  expect(state.status).toBe('completed');
});

async function planned(source: string, params: JsonObject): Promise<RunPreview> {
  const catalog = lightKinds(1);
  const compiled = compile({ source, catalog, params });
  if (!compiled.ok) throw new Error(JSON.stringify(compiled.diagnostics));
  const store = await openStore(site.store.url, { isReadOnly: true });
  const { env, workRoot } = site;
  const { signal } = new AbortController();
  return previewRun({ plan: compiled.plan, store, catalog, env, workRoot, signal });
}

function told(steps: readonly StepPreview[]): Record<string, string> {
  return Object.fromEntries(
    steps.map(({ id, outcome }) => {
      const until = outcome.kind === 'unknown' ? ` until ${outcome.until.join(', ')}` : '';
      const reasons = outcome.kind === 'hit' ? '' : `: ${outcome.reasons.join('; ')}`;
      return [id, `${outcome.kind}${until}${reasons}`];
    }),
  );
}

const source = (strategy: string, more = ''): string => `
name: tunes
params: { texts: [a, b], modes: [append] }
steps:
  data: { uses: read@1, with: { source: rows } }
  tune:
    uses: rewrite@1
    strategy: ${strategy}
    with:
      dataset: '\${{ steps.data.outputs.dataset }}'
      text: '\${{ matrix.text }}'
${more}`;
const TEXTS = "{ matrix: { text: '${{ params.texts }}' } }";

test('what does the same work as an entry is unknown until that has run, and so is what reads it', async () => {
  const file = source(
    TEXTS,
    `  alone:
    uses: rewrite@1
    needs: tune
    with: { dataset: '\${{ steps.data.outputs.dataset }}', text: a }
  after: { uses: count@1, with: { dataset: '\${{ steps.alone.outputs.dataset }}' } }
`,
  );
  const preview = await planned(file, {});
  expect(told(preview.steps)).toMatchObject({
    tune: 'run: 2 entries',
    alone: "unknown until tune (text=a): step 'tune (text=a)' does the same work",
    after: "unknown until tune (text=a): dataset from step 'alone'",
  });
});

const UNSURE =
  "unknown until tune (file=lost): 'tune (file=lost)' would fail, which cancels what has not ended";

test.each<[string, string, Readonly<Record<string, string>>]>([
  [
    'fails fast with several entries at once',
    'max_parallel: 2',
    {
      tune: 'fail: 3 entries',
      'tune (file=rows)': UNSURE,
      'tune (file=lost)': 'fail: there is no file lost',
      'tune (file=other)': UNSURE,
    },
  ],
  [
    'fails fast with all entries at once',
    'fail_fast: true',
    {
      tune: 'fail: 3 entries',
      'tune (file=rows)': UNSURE,
      'tune (file=lost)': 'fail: there is no file lost',
      'tune (file=other)': UNSURE,
    },
  ],
  [
    'fails fast',
    'max_parallel: 1',
    {
      tune: 'fail: 3 entries, 1 in the cache',
      'tune (file=rows)': 'hit',
      'tune (file=lost)': 'fail: there is no file lost',
      'tune (file=other)': 'skip: another entry would fail',
    },
  ],
  [
    'does not',
    'max_parallel: 1, fail_fast: false',
    {
      tune: 'fail: 3 entries, 1 in the cache',
      'tune (file=rows)': 'hit',
      'tune (file=lost)': 'fail: there is no file lost',
      'tune (file=other)': 'run: no earlier result',
    },
  ],
])(
  'beside a matrix that fails nothing is sure to start that does not start before it: one that %s',
  async (_, limits, expected) => {
    const file = `
name: reads
params: { files: [rows, lost, other] }
steps:
  data: { uses: read@1, with: { source: rows } }
  tune:
    uses: read@1
    needs: data
    strategy: { matrix: { file: '\${{ params.files }}' }, ${limits} }
    with: { source: '\${{ matrix.file }}' }
  all: { uses: join@1, with: { datasets: '\${{ steps.tune.outputs.*.dataset }}' } }
  anyway: { uses: announce@1, needs: tune, if: always(), with: { text: x } }
  first: { uses: announce@1, needs: data, with: { text: x } }
  second: { uses: announce@1, needs: first, with: { text: x } }
  third: { uses: announce@1, needs: second, if: always(), with: { text: x } }
  fourth: { uses: announce@1, needs: third, with: { text: x } }
`;
    const unsure = "unknown until tune: nothing new starts once step 'tune' has failed";
    const everyRun = 'run: does its work in every run';
    const { steps } = await planned(file, {});
    expect(told(steps)).toEqual({
      ...{ data: 'hit', ...expected, all: "skip: step 'tune' failed", anyway: everyRun },
      ...{ first: everyRun, second: unsure, third: everyRun, fourth: unsure },
    });
  },
);

/** What an outcome that is known is as the status of a step. */
const STATUSES: Readonly<Record<string, readonly (string | undefined)[]>> = {
  hit: ['cached'],
  run: ['completed'],
  skip: ['skipped', 'cancelled'],
  fail: ['failed'],
};

const everyRun = 'run: does its work in every run';
const besideLost = "unknown until lost: nothing new starts once step 'lost' has failed";

test.each<[string, number, string, Readonly<Record<string, string>>]>([
  ['as one runs at a time', 1, '', { before: everyRun, beside: besideLost }],
  ['where both find room', 3, '', { before: everyRun, beside: everyRun }],
  [
    'where a matrix may take the room',
    4,
    'tune: { uses: read@1, strategy: { matrix: { file: [rows, other] } }, with: { source: rows } }',
    { before: everyRun, beside: besideLost },
  ],
  [
    'where a matrix leaves room',
    4,
    'tune: { uses: read@1, strategy: { matrix: { file: [rows, other] }, max_parallel: 1 }, with: { source: rows } }',
    { before: everyRun, beside: everyRun },
  ],
])('what starts beside a step that fails is told from max_parallel: %s', async (...given) => {
  const [name, limit, more, expected] = given;
  const file = `
name: beside
defaults: { max_parallel: ${limit} }
steps:
  before: { uses: announce@1, with: { text: x } }
  lost: { uses: read@1, with: { source: lost } }
  beside: { uses: announce@1, with: { text: x } }
  ${more}
`;
  const { outcomes, wrong } = await fulfilled(name, file);
  expect(outcomes).toMatchObject(expected);
  expect(wrong).toEqual([]);
});

test('nothing behind a step whose matrix cannot be made is sure to start', async () => {
  const file = `
name: made
steps:
  data: { uses: read@1, with: { source: rows } }
  before: { uses: announce@1, needs: data, with: { text: x } }
  lost:
    uses: announce@1
    needs: data
    strategy: { matrix: { text: '\${{ fromJSON(toJSON(steps.data.outputs.dataset)) }}' } }
    with: { text: '\${{ matrix.text }}' }
  beside: { uses: announce@1, needs: data, with: { text: x } }
`;
  const { outcomes, wrong } = await fulfilled('made', file);
  expect(outcomes).toMatchObject({ data: 'hit', before: everyRun, beside: besideLost });
  expect(wrong).toEqual([]);
});

test('a run in which an entry fails does what was told', async () => {
  for (const limits of ['max_parallel: 1', 'max_parallel: 2', 'fail_fast: false']) {
    const strategy = `{ matrix: { file: [rows, lost, other] }, ${limits} }`;
    const file = `
name: entries
steps:
  tune: { uses: read@1, strategy: ${strategy}, with: { source: '\${{ matrix.file }}' } }
  anyway:
    uses: announce@1
    if: always()
    with: { text: '\${{ steps.tune.result }}' }
`;
    const { outcomes, wrong } = await fulfilled(`entries ${limits}`, file);
    expect(outcomes).toMatchObject({ anyway: everyRun });
    expect(wrong).toEqual([]);
  }
});

/** What was told of a pipeline, and what its run then did not do of what was told for sure. */
async function fulfilled(
  name: string,
  file: string,
): Promise<{ readonly outcomes: Record<string, string>; readonly wrong: readonly unknown[] }> {
  const { steps } = await planned(file, {});
  const state = await site.serving(lightKinds(1), [], () => site.run(name, file, {}));
  const wrong = steps.filter(({ id, outcome }) => {
    const status = state.steps[id]?.status;
    return outcome.kind !== 'unknown' && STATUSES[outcome.kind]?.includes(status) !== true;
  });
  return {
    outcomes: told(steps),
    wrong: wrong.map(({ id, outcome }) => [id, outcome, state.steps[id]]),
  };
}
