import { expect, test } from 'vitest';
import { countTests } from '../../setup/test-report.mjs';

const passing = { fullName: 'adds', status: 'passed' };
const failing = { fullName: 'divides', status: 'failed' };
const skipped = { fullName: 'needs a GPU', status: 'skipped' };

test.each([
  {
    when: 'all is well',
    files: [{ name: '/p/test/a.test.ts', status: 'passed', assertionResults: [passing, skipped] }],
    exitCode: 0,
    count: { passed: 1, failed: 0, failures: [], skipped: ['test/a.test.ts: needs a GPU'] },
  },
  {
    when: 'a test fails',
    files: [{ name: '/p/test/a.test.ts', status: 'failed', assertionResults: [passing, failing] }],
    exitCode: 1,
    count: { passed: 1, failed: 1, failures: ['test/a.test.ts: divides'], skipped: [] },
  },
  {
    when: 'a file cannot be loaded',
    files: [
      { name: '/p/test/a.test.ts', status: 'passed', assertionResults: [passing] },
      { name: '/p/test/b.test.ts', status: 'failed', message: 'no x\nat', assertionResults: [] },
    ],
    exitCode: 1,
    count: { passed: 1, failed: 1, failures: ['test/b.test.ts: no x'], skipped: [] },
  },
  {
    when: 'an error is thrown outside of tests',
    files: [{ name: '/p/test/a.test.ts', status: 'passed', assertionResults: [passing] }],
    exitCode: 1,
    count: {
      passed: 1,
      failed: 1,
      failures: ['an error outside of the tests, see above'],
      skipped: [],
    },
  },
  {
    when: 'there is no test',
    files: [],
    exitCode: 0,
    count: { passed: 0, failed: 1, failures: ['no test was run'], skipped: [] },
  },
  {
    when: 'the runner dies',
    files: null,
    exitCode: null,
    count: {
      passed: 0,
      failed: 1,
      failures: ['the test runner ended without a report'],
      skipped: [],
    },
  },
])('the count of a test run when $when', ({ files, exitCode, count }) => {
  const report = files === null ? null : { testResults: files };
  expect(countTests(report, exitCode, '/p')).toEqual(count);
});
