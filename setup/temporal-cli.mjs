// @ts-check
import { mkdirSync, renameSync, rmSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { findOnPath, runCommand } from './child-process.mjs';
import { SetupError, say } from './console.mjs';
import { withLock } from './lock.mjs';
import { buildTemporalCli } from './temporal-cli-build.mjs';
import { TEMPORAL_CLI_RELEASE, downloadTemporalCli } from './temporal-cli-release.mjs';

/** Oldest version that works; a CLI built from source has no version of its own and is judged by its server's. */
const MINIMUM = { cli: '1.5.0', server: '1.29.0' };

/**
 * @typedef {object} TemporalCliOptions
 * @property {NodeJS.ProcessEnv} [env] where TEMPORAL_CLI, PATH, XDG_CACHE_HOME and HOME are read
 * @property {import('./temporal-cli-release.mjs').Release} [release] the official build to download
 * @property {(line: string) => void} [say]
 */

/**
 * Finds the Temporal CLI, or obtains it: $TEMPORAL_CLI, PATH, the user's cache, the official download,
 * `go install`. Whichever it is, it has answered `--version` with a version that works.
 * @param {TemporalCliOptions} [options]
 * @returns {Promise<string>} its absolute path
 * @throws {SetupError} when $TEMPORAL_CLI is set and does not work, or when nothing else does: the message
 *   lists what was tried, why each failed, and the remedy
 */
export async function ensureTemporalCli(options = {}) {
  const { env = process.env, release = TEMPORAL_CLI_RELEASE, say: tell = say } = options;
  const named = env['TEMPORAL_CLI'];
  if (named !== undefined && named !== '') return namedCli(named);

  /** @type {string[]} */
  const failures = [];
  const onPath = findOnPath('temporal', env['PATH']);
  if (onPath.length === 0) failures.push('PATH: there is no `temporal` on it');
  for (const candidate of onPath) {
    const problem = await problemOf(candidate);
    if (problem === null) return candidate;
    tell(`${candidate} is skipped: ${problem}`);
    failures.push(`PATH: ${candidate}: ${problem}`);
  }

  const folder = join(cacheFolder(env), 'temporal-cli', release.version);
  const cached = join(folder, 'temporal');
  if ((await problemOf(cached)) === null) return cached;
  return withLock(
    `${folder}.lock`,
    async () => {
      if ((await problemOf(cached)) === null) return cached;
      failures.push(`cache: ${cached}: ${await problemOf(cached)}`);
      await obtain(folder, { env, release, say: tell }, failures);
      return cached;
    },
    (holder) => tell(`waiting for process ${holder.pid}, which obtains the Temporal CLI`),
  );
}

/** @param {string} file */
async function namedCli(file) {
  const problem = await problemOf(file);
  if (problem === null) return file;
  throw new SetupError(
    `$TEMPORAL_CLI is ${file}, which cannot be used: ${problem}.\n` +
      `Set it to a Temporal CLI ${MINIMUM.cli} or newer, or unset it to have one found.`,
  );
}

/**
 * Tries the ways to obtain the CLI, each in a temporary folder that is renamed into place when the result works.
 * @param {string} folder
 * @param {Required<TemporalCliOptions>} options
 * @param {string[]} failures
 */
async function obtain(folder, options, failures) {
  const { env, release, say: tell } = options;
  const partial = `${folder}.partial`;
  const ways = [
    { name: 'download', place: () => downloadTemporalCli(partial, release, tell) },
    { name: 'go install', place: () => buildTemporalCli(partial, release.version, env, tell) },
  ];
  for (const { name, place } of ways) {
    rmSync(partial, { recursive: true, force: true });
    mkdirSync(partial, { recursive: true });
    try {
      await place();
      const problem = await problemOf(join(partial, 'temporal'));
      if (problem !== null) throw new SetupError(problem);
      rmSync(folder, { recursive: true, force: true });
      renameSync(partial, folder);
      return;
    } catch (error) {
      if (!(error instanceof SetupError)) throw error;
      failures.push(`${name}: ${error.message}`);
    } finally {
      rmSync(partial, { recursive: true, force: true });
    }
  }
  throw new SetupError(
    `The Temporal CLI ${MINIMUM.cli} or newer is needed and could not be found or obtained:\n` +
      failures.map((failure) => `  - ${failure}\n`).join('') +
      'Install it (https://docs.temporal.io/cli/setup-cli) so that `temporal` is on PATH, or set TEMPORAL_CLI to its file.',
  );
}

/**
 * @param {string} file
 * @returns {Promise<string | null>} what keeps this file from being used; null when nothing does
 */
async function problemOf(file) {
  const result = await runCommand(file, ['--version'], { capture: true, timeoutMs: 30_000 }).catch(
    (error) => error,
  );
  if (result instanceof Error)
    return 'code' in result && result.code === 'ENOENT' ? 'no such file' : result.message;
  if (result.code !== 0) return '`--version` failed';
  return versionProblem(result.stdout);
}

/**
 * @param {string} output of `temporal --version`, such as `temporal version 1.5.1 (Server 1.29.1, UI 2.42.1)`
 * @returns {string | null}
 */
export function versionProblem(output) {
  const match = /^temporal version (\S+) \(Server ([\d.]+)/i.exec(output);
  const [, cli, server] = match ?? [];
  if (cli === undefined || server === undefined) {
    const firstLine = output.split('\n', 1)[0] ?? '';
    return `\`--version\` answers ${JSON.stringify(firstLine)}, which is not the Temporal CLI`;
  }
  const fromSource = cli.startsWith('0.0.0');
  const enough = fromSource ? isAtLeast(server, MINIMUM.server) : isAtLeast(cli, MINIMUM.cli);
  if (enough) return null;
  return fromSource
    ? `its server is ${server}, ${MINIMUM.server} or newer is needed`
    : `version ${cli} is too old, ${MINIMUM.cli} or newer is needed`;
}

/**
 * @param {string} version
 * @param {string} minimum
 */
function isAtLeast(version, minimum) {
  const found = version.split(/[.-]/).map(Number);
  const wanted = minimum.split('.').map(Number);
  const differing = wanted.findIndex((part, i) => part !== found[i]);
  return differing === -1 || (found[differing] ?? 0) > (wanted[differing] ?? 0);
}

/**
 * The user's cache, which every clone shares.
 * @param {NodeJS.ProcessEnv} env
 */
function cacheFolder(env) {
  const base = env['XDG_CACHE_HOME'];
  return join(
    base !== undefined && base !== '' ? base : join(env['HOME'] ?? homedir(), '.cache'),
    'retune',
  );
}
