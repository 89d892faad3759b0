import { EventEmitter, once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from 'pino';
import { describeError } from '../error-report.ts';

export interface ConditionOptions {
  /** What is looked at: `store`, `device cuda`. */
  readonly name: string;
  /** Throws, with what to do, when it is not well. */
  readonly check: () => Promise<void>;
  /** Time between two looks while it is well; without it only `look` asks again. */
  readonly everyMs?: number;
  /** Time between two looks while it is not. */
  readonly retryMs: number;
  readonly log: Logger;
}

/** A second look before what was well counts as broken: a moment's trouble is a step's to retry. */
const SECOND_LOOK_MS = 1_000;

/** Something that a worker needs to take work. Not well until it was looked at. */
export class Condition {
  readonly name: string;
  readonly #options: ConditionOptions;
  readonly #events = new EventEmitter().setMaxListeners(0);
  #problem: string | undefined = 'it was not looked at yet';
  #wake = new AbortController();

  constructor(options: ConditionOptions) {
    this.name = options.name;
    this.#options = options;
  }

  /** What is wrong and what to do; undefined while it is well. */
  get problem(): string | undefined {
    return this.#problem;
  }

  /** Calls with what is wrong, or undefined, whenever that has changed. */
  onFound(listener: (problem: string | undefined) => void): void {
    this.#events.on('change', () => listener(this.#problem));
  }

  /** Looks again now: something that needs it has failed. */
  look(): void {
    this.#wake.abort();
  }

  /** Looks again and again, until the signal aborts. */
  async watch(signal: AbortSignal): Promise<void> {
    for (let isFirst = true; !signal.aborted; isFirst = false) {
      this.#wake = new AbortController();
      let problem = await this.#check();
      if (problem !== undefined && this.#problem === undefined) {
        await pause(SECOND_LOOK_MS, signal);
        problem = await this.#check();
      }
      if (signal.aborted) return;
      this.#found(problem, isFirst);
      const { everyMs, retryMs } = this.#options;
      const waitMs = problem === undefined ? everyMs : retryMs;
      const either = AbortSignal.any([signal, this.#wake.signal]);
      if (waitMs !== undefined) await pause(waitMs, either);
      else if (!either.aborted) await once(either, 'abort');
    }
  }

  /** Resolves when it is (not) well, or the signal aborts. */
  async until(isWell: boolean, signal: AbortSignal): Promise<void> {
    while ((this.#problem === undefined) !== isWell && !signal.aborted) {
      await once(this.#events, 'change', { signal }).catch(() => undefined);
    }
  }

  async #check(): Promise<string | undefined> {
    try {
      await this.#options.check();
      return undefined;
    } catch (error) {
      return describeError(error);
    }
  }

  #found(problem: string | undefined, isFirst: boolean): void {
    if (problem === this.#problem) return;
    const { name, log } = this.#options;
    this.#problem = problem;
    if (problem !== undefined) {
      log.error({ condition: name }, `takes no work that needs the ${name}: ${problem}`);
    } else if (!isFirst) log.info({ condition: name }, `the ${name} is well again`);
    this.#events.emit('change');
  }
}

async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await sleep(ms, undefined, { signal }).catch(() => undefined);
}
