import type { StepId } from '../plan/plan.ts';
import { getRecord, refSegment, swapRecord } from './records.ts';
import type { RefVersion, Store } from './store.ts';

/** Whoever computes a fingerprint: a step of a run. */
export interface LeaseHolder {
  readonly workflowId: string;
  readonly step: StepId;
}

interface LeaseRecord {
  /** Grows with each holder: who has an older one has lost the lease. */
  readonly token: number;
  /** Grows while the holder lives. */
  readonly beat: number;
  /** Null once it was given back. */
  readonly holder: LeaseHolder | null;
}

export type Claim =
  | { readonly kind: 'taken'; readonly lease: Lease }
  | { readonly kind: 'held'; readonly by: LeaseHolder };

/** A lease that nobody has renewed for so long may be taken over. */
export const LEASE_LIFETIME_MS = 15_000;

interface Observed {
  readonly version: RefVersion;
  /** When this process first saw it, on its monotonic clock. */
  readonly since: number;
}

/**
 * Who computes what, so that two runs compute it once. No clock of another machine counts: a lease is
 * over when this process has seen it unchanged for its lifetime.
 */
export class Leases {
  readonly #store: Store;
  readonly #now: () => number;
  readonly #observed = new Map<string, Observed>();

  /** @param now a monotonic clock, in milliseconds */
  constructor(store: Store, now: () => number = () => performance.now()) {
    this.#store = store;
    this.#now = now;
  }

  /**
   * Takes the lease of a fingerprint: when nobody holds it, when the same step of the same run does
   * (Temporal has given up that attempt), or when its holder has not renewed it for its lifetime.
   *
   * @throws what the store throws
   */
  async claim(fingerprint: string, holder: LeaseHolder): Promise<Claim> {
    for (;;) {
      const current = await getRecord<LeaseRecord>(this.#store, leaseRef(fingerprint));
      const by = current?.record.holder ?? undefined;
      if (current !== undefined && by !== undefined && !isSame(by, holder)) {
        if (!this.#isOver(fingerprint, current.version)) return { kind: 'held', by };
      }
      const record = { token: (current?.record.token ?? 0) + 1, beat: 0, holder };
      const ref = leaseRef(fingerprint);
      const version = await swapRecord(this.#store, ref, current?.version, record);
      if (version === undefined) continue;
      this.#observed.delete(fingerprint);
      return { kind: 'taken', lease: new Lease(this.#store, ref, record, version) };
    }
  }

  #isOver(fingerprint: string, version: RefVersion): boolean {
    const seen = this.#observed.get(fingerprint);
    if (seen?.version === version) return this.#now() - seen.since >= LEASE_LIFETIME_MS;
    this.#observed.set(fingerprint, { version, since: this.#now() });
    return false;
  }
}

/** A lease that this process has taken. */
export class Lease {
  readonly #store: Store;
  readonly #ref: string;
  #record: LeaseRecord;
  #version: RefVersion;

  constructor(store: Store, ref: string, record: LeaseRecord, version: RefVersion) {
    this.#store = store;
    this.#ref = ref;
    this.#record = record;
    this.#version = version;
  }

  /** Whether somebody had it before: then there may be a result by now. */
  get isTakenOver(): boolean {
    return this.#record.token > 1;
  }

  /** Says that the holder lives. @returns false when another has taken it over. @throws what the store throws */
  async renew(): Promise<boolean> {
    return this.#write({ ...this.#record, beat: this.#record.beat + 1 });
  }

  /** Gives it back, if it is still ours. @throws what the store throws */
  async release(): Promise<void> {
    await this.#write({ ...this.#record, holder: null });
  }

  async #write(record: LeaseRecord): Promise<boolean> {
    for (;;) {
      const version = await swapRecord(this.#store, this.#ref, this.#version, record);
      if (version !== undefined) {
        this.#record = record;
        this.#version = version;
        return true;
      }
      // A write of ours that seemed to fail may have been done.
      const current = await getRecord<LeaseRecord>(this.#store, this.#ref);
      if (current?.record.token !== record.token) return false;
      this.#version = current.version;
    }
  }
}

function isSame(a: LeaseHolder, b: LeaseHolder): boolean {
  return a.workflowId === b.workflowId && a.step === b.step;
}

function leaseRef(fingerprint: string): string {
  return `leases/${refSegment(fingerprint)}`;
}
