import { randomUUID } from 'node:crypto';
import { beforeAll, expect, test } from 'vitest';
import { z } from 'zod';
import { withoutIgnored } from '../../activities/cache-policy.ts';
import type { AnyStep } from '../../activities/catalog.ts';
import { previewRun } from '../../activities/preview/preview.ts';
import type { StepContext } from '../../activities/step-context.ts';
import { compile } from '../../language/compile.ts';
import { defineStep } from '../../language/step-declaration.ts';
import { Failure } from '../../plan/failures.ts';
import type { RunState, StepId } from '../../plan/plan.ts';
import { invalidate, publish, recordedResult } from '../../store/cache.ts';
import { readAttempts } from '../../store/ledger.ts';
import {
  CHECKPOINT_TYPE,
  listCheckpoints,
  publishCheckpoint,
} from '../../training/checkpoints/checkpoint-store.ts';
import { PipelineSite } from './preview/pipeline-worker.ts';

const DAY_MS = 86_400_000;

/** Every execution gives another result. */
const draw = defineStep({
  ...{ kind: 'draw', version: 1, revision: 1, effect: 'pure', role: 'work', summary: 'Draw.' },
  with: z.strictObject({
    of: z.string(),
    tries: z
      .strictObject({ most: z.int().default(3), pause: z.string().default('1s') })
      .prefault({}),
  }),
  outputs: { drawn: z.string() },
  async run({ store, run, fingerprint }: StepContext, { of, tries }) {
    const attempts = await readAttempts(store, { workflowId: run.workflowId, step: run.stepId });
    if (of === 'late' && attempts.length === 1) {
      const manifest = { type: CHECKPOINT_TYPE, metadata: {}, files: [] };
      const checkpoint = { step: 1, manifest, rejected: new Set<never>(), saveTotalLimit: 1 };
      await publishCheckpoint(store, fingerprint, checkpoint);
      throw new Failure('SourceUnavailable', 'not yet');
    }
    const checkpoints = await listCheckpoints(store, fingerprint);
    return { drawn: `${of} ${tries.most} ${checkpoints.length} ${randomUUID()}` };
  },
}) as unknown as AnyStep;

let site: PipelineSite;

beforeAll(async () => {
  site = await PipelineSite.open();
});

interface Ran {
  readonly drawn: unknown;
  readonly status: string | undefined;
}

function fileOf(step: string): string {
  return `name: draws
steps:
  first: { uses: draw@1, ${step}, retry: { backoff: 1ms } }
  second: { uses: draw@1, with: { of: '\${{ steps.first.outputs.drawn }}' } }`;
}

async function run(step: string, options: { force?: boolean } = {}): Promise<RunState> {
  const state = await site.serving([draw], [], () => site.run(randomUUID(), fileOf(step), options));
  expect(state.status).toBe('completed');
  return state;
}

function of({ steps }: RunState, id: StepId): Ran {
  const { status, outputs } = steps[id] ?? {};
  return { status, drawn: outputs?.['drawn'] };
}

/** What a plan says of both steps: hit, or why not. */
async function planned(step: string): Promise<Record<StepId, string>> {
  const compiled = compile({ source: fileOf(step), catalog: [draw] });
  if (!compiled.ok) throw new Error(JSON.stringify(compiled.diagnostics));
  const { store, env, workRoot } = site;
  const { signal } = new AbortController();
  const request = { plan: compiled.plan, store, catalog: [draw], env, workRoot, signal };
  const { steps } = await previewRun(request);
  return Object.fromEntries(
    steps.map(({ id, outcome }) => [
      id,
      outcome.kind === 'hit' ? 'hit' : `${outcome.kind}: ${outcome.reasons.join('; ')}`,
    ]),
  );
}

/** The step's result, made so much earlier. */
async function age(state: RunState, byMs: number): Promise<void> {
  const fingerprint = state.steps['first']?.fingerprint ?? '';
  const entry = await recordedResult(site.store, fingerprint);
  if (entry === undefined) throw new Error('the step has no result');
  await invalidate(site.store, fingerprint);
  await publish(site.store, { ...entry, createdAt: entry.createdAt - byMs });
}

