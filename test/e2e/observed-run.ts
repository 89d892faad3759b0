import { cp, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Client, Connection, WorkflowFailedError } from '@temporalio/client';
import type { JsonObject } from '../../plan/json.ts';
import type { RunState } from '../../plan/plan.ts';
import { PROJECT_ROOT } from '../../setup/dependencies.mjs';
import { artifactRef, readManifest } from '../../store/artifacts.ts';
import { invalidate, lookUp } from '../../store/cache.ts';
import { readAttempts, type AttemptRecord } from '../../store/ledger.ts';
import { openStore } from '../../store/open.ts';
import { getRun } from '../../store/runs.ts';
import type { ArtifactDigest, BlobDigest, Store } from '../../store/store.ts';
import { listCheckpoints } from '../../training/checkpoints/checkpoint-store.ts';
import { cleanUp } from '../setup/cleanup.ts';
import { temporaryFolder } from '../setup/folders.ts';
import { testSite, type TestSite } from '../setup/temporal.ts';
import { PIPELINE, temporalJson } from './temporal-cli.ts';

/** A pipeline of test/fixtures/pipelines. */
export function pipelineFile(name: string): string {
  return join(PROJECT_ROOT, 'test', 'fixtures', 'pipelines', `${name}.yaml`);
}

const LOOK_EVERY_MS = 5;

/** Looks again and again until there is something to see, and tells it. */
export async function until<T>(
  what: string,
  look: () => Promise<T | undefined>,
  seconds = 240,
): Promise<T> {
  const deadline = performance.now() + 1000 * seconds;
  for (;;) {
    const seen = await look();
    if (seen !== undefined) return seen;
    if (performance.now() > deadline) throw new Error(`waited ${seconds} s for ${what}`);
    await delay(LOOK_EVERY_MS);
  }
}

/** A site whose store knows all that `site` has done but for one step: see `forget`. */
export async function siteBefore(site: TestSite, run: string, step: string): Promise<TestSite> {
  const copy = await testSite();
  await cp(join(site.home, 'store'), join(copy.home, 'store'), { recursive: true });
  await forget(await openSiteStore(copy), run, step);
  return copy;
}

/** Takes a step's result out of a store, with the artifacts that it made. */
export async function forget(store: Store, run: string, step: string): Promise<void> {
  const attempts = await readAttempts(store, { workflowId: run });
  const { fingerprint } = attempts.find((attempt) => attempt.step === step)!;
  const found = await lookUp(store, fingerprint);
  if (!found.hit) throw new Error(found.reason);
  await invalidate(store, fingerprint);
  const { inputArtifacts, outputArtifacts } = found.entry;
  const shared = new Set(await filesOf(store, Object.values(inputArtifacts)));
  for (const artifact of Object.values(outputArtifacts)) {
    const files = await filesOf(store, [artifact]);
    for (const digest of files) if (!shared.has(digest)) await store.deleteBlob(digest);
    await store.deleteBlob(artifact);
    await store.deleteRef(artifactRef(artifact));
  }
}

async function filesOf(
  store: Store,
  artifacts: readonly ArtifactDigest[],
): Promise<readonly BlobDigest[]> {
  const manifests = await Promise.all(artifacts.map((artifact) => readManifest(store, artifact)));
  return manifests.flatMap(({ files }) => files.map(({ digest }) => digest));
}

export async function openSiteStore(site: TestSite): Promise<Store> {
  return openStore(`file:${join(site.home, 'store')}`);
}

/** Submits a pipeline as a person would: with the plain Temporal CLI. */
export async function submit(
  site: TestSite,
  id: string,
  file: string,
  params?: JsonObject,
): Promise<ObservedRun> {
  const files = [file];
  if (params !== undefined) {
    const options = join(await temporaryFolder(), 'options.json');
    await writeFile(options, JSON.stringify({ params }));
    files.push(options);
  }
  // One --input-meta applies to both files.
  const inputs = files.flatMap((path) => ['--input-file', path]);
  const meta = ['--input-meta', 'encoding=binary/plain'];
  const args = ['workflow', 'start', ...PIPELINE, '--workflow-id', id, ...inputs, ...meta];
  await temporalJson(site, args);
  return ObservedRun.open(site, id);
}

