import { AsyncLocalStorage } from 'node:async_hooks';

type Fail = (error: unknown) => void;

/** The step in whose code the process is. */
const running = new AsyncLocalStorage<Fail>();

/** Does a step's work, which also fails by errors that nobody waits for: see `failsStep`. */
export function withStrayErrors<T>(work: () => Promise<T>): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    running.run(reject, () => {
      work().then(resolve, reject);
    });
  });
}

/**
 * For handlers of the process: an error of a timer, or of a promise that was dropped, belongs to the
 * step that began it, and not to the worker.
 *
 * @returns false when no step did
 */
export function failsStep(error: unknown): boolean {
  const fail = running.getStore();
  fail?.(error);
  return fail !== undefined;
}
