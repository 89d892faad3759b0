import { hostname } from 'node:os';
import { CancelledFailure } from '@temporalio/common';
import type { Failure, FailureType } from '../plan/failures.ts';
import type { StepId } from '../plan/plan.ts';
import {
  openAttempt,
  updateAttempt,
  type AttemptKey,
  type AttemptOutcome,
  type AttemptProgress,
} from '../store/ledger.ts';
import type { Store } from '../store/store.ts';
import type { RunIdentity } from './contract.ts';
import { buildOf } from './declaration.ts';

/** How an attempt that did not complete is kept. */
export function outcomeOf(
  end: Failure | CancelledFailure,
): Pick<AttemptProgress, 'outcome' | 'failure'> {
  if (end instanceof CancelledFailure) return { outcome: 'cancelled' };
  const { type, message } = end;
  return { outcome: OUTCOMES[type] ?? 'failed', failure: { type, message } };
}

/** Of failures that say nothing of the step. */
const OUTCOMES: Partial<Record<FailureType, AttemptOutcome>> = {
  ShuttingDown: 'shutting-down',
  ComputedElsewhere: 'cancelled',
};

/** Progress reaches the ledger at most this often. */
const RECORD_EVERY_MS = 2_000;

/** What was attempted, when and for whom. */
interface Attempted {
  readonly run: RunIdentity;
  readonly stepId: StepId;
  readonly kind: string;
  readonly version: number;
  readonly revision: number;
  readonly source?: string;
  /** None yet while the revision of a source is looked up. */
  readonly fingerprint?: string;
  /** Milliseconds since the epoch. */
  readonly startedAt: number;
}

/** The ledger's entry of an attempt that runs here. */
export class AttemptEntry {
  readonly key: AttemptKey;
  readonly #store: Store;
  #progress: AttemptProgress = {};
  #writing: Promise<void> = Promise.resolve();
  #timer: NodeJS.Timeout | undefined;
  #lastWriteAt = -Infinity;
  #hasNews = false;
  #isWriting = false;
  #hasEnded = false;

  private constructor(store: Store, key: AttemptKey) {
    this.#store = store;
    this.key = key;
  }

  /** @throws what the store throws */
  static async open(store: Store, attempted: Attempted): Promise<AttemptEntry> {
    const { run, stepId, kind, version, fingerprint = '' } = attempted;
    const record = await openAttempt(store, {
      ...run,
      step: stepId,
      kind: `${kind}@${version}`,
      fingerprint,
      worker: { host: hostname(), pid: process.pid, build: buildOf(attempted) },
      startedAt: attempted.startedAt,
    });
    return new AttemptEntry(store, record);
  }

  /**
   * Adds to the entry: at once what is said for the first time, and what replaces an earlier value
   * soon. So what a killed worker leaves behind is a few seconds old.
   */
  record(progress: AttemptProgress): void {
    this.#hasNews ||= Object.keys(progress).some((key) => !(key in this.#progress));
    this.#progress = { ...this.#progress, ...progress };
    this.#schedule();
  }

  #schedule(): void {
    if (this.#hasEnded || this.#isWriting) return;
    const dueAt = this.#hasNews ? 0 : this.#lastWriteAt + RECORD_EVERY_MS;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(
      () => void (this.#writing = this.#write()),
      Math.max(0, dueAt - performance.now()),
    );
  }

  async #write(): Promise<void> {
    const progress = this.#progress;
    this.#hasNews = false;
    this.#isWriting = true;
    try {
      await updateAttempt(this.#store, this.key, progress);
    } catch {
      // Nothing is lost: the next write holds this progress too, and `end` reports its failure.
    }
    this.#isWriting = false;
    this.#lastWriteAt = performance.now();
    if (this.#progress !== progress) this.#schedule();
  }

  /** Writes how the attempt ended, with all that was recorded. @throws what the store throws */
  async end(progress: AttemptProgress): Promise<void> {
    this.#hasEnded = true;
    clearTimeout(this.#timer);
    await this.#writing;
    await updateAttempt(this.#store, this.key, { ...this.#progress, ...progress });
  }
}