/** A run, seen through the store that its workers share. */
export class ObservedRun {
  readonly id: string;
  readonly store: Store;
  readonly #client: Client;

  private constructor(id: string, store: Store, client: Client) {
    this.id = id;
    this.store = store;
    this.#client = client;
  }

  static async open({ address, namespace, ...site }: TestSite, id: string): Promise<ObservedRun> {
    const connection = await Connection.connect({ address });
    cleanUp(() => connection.close());
    const store = await openSiteStore({ address, namespace, ...site });
    return new ObservedRun(id, store, new Client({ connection, namespace }));
  }

  /** The state that the ended run left in the store. */
  async ended(): Promise<RunState> {
    const result = this.#client.workflow.getHandle(this.id).result();
    await result.catch((error: unknown) => {
      if (!(error instanceof WorkflowFailedError)) throw error;
    });
    const record = await getRun(this.store, this.id);
    if (record === undefined) throw new Error(`the store has no run ${this.id}`);
    return record.state;
  }

  /** Attempts of a step over all submissions, from the store's ledger. */
  async attempts(step: string): Promise<readonly AttemptRecord[]> {
    const attempts = await readAttempts(this.store, { workflowId: this.id });
    return attempts.filter((attempt) => attempt.step === step);
  }

  /** Attempt number `index` of a step, from 0, once the ledger says of it what is looked for. */
  async untilAttempt(
    step: string,
    index: number,
    what: string,
    isSo: (attempt: AttemptRecord) => boolean,
  ): Promise<AttemptRecord> {
    return until(`attempt ${index} of ${step}: ${what}`, async () => {
      const attempt = (await this.attempts(step))[index];
      return attempt !== undefined && isSo(attempt) ? attempt : undefined;
    });
  }

  /** What Temporal knows of a step that runs or waits for its next attempt. */
  async pending(step: string): Promise<{ attempt: number; lastFailure: string | undefined }> {
    const { raw } = await this.#client.workflow.getHandle(this.id).describe();
    const found = raw.pendingActivities?.find(({ activityId }) => activityId === step);
    return { attempt: found?.attempt ?? 0, lastFailure: found?.lastFailure?.message ?? undefined };
  }

  /** Ids of the activities that the workflow has scheduled, in order. */
  async activities(): Promise<readonly string[]> {
    const { events } = await this.#client.workflow.getHandle(this.id).fetchHistory();
    return (events ?? []).flatMap(
      ({ activityTaskScheduledEventAttributes: scheduled }) => scheduled?.activityId ?? [],
    );
  }

  /**
   * Of the activity of a step in the newest execution: the event of the workflow task that has
   * scheduled it, and the number of the attempt that was its last.
   */
  async execution(activityId: string): Promise<{ startedBy: number; attempt: number | undefined }> {
    const { events } = await this.#client.workflow.getHandle(this.id).fetchHistory();
    const scheduled = events?.findLast(
      (event) => event.activityTaskScheduledEventAttributes?.activityId === activityId,
    );
    if (scheduled === undefined) throw new Error(`no activity ${activityId} in ${this.id}`);
    const started = events?.find(({ activityTaskStartedEventAttributes: start }) =>
      scheduled.eventId?.equals(start?.scheduledEventId ?? -1),
    );
    return {
      startedBy: Number(
        scheduled.activityTaskScheduledEventAttributes?.workflowTaskCompletedEventId,
      ),
      attempt: started?.activityTaskStartedEventAttributes?.attempt ?? undefined,
    };
  }

  /** Waits until an attempt can be resumed from a checkpoint. */
  async untilCheckpoint(attempt: AttemptRecord): Promise<void> {
    await until('a checkpoint', async () =>
      (await this.checkpointSteps(attempt)).length > 0 ? true : undefined,
    );
  }

  /** Steps of the checkpoints that an attempt can be resumed from, the newest first. */
  async checkpointSteps({ fingerprint }: AttemptRecord): Promise<readonly number[]> {
    return (await listCheckpoints(this.store, fingerprint)).map(({ step }) => step);
  }
}
