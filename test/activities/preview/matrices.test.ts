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

test.each<[string, string, Readonly<Record<string, string>>]>([
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
