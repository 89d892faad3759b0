import { mkdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { diskFailure } from '../../data/disk-failure.ts';
import { Failure } from '../../plan/failures.ts';
import type { JsonObject } from '../../plan/json.ts';
import { artifactFile, readManifest } from '../../store/artifacts.ts';
import { canonicalJson } from '../../store/canonical-json.ts';
import type { ArtifactDigest, ArtifactFile, BlobDigest, Store } from '../../store/store.ts';
import type { TrainingState } from '../optimizers/training-state.ts';
import type { Platform } from '../platform.ts';
import { trainingProgressSchema, type TrainingProgress } from '../training-progress.ts';
import {
  announceBlob,
  CHECKPOINT_TYPE,
  isDamage,
  listCheckpoints,
  publishCheckpoint,
  sweepUnfinished,
  type PublishedCheckpoint,
} from './checkpoint-store.ts';
import {
  layoutDigest,
  readSegment,
  stateSegments,
  writeSegment,
  type StateSegment,
} from './state-segments.ts';

export interface CheckpointOptions {
  readonly store: Store;
  /** Names the training: equal keys continue each other. A part of a ref's name. */
  readonly key: string;
  /** For copies on their way into the store; one training's alone, with room for a checkpoint. */
  readonly directory: string;
  /** The longest between two of them; see SHARE_OF_TIME. */
  readonly everySeconds: number;
  /** In place of any time: after this many optimizer steps. */
  readonly everySteps?: number;
}

export interface RestoredCheckpoint {
  readonly progress: TrainingProgress;
  /** Where the checkpoint was computed. */
  readonly platform: Platform;
}

/** What happened to checkpoints, for whoever watches. */
export type CheckpointEvent =
  | { readonly kind: 'published'; readonly step: number; readonly seconds: number }
  | { readonly kind: 'damaged'; readonly step: number; readonly message: string };

/**
 * Cheap checkpoints are taken more often than every `everySeconds`: as often as costs this share of
 * the time, but not more often than every MINIMUM_SECONDS. Results do not depend on it.
 */
const SHARE_OF_TIME = 1 / 50;
const MINIMUM_SECONDS = 2;
const PROGRESS_PATH = 'progress.json';

const metadataSchema = z.object({
  layout: z.string(),
  platform: z.object({
    library: z.string(),
    provider: z.literal('cpu'),
    instructionSet: z.string(),
  }),
});

/**
 * Takes a training's checkpoints: the state is copied to local files while only passes read it,
 * then hashed and published in the background while training goes on.
 */
export class Checkpointer {
  readonly #options: CheckpointOptions;
  readonly #state: TrainingState;
  readonly #platform: Platform;
  readonly #onEvent: (event: CheckpointEvent) => void;
  readonly #rejected = new Set<ArtifactDigest>();
  #copied: Promise<void> = Promise.resolve();
  #published: Promise<void> = Promise.resolve();
  #isBusy = false;
  #lastStep = 0;
  #lastBegin = performance.now();
  #lastSeconds = 0;

  constructor(
    options: CheckpointOptions,
    state: TrainingState,
    platform: Platform,
    onEvent: (event: CheckpointEvent) => void,
  ) {
    this.#options = options;
    this.#state = state;
    this.#platform = platform;
    this.#onEvent = onEvent;
  }

  /** Fills the state from the newest checkpoint that is whole; undefined when there is none. */
  async restore(): Promise<RestoredCheckpoint | undefined> {
    const { store, key } = this.#options;
    await sweepUnfinished(store, key);
    for (;;) {
      // Listed anew each time: another process that trains the same may have replaced them all.
      const known = await listCheckpoints(store, key);
      const published = known.find(({ manifest }) => !this.#rejected.has(manifest));
      if (published === undefined) return undefined;
      try {
        const restored = await this.#load(published);
        this.#lastStep = published.step;
        return restored;
      } catch (error) {
        if (!isDamage(error)) throw error;
        this.#rejected.add(published.manifest);
        // What was read of it must not show through, the moments above all.
        for (const { data } of stateSegments(this.#state)) data.fill(0);
        this.#onEvent({ kind: 'damaged', step: published.step, message: error.message });
      }
    }
  }

  async #load(published: PublishedCheckpoint): Promise<RestoredCheckpoint> {
    const { store, key } = this.#options;
    const manifest = await readManifest(store, published.manifest, CHECKPOINT_TYPE);
    const metadata = checked(metadataSchema, manifest.metadata);
    if (metadata.layout !== layoutDigest(this.#state)) {
      throw new Failure('InvalidInput', 'it was written for another model or by another build');
    }
    // Every digest is verified before the first byte of the state changes.
    const segments: { readonly segment: StateSegment; readonly path: string }[] = [];
    for (const segment of stateSegments(this.#state)) {
      segments.push({ segment, path: await artifactFile(store, manifest, segment.path) });
    }
    const json = await readFile(await artifactFile(store, manifest, PROGRESS_PATH), 'utf8');
    const progress = checked(trainingProgressSchema, JSON.parse(json));
    for (const { path, segment } of segments) await readSegment(path, key, segment);
    return { progress, platform: metadata.platform };
  }

  /** Whether one is to be taken after `step` steps; by time, not while the last is under way. */
  isDue(step: number): boolean {
    const { everySeconds, everySteps } = this.#options;
    if (everySteps !== undefined) return step - this.#lastStep >= everySteps;
    if (step === this.#lastStep) return false;
    const affordable = Math.max(MINIMUM_SECONDS, this.#lastSeconds / SHARE_OF_TIME);
    const interval = Math.min(everySeconds, affordable);
    return !this.#isBusy && performance.now() - this.#lastBegin >= 1000 * interval;
  }

  /**
   * Begins a checkpoint of the state as it is. Nothing may change the state before `copied`.
   * Waits for the one before; @throws what made that one fail
   */
  async begin(progress: TrainingProgress): Promise<void> {
    await this.finish();
    if (progress.step === this.#lastStep) return;
    const begun = performance.now();
    this.#lastStep = progress.step;
    this.#lastBegin = begun;
    this.#isBusy = true;
    const folder = join(this.#options.directory, `checkpoint-${progress.step}`);
    const taken = structuredClone(progress);
    this.#copied = this.#copy(folder);
    this.#published = this.#complete(folder, taken, begun);
    // Whoever waits gets the error; nobody may be waiting yet.
    this.#copied.catch(() => undefined);
    this.#published.catch(() => undefined);
  }

  /** Resolves when the state may change. @throws DiskFull, or what else the copy failed with */
  copied(): Promise<void> {
    return this.#copied;
  }

  /** Resolves when the last checkpoint is published. @throws DiskFull, or what else it failed with */
  finish(): Promise<void> {
    return this.#published;
  }

  async #copy(folder: string): Promise<void> {
    // A process that was killed may have left one behind.
    await rm(folder, { recursive: true, force: true });
    await mkdir(folder, { recursive: true }).catch((error: unknown) => {
      throw diskFailure(error, folder);
    });
    for (const [index, segment] of stateSegments(this.#state).entries()) {
      await writeSegment(join(folder, String(index)), this.#options.key, segment);
    }
  }

  async #complete(folder: string, progress: TrainingProgress, begun: number): Promise<void> {
    try {
      await this.#copied;
      await this.#publish(folder, progress);
      const seconds = (performance.now() - begun) / 1000;
      this.#lastSeconds = seconds;
      this.#onEvent({ kind: 'published', step: progress.step, seconds });
    } finally {
      this.#isBusy = false;
      await rm(folder, { recursive: true, force: true });
    }
  }

  async #publish(folder: string, progress: TrainingProgress): Promise<void> {
    const { store, key } = this.#options;
    const files: ArtifactFile[] = [];
    const announce = (digest: BlobDigest): Promise<void> => announceBlob(store, key, digest);
    for (const [index, { path }] of stateSegments(this.#state).entries()) {
      const copy = join(folder, String(index));
      files.push({ path, ...(await store.putFile(copy, announce)) });
      await rm(copy);
    }
    const json = canonicalJson(progress);
    const progressBlob = await store.putBlob(new TextEncoder().encode(json), announce);
    files.push({ path: PROGRESS_PATH, ...progressBlob });
    files.sort((a, b) => (a.path < b.path ? -1 : 1));
    const metadata: JsonObject = {
      step: progress.step,
      layout: layoutDigest(this.#state),
      platform: { ...this.#platform },
    };
    const manifest = { type: CHECKPOINT_TYPE, metadata, files };
    await publishCheckpoint(store, key, progress.step, manifest, this.#rejected);
  }
}

function checked<T>(schema: z.ZodType<T>, value: unknown): T {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  throw new Failure('InvalidInput', 'it was written by another build');
}
