import { canonicalJson } from '../../store/canonical-json.ts';
import type { ArtifactDigest, ArtifactFile, BlobDigest, Store } from '../../store/store.ts';
import { findLiveRows } from '../optimizers/live-rows.ts';
import type { TrainingState } from '../optimizers/training-state.ts';
import type { Platform } from '../platform.ts';
import type { TrainingProgress } from '../training-progress.ts';
import {
  bestFiles,
  loadCheckpoint,
  loadBest,
  PROGRESS_PATH,
  type Best,
  type CheckpointMetadata,
} from './checkpoint-files.ts';
import {
  announceBlob,
  CHECKPOINT_TYPE,
  deleteSuperseded,
  isDamage,
  listCheckpoints,
  publishCheckpoint,
  sweepUnfinished,
} from './checkpoint-store.ts';
import type { Checkpoints } from './checkpoints.ts';
import { StateCopy } from './state-copy.ts';
import { layoutDigest, stateSegments, type StateSegment } from './state-segments.ts';

export interface CheckpointOptions {
  readonly store: Store;
  /** Names the training: equal keys continue each other. A part of a ref's name. */
  readonly key: string;
  /** The longest between two of them; see SHARE_OF_TIME. */
  readonly everySeconds: number;
  /** In place of any time: after this many optimizer steps. */
  readonly everySteps?: number;
  /** How many of the newest are kept, at least 1; 2 if not given: one for when it is damaged. */
  readonly saveTotalLimit?: number;
  /** Later ones are of a training that goes on for longer: they are not restored. */
  readonly notAfter?: number;
}

export interface RestoredCheckpoint {
  readonly progress: TrainingProgress;
  /** Where the checkpoint was computed. */
  readonly platform: Platform;
  /** The best so far. */
  readonly best: Best | undefined;
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
const SAVE_TOTAL_LIMIT = 2;

/** A checkpoint on its way into the store. */
interface Publication {
  readonly abandon: AbortController;
  /** Nothing else holds its parameters. */
  readonly isBest: boolean;
  /** Whether it took the place of another that was abandoned. */
  readonly isReplacement: boolean;
}

/**
 * Takes a training's checkpoints: the state is copied in memory while only passes read it, then
 * hashed and published in the background while training goes on.
 */
export class Checkpointer implements Checkpoints {
  readonly #options: CheckpointOptions;
  readonly #state: TrainingState;
  readonly #segments: readonly StateSegment[];
  readonly #copy: StateCopy;
  readonly #platform: Platform;
  readonly #onEvent: (event: CheckpointEvent) => void;
  readonly #rejected = new Set<ArtifactDigest>();
  #best: Best | undefined;
  #copied: Promise<void> = Promise.resolve();
  #published: Promise<void> = Promise.resolve();
  #underWay: Publication | undefined;
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
    this.#segments = stateSegments(state);
    this.#copy = new StateCopy(this.#segments, options.key);
    this.#platform = platform;
    this.#onEvent = onEvent;
  }

