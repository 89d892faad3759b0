// @ts-check
// node setup/test.mjs: `npm test`. All set-up, then every check and every test; goes on after a failure.
// The last line reads `N passed, N failed`: each check counts as one, and each test.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { orExit } from './console.mjs';
import { PROJECT_ROOT, ensureDependencies } from './dependencies.mjs';
import { ensureTemporalCli } from './temporal-cli.mjs';
import { countTests } from './test-report.mjs';

const CHECKS = [
  { name: 'format', command: ['prettier', '--check', '--log-level=warn', '.'] },
  { name: 'lint', command: ['oxlint'] },
  { name: 'types', command: ['tsc', '-p', '.'] },
  { name: 'types of workflows', command: ['tsc', '-p', 'workflows'] },
  { name: 'knip', command: ['knip', '--no-progress'] },
];

await orExit(async () => {
  await ensureDependencies({ development: true });
  process.env['TEMPORAL_CLI'] = await ensureTemporalCli();
});

const checks = CHECKS.map(({ name, command }) => ({ name, failed: run(name, command) !== 0 }));
const tests = runTests();

console.log('\nsummary');
for (const { name, failed } of checks) console.log(`  ${failed ? 'FAILED' : 'ok    '}  ${name}`);
console.log(
  `  ${tests.failed > 0 ? 'FAILED' : 'ok    '}  tests: ${tests.passed} passed, ${tests.failed} failed`,
);
for (const name of tests.failures) console.log(`            ${name}`);
if (tests.skipped.length > 0) {
  console.log(`  skipped: ${tests.skipped.length}`);
  for (const name of tests.skipped) console.log(`            ${name}`);
}

const failedChecks = checks.filter(({ failed }) => failed).length;
const passed = checks.length - failedChecks + tests.passed;
const failed = failedChecks + tests.failed;
process.exitCode = failed === 0 ? 0 : 1;
console.log(`${passed} passed, ${failed} failed`);

/**
 * @param {string} name
 * @param {readonly string[]} command a program of node_modules/.bin and its arguments
 * @returns {number | null} exit code; null when it was killed
 */
function run(name, [program = '', ...args]) {
  console.log(`\n── ${name}: ${[program, ...args].join(' ')}`);
  const bin = join(PROJECT_ROOT, 'node_modules', '.bin');
  const env = { ...process.env, PATH: [bin, process.env['PATH']].join(delimiter) };
  return spawnSync(program, args, { cwd: PROJECT_ROOT, env, stdio: 'inherit' }).status;
}

function runTests() {
  const folder = mkdtempSync(join(tmpdir(), 'retune-test-report-'));
  const report = join(folder, 'report.json');
  const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${report}`];
  try {
    const code = run('tests', ['vitest', 'run', ...reporters]);
    return countTests(readReport(report), code, PROJECT_ROOT);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** @param {string} file */
function readReport(file) {
  try {
    return JSON.parse(readFileSync(file, 'utf8'));
  } catch {
    return null;
  }
}
