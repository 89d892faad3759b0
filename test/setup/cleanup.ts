import { AsyncLocalStorage } from 'node:async_hooks';
import { TestRunner, afterAll, onTestFinished } from 'vitest';

type Cleanup = () => Promise<void>;

const ofThisFile: Cleanup[] = [];
afterAll(async () => {
  for (const cleanup of ofThisFile.toReversed()) await cleanup();
});

const scopes = new AsyncLocalStorage<Cleanup[]>();

/**
 * Runs `body` and then what it has asked `cleanUp` for. Concurrent tests need it: Vitest does not know
 * which of them asks.
 */
export async function withCleanUp<T>(body: () => Promise<T>): Promise<T> {
  const cleanups: Cleanup[] = [];
  try {
    return await scopes.run(cleanups, body);
  } finally {
    for (const cleanup of cleanups.toReversed()) await cleanup();
  }
}

/**
 * Does `cleanup` when the running test has finished, or outside of one (beforeAll) when its file has; the
 * latest first. Import it at the top of a test file, not inside a test.
 */
export function cleanUp(cleanup: Cleanup): void {
  const scope = scopes.getStore();
  if (scope !== undefined) return void scope.push(cleanup);
  if (TestRunner.getCurrentTest() === undefined) ofThisFile.push(cleanup);
  else onTestFinished(cleanup);
}
