import { TestRunner, afterAll, onTestFinished } from 'vitest';

type Cleanup = () => Promise<void>;

const ofThisFile: Cleanup[] = [];
afterAll(async () => {
  for (const cleanup of ofThisFile.toReversed()) await cleanup();
});

/**
 * Does `cleanup` when the running test has finished, or outside of one (beforeAll) when its file has; the
 * latest first. Import it at the top of a test file, not inside a test.
 */
export function cleanUp(cleanup: Cleanup): void {
  if (TestRunner.getCurrentTest() === undefined) ofThisFile.push(cleanup);
  else onTestFinished(cleanup);
}
