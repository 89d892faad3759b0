// @ts-check
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { tmpdir, userInfo } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { runCommand } from './child-process.mjs';
import { SetupError, say } from './console.mjs';
import { withLock } from './lock.mjs';

/** The project's own folder. */
export const PROJECT_ROOT = dirname(dirname(fileURLToPath(import.meta.url)));

/**
 * Installs the npm packages of package-lock.json unless they are there: nothing is printed and nothing
 * changes when they are. Two processes may do so at once.
 * @param {{ root?: string, development?: boolean }} [options] `development` asks for the development
 *   dependencies too: a worker's image has none
 * @throws {SetupError} when Node is too old or npm fails
 */
export async function ensureDependencies({ root = PROJECT_ROOT, development = false } = {}) {
  checkNodeVersion(readJson(join(root, 'package.json')), process.versions.node);
  if (isInstalled(root, development)) return;
  await withLock(
    lockFileOf(root),
    async () => {
      if (!isInstalled(root, development)) await install(root);
    },
    (holder) => say(`waiting for process ${holder.pid}, which installs the dependencies`),
  );
}

/**
 * @param {{ engines?: { node?: string } }} packageJson
 * @param {string} found version of the Node that runs
 * @throws {SetupError} when it is older than package.json's `engines` says
 */
export function checkNodeVersion(packageJson, found) {
  const minimum = /^>=(\d+)\.(\d+)$/.exec(packageJson.engines?.node ?? '');
  if (minimum === null)
    throw new Error('internal: engines.node of package.json is not >=MAJOR.MINOR');
  const [major = 0, minor = 0] = found.split('.').map(Number);
  const [wantedMajor, wantedMinor] = [Number(minimum[1]), Number(minimum[2])];
  if (major > wantedMajor || (major === wantedMajor && minor >= wantedMinor)) return;
  throw new SetupError(
    `Retune needs Node ${wantedMajor}.${wantedMinor} or newer, found ${found} (${process.execPath}).\n` +
      'Install a current one from https://nodejs.org, or with `nvm install --lts`.',
  );
}

/** @typedef {{ version?: string, integrity?: string, dev?: boolean, optional?: boolean, devOptional?: boolean }} LockedPackage */
/** @typedef {{ packages: Record<string, LockedPackage> }} Lock */

/**
 * Whether node_modules holds what package-lock.json says. npm writes node_modules/.package-lock.json, what
 * it has really installed, when it is done; packages for other platforms are not in it.
 * @param {string} root
 * @param {boolean} development
 */
function isInstalled(root, development) {
  const installed = readJson(join(root, 'node_modules', '.package-lock.json'));
  if (installed === null) return false;
  const wanted = readJson(join(root, 'package-lock.json'));
  if (wanted === null) {
    throw new SetupError(
      `no package-lock.json in ${root}: restore it with \`git checkout package-lock.json\``,
    );
  }
  return isSatisfied(wanted, installed, development);
}

/**
 * @param {Lock} wanted
 * @param {Lock} installed
 * @param {boolean} development
 */
export function isSatisfied(wanted, installed, development) {
  return Object.entries(wanted.packages).every(([path, want]) => {
    if (path === '') return true;
    const found = installed.packages[path];
    if (found !== undefined)
      return found.version === want.version && found.integrity === want.integrity;
    return want.optional === true || ((want.dev ?? want.devOptional ?? false) && !development);
  });
}

/** @param {string} root */
async function install(root) {
  say('installing the dependencies with `npm ci`');
  const { code } = await runCommand(
    'npm',
    ['ci', '--include=dev', '--no-progress', '--loglevel=error'],
    { cwd: root },
  ).catch((error) => {
    throw new SetupError(
      `npm could not be started (${error.message}): it comes with Node, put it on PATH`,
    );
  });
  if (code !== 0) {
    throw new SetupError(
      `\`npm ci\` failed with exit code ${code} in ${root}: its messages are above.\n` +
        'Check the connection to the npm registry (`npm ping`), then run the command again.',
    );
  }
}

/** @param {string} root */
function lockFileOf(root) {
  const digest = createHash('sha256').update(`${userInfo().uid} ${root}`).digest('hex');
  return join(tmpdir(), `retune-dependencies-${digest.slice(0, 16)}.lock`);
}

/**
 * @param {string} file
 * @returns {any} null when there is no such file
 */
function readJson(file) {
  try {
    return JSON.parse(readFileSync(file, 'utf8'));
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return null;
    throw error;
  }
}
