import { ApplicationFailure } from '@temporalio/common';
import { Failure } from '../plan/failures.ts';
import { type Claim, type Lease, LEASE_LIFETIME_MS, type Leases } from '../store/leases.ts';
import type { RunStepInput } from './contract.ts';
import { toFailure, uncounted } from './failures.ts';

const RENEWED_EVERY_MS = LEASE_LIFETIME_MS / 3;
/** Whoever waits asks again so often, and holds no place of a worker in between. */
const ASKED_EVERY_MS = 2_000;

/** The right to compute a step's fingerprint, renewed until it is stopped. */
export class StepLease {
  readonly #lease: Lease;
  readonly #lost = new AbortController();
  readonly #timer: NodeJS.Timeout;
  #writing: Promise<unknown> = Promise.resolve();

  private constructor(lease: Lease) {
    this.#lease = lease;
    this.#timer = setInterval(() => void this.#renew().catch(() => undefined), RENEWED_EVERY_MS);
    this.#timer.unref();
  }

  /** @throws ApplicationFailure ComputedElsewhere, retryable, while another run computes the same */
  static async take(leases: Leases, input: RunStepInput): Promise<StepLease> {
    const claim = await claimed(leases, input);
    if (claim.kind === 'taken') return new StepLease(claim.lease);
    const { step, workflowId } = claim.by;
    throw ApplicationFailure.create({
      type: 'ComputedElsewhere',
      message: `step '${step}' of run '${workflowId}' computes the same; its result is taken when it is there`,
      nextRetryDelay: ASKED_EVERY_MS,
    });
  }

  /** Whether somebody had it before: then there may be a result by now. */
  get isTakenOver(): boolean {
    return this.#lease.isTakenOver;
  }

  /** Aborts when another worker has taken over. */
  get lost(): AbortSignal {
    return this.#lost.signal;
  }

  /** @throws Failure ComputedElsewhere when another worker has taken over: there is nothing to publish then */
  async requireHeld(): Promise<void> {
    await this.#renew();
    this.#lost.signal.throwIfAborted();
  }

  /** Gives it back; where the store cannot be written it ends by itself. */
  async release(): Promise<void> {
    clearInterval(this.#timer);
    await this.#writing.catch(() => undefined);
    await this.#lease.release().catch(() => undefined);
  }

  async #renew(): Promise<void> {
    const before = this.#writing.catch(() => undefined);
    const renewal = before.then(() => this.#lease.renew());
    this.#writing = renewal;
    if ((await renewal) || this.#lost.signal.aborted) return;
    clearInterval(this.#timer);
    const message = 'another worker has taken the step over, since this one stood still';
    this.#lost.abort(new Failure('ComputedElsewhere', message));
  }
}

/** Where the store cannot be asked, that is tried until it works. Who continues the same training shares a lease. */
async function claimed(
  leases: Leases,
  { fingerprint, checkpointKey = fingerprint, run, stepId, retry }: RunStepInput,
): Promise<Claim> {
  try {
    return await leases.claim(checkpointKey, { workflowId: run.workflowId, step: stepId });
  } catch (error) {
    throw uncounted(toFailure(error), retry);
  }
}
