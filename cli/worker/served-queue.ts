import type { Worker } from '@temporalio/worker';
import type { Logger } from 'pino';
import type { WorkerRole } from '../worker-options.ts';
import type { Condition } from './condition.ts';

export interface QueueOptions {
  readonly queue: string;
  readonly role: WorkerRole;
  /** What has to be well for the queue to be polled. */
  readonly needs: readonly Condition[];
  readonly createWorker: () => Promise<Worker>;
  /** Runs before the queue is polled. @returns what runs when it is polled no longer */
  readonly whilePolling?: () => Promise<() => Promise<void>>;
  readonly log: Logger;
}

/** A queue that is polled while all that its steps need is well. */
export class ServedQueue {
  readonly queue: string;
  readonly role: WorkerRole;
  readonly #options: QueueOptions;
  readonly #onChange: () => void;
  #worker: Worker | undefined;

  /** @param onChange is called when the queue begins or ends to be polled */
  constructor(options: QueueOptions, onChange: () => void) {
    this.queue = options.queue;
    this.role = options.role;
    this.#options = options;
    this.#onChange = onChange;
  }

  get polls(): boolean {
    return this.#worker?.getState() === 'RUNNING';
  }

  /** What keeps it from being polled. */
  get problems(): readonly string[] {
    return this.#options.needs.flatMap(({ problem }) => problem ?? []);
  }

  /**
   * Serves until the signal aborts and running steps have handed over.
   * @throws what ended a Temporal Worker by itself
   */
  async serve(signal: AbortSignal): Promise<void> {
    const { needs } = this.#options;
    while (!signal.aborted) {
      for (const need of needs) await need.until(true, signal);
      if (signal.aborted) return;
      // Another may have become unwell meanwhile.
      if (this.problems.length === 0) await this.#poll(signal);
    }
  }

  async #poll(signal: AbortSignal): Promise<void> {
    const { needs, createWorker, whilePolling, log, queue } = this.#options;
    const end = await whilePolling?.();
    const worker = await createWorker();
    const running = worker.run();
    this.#worker = worker;
    this.#onChange();
    // Once the worker has ended nothing waits any more.
    const ended = new AbortController();
    const either = AbortSignal.any([signal, ended.signal]);
    const trouble = Promise.race(needs.map((need) => need.until(false, either))).then(() => {
      if (ended.signal.aborted) return;
      if (!signal.aborted)
        log.warn({ queue }, 'takes no more work; running steps end or hand over');
      worker.shutdown();
      this.#onChange();
    });
    try {
      await running;
    } finally {
      this.#worker = undefined;
      ended.abort();
      await trouble;
      await end?.();
      this.#onChange();
    }
  }
}
