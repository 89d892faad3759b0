// @ts-check
import { relative } from 'node:path';

/**
 * What is read of Vitest's JSON report.
 * @typedef {{ testResults: readonly FileReport[] }} Report
 * @typedef {{ name: string, status: string, message?: string, assertionResults: readonly TestReport[] }} FileReport
 * @typedef {{ fullName: string, status: string }} TestReport
 *
 * @typedef {object} TestCount
 * @property {number} passed
 * @property {number} failed
 * @property {string[]} failures
 * @property {string[]} skipped
 */

/**
 * Counts the tests of a run. What is wrong without being a test's failure counts as one failure, too: a file
 * that cannot be loaded, an error outside of tests, a runner that died before it could report.
 * @param {Report | null} report null when there is none
 * @param {number | null} exitCode of the runner
 * @param {string} root test files are named relative to it
 * @returns {TestCount}
 */
export function countTests(report, exitCode, root) {
  const files = report?.testResults ?? [];
  const tests = files.flatMap((file) =>
    file.assertionResults.map((test) => ({
      ...test,
      title: `${relative(root, file.name)}: ${test.fullName}`,
    })),
  );
  const failures = tests.filter((test) => test.status === 'failed').map((test) => test.title);
  for (const file of files) {
    const explained = file.assertionResults.some((test) => test.status === 'failed');
    if (file.status === 'failed' && !explained) {
      failures.push(
        `${relative(root, file.name)}: ${file.message?.split('\n', 1)[0] || 'could not be run'}`,
      );
    }
  }
  if (report === null) failures.push('the test runner ended without a report');
  else if (tests.length === 0 && failures.length === 0) failures.push('no test was run');
  else if (exitCode !== 0 && failures.length === 0)
    failures.push('an error outside of the tests, see above');
  return {
    passed: tests.filter((test) => test.status === 'passed').length,
    failed: failures.length,
    failures,
    skipped: tests
      .filter((test) => !['passed', 'failed'].includes(test.status))
      .map((test) => test.title),
  };
}