test('a step whose cache is not enabled runs in every run, and the newest result is kept', async () => {
  const uncached = 'with: { of: a }, cache: { enabled: false }';
  const before = of(await run('with: { of: a }'), 'first');
  const own = await run(uncached);
  expect(of(own, 'first').status).toBe('completed');
  expect(of(own, 'first').drawn).not.toBe(before.drawn);
  // What reads it has the new result, not the one of before.
  expect(of(own, 'second').drawn).toContain(of(own, 'first').drawn);
  expect(of(await run('with: { of: a }'), 'first')).toEqual({
    status: 'cached',
    drawn: of(own, 'first').drawn,
  });
  expect(await planned(uncached)).toEqual({
    first: 'run: cache.enabled is false',
    second: "unknown: of from step 'first'",
  });
});

test('an older result than max_age is made again, and replaced', async () => {
  const step = 'with: { of: b }, cache: { max_age: 7d }';
  const before = await run(step);
  expect(of(await run(step), 'first')).toEqual({ ...of(before, 'first'), status: 'cached' });
  await age(before, 6 * DAY_MS);
  expect(await planned(step)).toEqual({ first: 'hit', second: 'hit' });
  await age(before, 2 * DAY_MS);
  expect((await planned(step))['first']).toMatch(
    /^run: its result was made 8d\S* ago; cache\.max_age is 7d$/,
  );
  // Another step's limit is its own.
  expect(await planned('with: { of: b }')).toEqual({ first: 'hit', second: 'hit' });
  const again = await run(step);
  expect(of(again, 'first').status).toBe('completed');
  expect(of(again, 'first').drawn).not.toBe(of(before, 'first').drawn);
  expect(of(again, 'second').drawn).toContain(of(again, 'first').drawn);
  expect(of(await run(step), 'first')).toEqual({ ...of(again, 'first'), status: 'cached' });
  expect(of(await run('with: { of: b }'), 'first').drawn).toBe(of(again, 'first').drawn);
});

test('ignored inputs make no difference to a result, and are given to the step', async () => {
  const step = (most: number, ignore: string): string =>
    `with: { of: c, tries: { most: ${most} } }, cache: { ignore: [${ignore}] }`;
  const first = await run(step(5, 'tries.most'));
  expect(of(first, 'first').drawn).toMatch(/^c 5 /);
  const cached = { ...of(first, 'first'), status: 'cached' };
  expect(of(await run(step(6, 'tries.most')), 'first')).toEqual(cached);
  expect(of(await run(step(6, 'with.tries.most')), 'first')).toEqual(cached);
  expect(await planned(step(7, 'tries.most'))).toEqual({ first: 'hit', second: 'hit' });
  // What is no part of one fingerprint is part of the other.
  expect(await planned(step(6, 'tries'))).toMatchObject({
    first: expect.stringMatching(/^run: tries: /) as string,
  });
  expect(of(await run(step(6, 'tries')), 'first').drawn).toMatch(/^c 6 /);
});

test('a step that is tried again uses no result that it must not use, and keeps its checkpoints', async () => {
  const before = await run('with: { of: late }, cache: { max_age: 7d }');
  expect(before.steps['first']?.attempt).toBe(2);
  await age(before, 8 * DAY_MS);
  for (const policy of ['max_age: 7d', 'enabled: false']) {
    const again = await run(`with: { of: late }, cache: { ${policy} }`);
    expect(again.steps['first']).toMatchObject({ status: 'completed', attempt: 2 });
    expect(of(again, 'first').drawn).toMatch(/^late 3 1 /);
  }
});

test('force keeps a result that may be used, and replaces one that may not', async () => {
  const before = of(await run('with: { of: d }'), 'first').drawn;
  expect(of(await run('with: { of: d }', { force: true }), 'first').drawn).toBe(before);
  const uncached = 'with: { of: d }, cache: { enabled: false }';
  expect(of(await run(uncached, { force: true }), 'first').drawn).not.toBe(before);
});

test('a secret in what is ignored is no part of the fingerprint', () => {
  const inputs = { url: '***', body: { token: '***', text: 'a' }, list: [1, 2] };
  const secrets = [
    { path: ['url'], parts: [{ secret: 'URL' }] },
    { path: ['body', 'token'], parts: [{ secret: 'TOKEN' }] },
  ];
  const cache = { enabled: true, ignore: [['body'], ['list', 'length'], ['none', 'such']] };
  expect(withoutIgnored({ inputs, secrets }, cache)).toEqual({
    inputs: { url: '***', list: [1, 2] },
    secrets: secrets.slice(0, 1),
  });
  expect(withoutIgnored({ inputs, secrets })).toEqual({ inputs, secrets });
});