  /**
   * Fills the state from the newest checkpoint that is whole, and knows its best; undefined when
   * there is none. Then prepares in the background for the next.
   */
  async restore(): Promise<RestoredCheckpoint | undefined> {
    const { store, key } = this.#options;
    await sweepUnfinished(store, key);
    await deleteSuperseded(store, key);
    const restored = await this.#restoreNewest();
    if (restored !== undefined) await findLiveRows(this.#state);
    this.#copy.prepare();
    return restored;
  }

  async #restoreNewest(): Promise<RestoredCheckpoint | undefined> {
    const { store, key, notAfter = Infinity } = this.#options;
    for (;;) {
      // Listed anew each time: another process that trains the same may have replaced them all.
      const known = await listCheckpoints(store, key);
      const published = known.find(
        ({ manifest, step }) => step <= notAfter && !this.#rejected.has(manifest),
      );
      if (published === undefined) return undefined;
      const { manifest, step } = published;
      try {
        const loaded = await loadCheckpoint(this.#source(), manifest);
        this.#lastStep = step;
        this.#best = loaded.best;
        return loaded;
      } catch (error) {
        if (!isDamage(error)) throw error;
        this.#rejected.add(manifest);
        // What was read of it must not show through, the moments above all.
        for (const { parts } of this.#segments) for (const part of parts) part.fill(0);
        this.#onEvent({ kind: 'damaged', step, message: error.message });
      }
    }
  }

  isDue(step: number): boolean {
    const { everySeconds, everySteps } = this.#options;
    if (everySteps !== undefined) return step - this.#lastStep >= everySteps;
    if (step === this.#lastStep) return false;
    const affordable = Math.max(MINIMUM_SECONDS, this.#lastSeconds / SHARE_OF_TIME);
    const interval = Math.min(everySeconds, affordable);
    const isBusy = this.#underWay !== undefined;
    return !isBusy && performance.now() - this.#lastBegin >= 1000 * interval;
  }

  /**
   * There is memory for one copy: a checkpoint that is still under way is abandoned, unless it is
   * the best, but not twice in a row, so that one is published at last. With `everySteps` each one
   * is waited for.
   */
  async begin(progress: TrainingProgress, { isBest = false } = {}): Promise<void> {
    const isNewBest = isBest && progress.step !== this.#best?.step;
    if (progress.step === this.#lastStep && !isNewBest) return;
    const isReplacement = await this.#makeWay();
    const begun = performance.now();
    const underWay = { abandon: new AbortController(), isBest: isNewBest, isReplacement };
    this.#lastStep = progress.step;
    this.#lastBegin = begun;
    this.#underWay = underWay;
    const taken = structuredClone(progress);
    this.#copied = this.#copy.take();
    this.#published = this.#complete(taken, underWay, begun);
    // Whoever waits gets the error; nobody may be waiting yet.
    this.#copied.catch(() => undefined);
    this.#published.catch(() => undefined);
  }

  copied(): Promise<void> {
    return this.#copied;
  }

  finish(): Promise<void> {
    return this.#published;
  }

  async restoreBest(): Promise<void> {
    await this.finish();
    if (this.#best === undefined) throw new Error('internal: no checkpoint was the best');
    await loadBest(this.#source(), this.#best);
  }

  #source(): Parameters<typeof loadBest>[0] {
    const { store, key } = this.#options;
    return { store, key, segments: this.#segments, layout: layoutDigest(this.#state) };
  }

  /** Ends the checkpoint under way. @returns whether it was abandoned */
  async #makeWay(): Promise<boolean> {
    const underWay = this.#underWay;
    const isWaitedFor = this.#options.everySteps !== undefined;
    const isAbandoned =
      underWay !== undefined && !underWay.isBest && !underWay.isReplacement && !isWaitedFor;
    if (isAbandoned) underWay.abandon.abort();
    await this.finish();
    return isAbandoned;
  }

  async #complete(progress: TrainingProgress, underWay: Publication, begun: number): Promise<void> {
    try {
      await this.#copied;
      if (!(await this.#publish(progress, underWay))) return;
      const seconds = (performance.now() - begun) / 1000;
      this.#lastSeconds = seconds;
      this.#onEvent({ kind: 'published', step: progress.step, seconds });
    } finally {
      this.#underWay = undefined;
    }
  }

  /** @returns false when it was abandoned */
  async #publish(progress: TrainingProgress, { isBest, abandon }: Publication): Promise<boolean> {
    const { store, key, saveTotalLimit = SAVE_TOTAL_LIMIT } = this.#options;
    const files: ArtifactFile[] = [];
    const announce = (digest: BlobDigest): Promise<void> => announceBlob(store, key, digest);
    for (const [index, { path }] of this.#segments.entries()) {
      if (abandon.signal.aborted) return false;
      files.push({ path, ...(await store.putBlob(this.#copy.blob(index), announce)) });
    }
    const { step } = progress;
    const best = isBest ? { step, files: bestFiles(files) } : this.#best;
    const json = new TextEncoder().encode(canonicalJson(progress));
    files.push({ path: PROGRESS_PATH, ...(await store.putBlob(json, announce)) });
    files.push(...(best?.files ?? []));
    files.sort((a, b) => (a.path < b.path ? -1 : 1));
    const metadata: CheckpointMetadata = {
      ...{ step, layout: layoutDigest(this.#state), platform: { ...this.#platform } },
      best_step: best?.step ?? null,
    };
    const manifest = { type: CHECKPOINT_TYPE, metadata, files };
    const rejected = this.#rejected;
    await publishCheckpoint(store, key, { step, manifest, rejected, saveTotalLimit });
    this.#best = best;
    return true;
  }
}
