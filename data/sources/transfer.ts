import { createHash } from 'node:crypto';
import type { Hash } from 'node:crypto';
import { open } from 'node:fs/promises';
import { Failure } from '../../plan/failures.ts';
import { diskFailure } from '../disk-failure.ts';

const DEFAULT_STALL_TIMEOUT_MS = 60_000;

/** Aborts requests when the caller does, or when nothing has arrived for too long. */
export class Watchdog {
  readonly signal: AbortSignal;
  readonly #what: string;
  readonly #caller: AbortSignal | undefined;
  readonly #timeoutMs: number;
  readonly #stalled = new AbortController();
  #timer: NodeJS.Timeout | undefined;

  constructor(what: string, options: { signal?: AbortSignal; stallTimeoutMs?: number }) {
    this.#what = what;
    this.#caller = options.signal;
    this.#timeoutMs = options.stallTimeoutMs ?? DEFAULT_STALL_TIMEOUT_MS;
    const signals = [this.#stalled.signal, ...(options.signal ? [options.signal] : [])];
    this.signal = AbortSignal.any(signals);
  }

  /** Runs requests under the watch; they must pass `signal` on. */
  async run<T>(requests: () => Promise<T>): Promise<T> {
    this.touch();
    try {
      return await requests();
    } catch (error) {
      this.#caller?.throwIfAborted();
      this.#stalled.signal.throwIfAborted();
      throw error;
    } finally {
      clearTimeout(this.#timer);
    }
  }

  /** Something arrived. */
  touch(): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#stalled.abort(this.#failure()), this.#timeoutMs);
  }

  #failure(): Failure {
    return new Failure(
      'SourceUnavailable',
      `${this.#what}: the server sent nothing for ${this.#timeoutMs / 1000} s; try again later`,
    );
  }
}

export interface ReceivedBody {
  readonly bytes: number;
  /** Hexadecimal. */
  readonly sha256: string;
}

/**
 * Writes a body to a new file as it arrives.
 * @param alsoInto another digest to feed
 * @throws DiskFull, or what the body throws
 */
export async function receive(
  body: AsyncIterable<Uint8Array>,
  path: string,
  onBytes: (bytes: number) => void,
  alsoInto?: Hash,
): Promise<ReceivedBody> {
  const digest = createHash('sha256');
  let bytes = 0;
  const file = await open(path, 'wx');
  try {
    for await (const chunk of body) {
      await file.writeFile(chunk).catch((error: unknown) => {
        throw diskFailure(error, path);
      });
      digest.update(chunk);
      alsoInto?.update(chunk);
      bytes += chunk.length;
      onBytes(chunk.length);
    }
  } finally {
    await file.close();
  }
  return { bytes, sha256: digest.digest('hex') };
}
