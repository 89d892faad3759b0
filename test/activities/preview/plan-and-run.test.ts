import { appendFile, chmod, mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { RunPreview, StepPreview } from '../../../activities/preview/outcome.ts';
import { previewRun } from '../../../activities/preview/preview.ts';
import { compile } from '../../../language/compile.ts';
import type { Plan, PlanStep, RunState, StepId } from '../../../plan/plan.ts';
import { readManifest } from '../../../store/artifacts.ts';
import { invalidate } from '../../../store/cache.ts';
import { openStore } from '../../../store/open.ts';
import type { ArtifactDigest, BlobDigest } from '../../../store/store.ts';
import { registerWorker } from '../../../store/workers.ts';
import { lightKinds } from './kinds.ts';
import { PipelineSite } from './pipeline-worker.ts';
import { sourceOf } from './pipeline-source.ts';
import {
  edited,
  randomEdits,
  randomPipeline,
  type Edit,
  type RandomPipeline,
} from './random-pipelines.ts';

const CASES = 32;
const SEED = 20261126;
const AT_ONCE = 8;
const LABELS = ['one', 'two'];

interface Case {
  readonly name: string;
  readonly pipeline: RandomPipeline;
  readonly edits: readonly Edit[];
}

/** What was seen of an edited pipeline. */
interface Observation {
  readonly plan: Plan;
  readonly preview: RunPreview;
  readonly state: RunState;
  /** The plan after the run. */
  readonly again: RunPreview;
}

test(`what plan says of ${CASES} edited pipelines is what their runs do`, async () => {
  const site = await PipelineSite.open();
  const cases = fc
    .sample(fc.tuple(randomPipeline, randomEdits), { numRuns: CASES, seed: SEED })
    .map(([pipeline, edits], i) => ({ name: `case${i}`, pipeline, edits }));
  const states = await site.serving(lightKinds(1), LABELS, () =>
    inTurns(cases, async (one) => {
      await writeFiles(site, one);
      return site.run(one.name, sourceOf(one.name, one.pipeline), {});
    }),
  );
  for (const [i, one] of cases.entries()) await damage(site, one, states[i]);
  const gpu = { devices: ['cpu', 'cuda'], seenAt: Date.now() };
  await registerWorker(site.store, 'two', 'gpu', gpu);
  const seen = await site.serving(lightKinds(2), LABELS, () =>
    inTurns(cases, (one) => observe(site, one)),
  );
  const wrong = seen.flatMap((observation, i) =>
    differences(observation).map(
      (text) => `case${i} (${JSON.stringify(cases[i]?.edits)}): ${text}`,
    ),
  );
  expect(wrong).toEqual([]);
  const kinds = seen.flatMap(({ preview }) => preview.steps.map(({ outcome }) => outcome.kind));
  for (const kind of ['hit', 'run', 'unknown', 'skip'] as const) {
    expect(kinds.filter((found) => found === kind).length, kind).toBeGreaterThan(10);
  }
  const entries = new Set(
    seen.flatMap(({ preview }) => {
      const ids = new Set(preview.steps.flatMap(({ entries: own = [] }) => own));
      return preview.steps.flatMap(({ id, outcome }) => (ids.has(id) ? [outcome.kind] : []));
    }),
  );
  expect([...entries].toSorted()).toEqual(['hit', 'run', 'unknown']);
}, 300_000);

async function inTurns<T, R>(items: readonly T[], work: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = [];
  const open = [...items.entries()];
  const lanes = Array.from({ length: AT_ONCE }, async () => {
    for (let next = open.shift(); next !== undefined; next = open.shift()) {
      results[next[0]] = await work(next[1]);
    }
  });
  await Promise.all(lanes);
  return results;
}

async function writeFiles(site: PipelineSite, { name, pipeline }: Case): Promise<void> {
  await mkdir(join(site.dataRoot, name), { recursive: true });
  for (const [file, rows] of Object.entries(pipeline.files)) {
    await writeFile(join(site.dataRoot, name, file), `${name} ${file}\n${rows}`);
  }
}

/** The edits of what the first run left in the store. */
async function damage(site: PipelineSite, { edits }: Case, state?: RunState): Promise<void> {
  const steps = Object.values(state?.steps ?? {});
  const damaged = new Set<ArtifactDigest>();
  const artifacts = steps.flatMap(({ outputs }) => outputs?.['dataset'] ?? []);
  for (const { kind, at } of edits) {
    const { fingerprint } = steps[at % steps.length] ?? {};
    if (kind === 'forget' && fingerprint !== undefined) await invalidate(site.store, fingerprint);
    const artifact = artifacts[at % artifacts.length] as ArtifactDigest | undefined;
    const isDamage = kind === 'delete' || kind === 'corrupt';
    if (!isDamage || artifact === undefined || damaged.has(artifact)) continue;
    damaged.add(artifact);
    const [file] = (await readManifest(site.store, artifact)).files;
    const path = blobPath(site, at % 2 === 0 ? (file?.digest ?? artifact) : artifact);
    if (kind === 'delete') await rm(path);
    else await chmod(path, 0o644).then(() => appendFile(path, 'x'));
  }
}

function blobPath(site: PipelineSite, digest: BlobDigest): string {
  const hex = digest.slice('sha256:'.length);
  return join(site.dataRoot, 'store', 'blobs', 'sha256', hex.slice(0, 2), hex);
}

async function observe(site: PipelineSite, { name, edits, pipeline }: Case): Promise<Observation> {
  const changed = edits.reduce(edited, pipeline);
  await writeFiles(site, { name, edits, pipeline: changed });
  const source = sourceOf(name, changed);
  const options = optionsOf(edits, changed);
  const catalog = lightKinds(2);
  const compiled = compile({ source, catalog });
  if (!compiled.ok) throw new Error(JSON.stringify(compiled.diagnostics, null, 2));
  const { plan } = compiled;
  const look = async (chosen: { from?: StepId; force?: boolean }): Promise<RunPreview> => {
    const store = await openStore(site.store.url, { isReadOnly: true });
    const { env, workRoot } = site;
    const { signal } = new AbortController();
    return previewRun({ plan, store, catalog, env, workRoot, signal, options: chosen });
  };
  const preview = await look(options);
  const state = await site.run(`${name}-edited`, source, { ...options });
  return { plan, preview, state, again: await look({}) };
}

function optionsOf(
  edits: readonly Edit[],
  { steps }: RandomPipeline,
): { readonly from?: StepId; readonly force?: boolean } {
  const from = edits.find(({ kind }) => kind === 'from');
  const id = from && steps[from.at % steps.length]?.id;
  return {
    ...(id !== undefined && { from: id }),
    ...(edits.some(({ kind }) => kind === 'force') && { force: true }),
  };
}

/** Everything in which plan and run disagree. */
function differences({ plan, preview, state, again }: Observation): readonly string[] {
  const planned = new Map(preview.steps.map((step) => [step.id, step]));
  return [
    ...(state.status === 'completed' ? [] : [`the run ${state.status}: ${state.error?.message}`]),
    ...preview.steps.flatMap((step) => {
      const status = state.steps[step.id]?.status ?? 'missing';
      return isAsPlanned(step, state)
        ? []
        : [`${step.id} was ${status}, planned ${JSON.stringify(step.outcome)}`];
    }),
    ...preview.steps.flatMap((step) => wrongUntil(step, plan, planned)),
    ...again.steps.flatMap(({ id, outcome }) => {
      const isExternal = plan.steps.find((step) => step.id === id)?.effect === 'external';
      const isSettled = outcome.kind === (isExternal ? 'run' : 'hit') || outcome.kind === 'skip';
      return isSettled ? [] : [`${id} after the run: ${JSON.stringify(outcome)}`];
    }),
  ];
}

function isAsPlanned(step: StepPreview, state: RunState): boolean {
  const { id, outcome, fingerprint, entries } = step;
  const status = state.steps[id]?.status;
  if (entries !== undefined) {
    // Of its entries each is looked at.
    const isSame = JSON.stringify(entries) === JSON.stringify(state.steps[id]?.entries);
    return isSame && (status === 'cached' || (status === 'completed' && outcome.kind !== 'hit'));
  }
  switch (outcome.kind) {
    case 'hit':
      return status === 'cached';
    case 'run':
      return (
        status === 'completed' || (status === 'cached' && isDoneBeside(id, fingerprint, state))
      );
    case 'unknown':
      return status === 'completed' || status === 'cached' || status === 'skipped';
    case 'skip':
      return status === 'skipped';
    case 'fail':
      return status === 'failed';
  }
}

/** Of two steps with the same work whichever is first does it. */
function isDoneBeside(id: StepId, fingerprint: string | undefined, { steps }: RunState): boolean {
  return Object.entries(steps).some(
    ([other, step]) =>
      other !== id && step.fingerprint === fingerprint && step.status === 'completed',
  );
}

/** An unknown step waits for steps that would run, above it or with the same work. */
function wrongUntil(
  { id, outcome, fingerprint }: StepPreview,
  plan: Plan,
  planned: ReadonlyMap<StepId, StepPreview>,
): readonly string[] {
  if (outcome.kind !== 'unknown') return [];
  const ownerOf = (entry: StepId): StepId =>
    [...planned.values()].find(({ entries }) => entries?.includes(entry))?.id ?? entry;
  const step = plan.steps.find((other) => other.id === ownerOf(id));
  const upstream = new Set(step === undefined ? [] : upstreamOf(step, plan));
  const wrong = outcome.until.filter((named) => {
    const other = planned.get(named);
    const isAbove = upstream.has(ownerOf(named)) || fingerprint !== undefined;
    return other?.outcome.kind !== 'run' || !isAbove;
  });
  return outcome.until.length > 0 && wrong.length === 0
    ? []
    : [`${id} is unknown until ${JSON.stringify(outcome.until)}, which cannot tell`];
}

/** Every step that `step` depends on, directly or through others. */
function upstreamOf({ needs }: PlanStep, plan: Plan): readonly StepId[] {
  const above = plan.steps.filter(({ id }) => needs.includes(id));
  return above.flatMap((step) => [step.id, ...upstreamOf(step, plan)]);
}
