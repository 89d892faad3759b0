import { appendFile, chmod, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import type { AnyStep } from '../../../activities/catalog.ts';
import type { StepPreview } from '../../../activities/preview/outcome.ts';
import { previewRun } from '../../../activities/preview/preview.ts';
import type { PreviewRequest } from '../../../activities/preview/preview-request.ts';
import { compile } from '../../../language/compile.ts';
import type { JsonObject, JsonValue } from '../../../plan/json.ts';
import type { RunState } from '../../../plan/plan.ts';
import { readManifest } from '../../../store/artifacts.ts';
import { invalidate } from '../../../store/cache.ts';
import { openStore } from '../../../store/open.ts';
import { getRun } from '../../../store/runs.ts';
import type { ArtifactDigest } from '../../../store/store.ts';
import { registerWorker, unregisterWorker } from '../../../store/workers.ts';
import { lightKinds } from './kinds.ts';
import { PipelineSite } from './pipeline-worker.ts';

const FILE = `
name: lines
params: { text: one, on: true, above: 1 }
env: { mode: append }
steps:
  data: { uses: read@1, with: { source: rows } }
  first:
    uses: rewrite@1
    with: { dataset: '\${{ steps.data.outputs.dataset }}', text: '\${{ params.text }}' }
  head:
    uses: refine@1
    with: { dataset: '\${{ steps.first.outputs.dataset }}', mode: '\${{ env.mode }}' }
  both:
    uses: join@1
    with: { datasets: ['\${{ steps.data.outputs.dataset }}', '\${{ steps.head.outputs.dataset }}'] }
  size: { uses: count@1, with: { dataset: '\${{ steps.both.outputs.dataset }}' } }
  fast:
    uses: compute@1
    runs_on: two
    with: { dataset: '\${{ steps.data.outputs.dataset }}', device: auto }
  large:
    uses: rewrite@1
    if: \${{ params.on && steps.size.outputs.lines > params.above }}
    with: { dataset: '\${{ steps.both.outputs.dataset }}', text: large }
  after: { uses: count@1, needs: [large], with: { dataset: '\${{ steps.data.outputs.dataset }}' } }
  tell: { uses: announce@1, needs: [size], with: { text: done } }
`;

const HITS = ['data', 'first', 'head', 'both', 'size', 'fast', 'large', 'after'];

let site: PipelineSite;
let state: RunState;

beforeAll(async () => {
  site = await PipelineSite.open();
  await writeFile(join(site.dataRoot, 'rows'), 'row\nrow');
  state = await site.serving(lightKinds(1), ['two'], () => site.run('before', FILE, {}));
  expect(state).toMatchObject({ status: 'completed', steps: { large: { status: 'completed' } } });
});

interface Asked extends Partial<PreviewRequest> {
  readonly file?: string;
  readonly params?: JsonObject;
}

async function planned({
  file = FILE,
  params = {},
  ...asked
}: Asked): Promise<readonly StepPreview[]> {
  const catalog: readonly AnyStep[] = asked.catalog ?? lightKinds(1);
  const compiled = compile({ source: file, catalog, params });
  if (!compiled.ok) throw new Error(JSON.stringify(compiled.diagnostics));
  const store = await openStore(site.store.url, { isReadOnly: true });
  const { env, workRoot } = site;
  const { signal } = new AbortController();
  const request = { plan: compiled.plan, store, catalog, env, workRoot, signal, ...asked };
  return (await previewRun(request)).steps;
}

/** Every step that is no hit, as text. */
function told(steps: readonly StepPreview[]): Record<string, string> {
  const rows = steps.flatMap(({ id, outcome }) => {
    if (outcome.kind === 'hit') return [];
    const until = outcome.kind === 'unknown' ? ` until ${outcome.until.join(', ')}` : '';
    return [[id, `${outcome.kind}${until}: ${outcome.reasons.join('; ')}`] as const];
  });
  return Object.fromEntries(rows);
}

/** Artifacts by their first digits, as in the messages. */
function digits(artifact: JsonValue | undefined): string {
  return `${JSON.stringify(artifact).slice(1, 16)}…`;
}

const EVERY_RUN = { tell: 'run: does its work in every run' };
const FROM_HEAD = {
  both: "unknown until head: datasets.1 from step 'head'",
  size: "unknown until head: dataset from step 'both'",
  large: "unknown until head: if reads step 'size'",
  after: "unknown until head: step 'large' may be skipped",
};
const FROM_FIRST = {
  head: "unknown until first: dataset from step 'first'",
  both: "unknown until first: datasets.1 from step 'head'",
  size: "unknown until first: dataset from step 'both'",
  large: "unknown until first: if reads step 'size'",
  after: "unknown until first: step 'large' may be skipped",
};

test('nothing changed: all is in the cache but what is for the world', async () => {
  const steps = await planned({});
  expect(told(steps)).toEqual(EVERY_RUN);
  expect(steps.map(({ id, outcome }) => (outcome.kind === 'hit' ? id : ''))).toEqual([...HITS, '']);
});

test.each<[string, Asked, Record<string, string>]>([
  [
    'a param',
    { params: { text: 'two' } },
    { first: 'run: text: one -> two (param text)', ...FROM_FIRST },
  ],
  [
    'a literal, and a constant of the file',
    { file: FILE.replace('mode: append', 'mode: head') },
    { head: 'run: mode: append -> head (env mode)', ...FROM_HEAD },
  ],
  [
    'two inputs of one step',
    { file: FILE.replace("text: '${{ params.text }}'", "mode: head, text: '${{ params.text }}x'") },
    { first: 'run: mode: append -> head; text: one -> onex (param text)', ...FROM_FIRST },
  ],
  [
    'the revision of a kind',
    { catalog: lightKinds(2) },
    { head: 'run: revision of refine@1: 1 -> 2', ...FROM_HEAD },
  ],
  [
    'the kind',
    { file: FILE.replace('uses: refine@1', 'uses: rewrite@1') },
    { head: 'run: uses: refine@1 -> rewrite@1', ...FROM_HEAD },
  ],
  [
    'a condition that is false whatever is unknown',
    { params: { on: false, text: 'two' } },
    {
      first: 'run: text: one -> two (param text)',
      ...FROM_FIRST,
      large: "skip: if 'params.on && steps.size.outputs.lines > params.above' is false",
      after: "skip: step 'large' was skipped",
    },
  ],
  [
    'a condition on what is known',
    { params: { above: 100 } },
    {
      large: "skip: if 'params.on && steps.size.outputs.lines > params.above' is false",
      after: "skip: step 'large' was skipped",
    },
  ],
  [
    'a step that is new',
    {
      file: FILE.replace(
        '  tell:',
        "  more: { uses: rewrite@1, with: { dataset: '${{ steps.data.outputs.dataset }}' } }\n  tell:",
      ),
    },
    { more: 'run: no earlier result' },
  ],
  [
    'two steps with the same work',
    {
      file: FILE.replace(
        '  tell:',
        ['more', 'same']
          .map(
            (id) =>
              `  ${id}: { uses: rewrite@1, with: { dataset: '\${{ steps.data.outputs.dataset }}' } }\n`,
          )
          .join('') + '  tell:',
      ),
    },
    { more: 'run: no earlier result', same: "unknown until more: step 'more' does the same work" },
  ],
  [
    '--from',
    { options: { from: 'large' } },
    {
      large: 'run: asked for by --from large',
      after: 'run: asked for by --from large',
    },
  ],
  [
    '--force: outputs stay what they are, so conditions are known',
    { options: { force: true }, params: { above: 100 } },
    {
      ...Object.fromEntries(HITS.map((id) => [id, 'run: asked for by --force'])),
      large: "skip: if 'params.on && steps.size.outputs.lines > params.above' is false",
      after: "skip: step 'large' was skipped",
      tell: 'run: asked for by --force',
    },
  ],
  [
    '--force with --from: all is asked for by --force',
    { options: { force: true, from: 'large' } },
    Object.fromEntries([...HITS, 'tell'].map((id) => [id, 'run: asked for by --force'])),
  ],
  [
    'an input that the fingerprint is not of any more',
    {
      file: FILE.replace(
        "text: '${{ params.text }}' }",
        "text: '${{ params.text }}' }\n    cache: { ignore: [text] }",
      ),
    },
    { first: 'run: text: left out by cache.ignore now', ...FROM_FIRST },
  ],
  [
    'what only the run knows',
    { file: FILE.replace('text: large', "text: '${{ run.id }}'") },
    { large: 'unknown until : reads run.id, which a run has' },
  ],
  [
    'an id that is given',
    { file: FILE.replace('text: large', "text: '${{ run.id }}'"), id: 'next' },
    { large: 'run: text: large -> next (run id)' },
  ],
  [
    'a source that is not asked',
    { isOffline: true },
    {
      data: 'unknown until : its source was not asked',
      first: "unknown until data: dataset from step 'data'",
      head: "unknown until data: dataset from step 'first'",
      both: "unknown until data: datasets.0 from step 'data', datasets.1 from step 'head'",
      size: "unknown until data: dataset from step 'both'",
      fast: "unknown until data: dataset from step 'data'",
      large: "unknown until data: if reads step 'size'",
      after: "unknown until data: step 'large' may be skipped",
    },
  ],
  [
    'a source that is not there: what is beside it may have begun',
    {
      file: FILE.replace(
        '  tell:',
        '  lost: { uses: read@1, with: { source: lost } }\n  late: { uses: announce@1, needs: [lost], with: { text: late } }\n  tell:',
      ),
    },
    {
      lost: 'fail: there is no file lost',
      late: "skip: step 'lost' failed",
      ...Object.fromEntries(
        [...HITS.slice(1), 'tell'].map((id) => [
          id,
          "unknown until lost: nothing new starts once step 'lost' has failed",
        ]),
      ),
      large: "unknown until lost: if reads step 'size'",
    },
  ],
])('%s', async (_, asked, expected) => {
  expect(told(await planned(asked))).toEqual({ ...EVERY_RUN, ...expected });
});

test('an artifact of another step is named by both', async () => {
  const [data, first] = ['data', 'first'].map((id) =>
    digits(state.steps[id]?.outputs?.['dataset']),
  );
  const file = FILE.replace(
    "dataset: '${{ steps.first.outputs.dataset }}', mode",
    "dataset: '${{ steps.data.outputs.dataset }}', mode",
  );
  expect(told(await planned({ file }))['head']).toBe(
    `run: dataset: from step 'first' -> from step 'data' (${first} -> ${data})`,
  );
});

test('a device that workers have now', async () => {
  await registerWorker(site.store, 'two', 'w', { devices: ['cpu', 'cuda'], seenAt: Date.now() });
  expect(told(await planned({}))).toEqual({ ...EVERY_RUN, fast: 'run: device: cpu -> cuda' });
  await unregisterWorker(site.store, 'two', 'w');
});

test('an old record of a run, which holds fingerprints alone', async () => {
  const record = await getRun(site.store, 'before');
  const { parts: _, ...old } = record ?? {};
  const since = old as NonNullable<typeof record>;
  const params = { text: 'two' };
  expect(told(await planned({ since, params }))['first']).toBe(
    'run: text: one -> two (param text)',
  );
  expect(told(await planned({ since, catalog: lightKinds(2) }))['head']).toBe(
    'run: made by another build of refine@1',
  );
});

test('a source that has changed, and results that are damaged or gone', async () => {
  const { head, size } = state.steps;
  const artifact = head?.outputs?.['dataset'] as ArtifactDigest;
  const [file] = (await readManifest(site.store, artifact)).files;
  const hex = file?.digest.slice('sha256:'.length) ?? '';
  const path = join(site.dataRoot, 'store', 'blobs', 'sha256', hex.slice(0, 2), hex);
  await invalidate(site.store, size?.fingerprint ?? '');
  expect(told(await planned({}))).toEqual({
    ...EVERY_RUN,
    size: 'run: the result of run before is not in the store any more',
    large: "unknown until size: if reads step 'size'",
    after: "unknown until size: step 'large' may be skipped",
  });
  for (const [status, reason] of [
    ['failed', 'failed in run before: no memory is left'],
    ['cancelled', 'was cancelled in run before'],
    ['pending', 'did not end in run before'],
  ] as const) {
    const error = { type: 'OutOfMemory', message: 'no memory is left\nat all' };
    const record = await getRun(site.store, 'before');
    if (record === undefined) throw new Error('there is no record of the run');
    const steps = { ...state.steps, size: { status, attempt: 1, error } };
    const since = { ...record, state: { ...state, steps } };
    expect(told(await planned({ since }))['size']).toBe(`run: ${reason}`);
  }
  await chmod(path, 0o644);
  await appendFile(path, 'x');
  const corrupt = told(await planned({}))['head'];
  expect(corrupt).toMatch(/^run: its result is damaged: blob sha256:[0-9a-f]{8}… in the store /);
  await rm(path);
  expect(told(await planned({}))['head']).toBe(
    'run: its result is damaged: its output dataset is incomplete: ' +
      `file text of artifact ${digits(artifact)} is no longer in the store`,
  );
  await writeFile(join(site.dataRoot, 'rows'), 'other');
  expect(told(await planned({}))['data']).toMatch(
    /^run: rows changed: [0-9a-f]{8}… -> [0-9a-f]{8}…$/,
  );
});

test('an input that the fingerprint is of again', async () => {
  await writeFile(join(site.dataRoot, 'again'), 'row');
  const file = (cache: string): string => `
name: again
steps:
  data: { uses: read@1, with: { source: again } }
  text:
    uses: rewrite@1
    with: { dataset: '\${{ steps.data.outputs.dataset }}', text: one }
    ${cache}
`;
  const ignoring = file('cache: { ignore: [text] }');
  await site.serving(lightKinds(1), [], () => site.run('again', ignoring, {}));
  expect(told(await planned({ file: ignoring }))).toEqual({});
  expect(told(await planned({ file: file('') }))).toEqual({
    text: 'run: text: no longer left out by cache.ignore',
  });
  await invalidate(
    site.store,
    (await getRun(site.store, 'again'))?.state.steps['text']?.fingerprint ?? '',
  );
  expect(told(await planned({ file: ignoring }))).toEqual({
    text: 'run: the result of run again is not in the store any more',
  });
});

test('those have to succeed that a step reads, or asks for in its if', async () => {
  const more = [
    ['plain', ''],
    ['always', 'if: always(), '],
    ['either', 'if: always() && params.on, '],
    ['success', 'if: success() || params.above < 0, '],
  ].map(
    ([id, asked]) => `  ${id}: { uses: announce@1, needs: first, ${asked}with: { text: x } }\n`,
  );
  const reads =
    "  reads: { uses: announce@1, if: always(), with: { text: x, dataset: '${{ steps.first.outputs.dataset }}' } }\n";
  const file = FILE.replace('  tell:', `${more.join('')}${reads}  tell:`);
  const steps = await planned({ file, params: { text: 'two' } });
  const supposed = steps.flatMap(({ id, outcome, supposed: found = [] }) =>
    outcome.kind === 'run' ? [[id, found] as const] : [],
  );
  expect(Object.fromEntries(supposed)).toMatchObject({
    plain: ['first'],
    always: [],
    either: [],
    success: ['first'],
    reads: ['first'],
    tell: ['size'],
  });
});
