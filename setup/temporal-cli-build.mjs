// @ts-check
import { findOnPath, runCommand } from './child-process.mjs';
import { SetupError } from './console.mjs';

const PACKAGE = 'github.com/temporalio/cli/cmd/temporal';
/** The release build stamps its version in; so does ours. */
const VERSION_VARIABLE = 'github.com/temporalio/cli/temporalcli.Version';

/**
 * Builds the Temporal CLI with Go, as `go install ${PACKAGE}@v${version}` does.
 * @param {string} folder where `temporal` is put
 * @param {string} version
 * @param {NodeJS.ProcessEnv} env
 * @param {(line: string) => void} say
 * @throws {SetupError} when there is no Go, or with the end of what Go printed
 */
export async function buildTemporalCli(folder, version, env, say) {
  const [go] = findOnPath('go', env['PATH']);
  if (go === undefined) throw new SetupError('there is no `go` on PATH');
  say(`building the Temporal CLI ${version} with ${go}: about 4 minutes, once`);
  const { code, stderr } = await runCommand(
    go,
    ['install', '-ldflags', `-s -w -X ${VERSION_VARIABLE}=${version}`, `${PACKAGE}@v${version}`],
    { env: buildEnvironment(folder, env), capture: true },
  );
  if (code === 0) return;
  const lines = stderr
    .trim()
    .split('\n')
    .filter((line) => !line.startsWith('go: downloading'));
  throw new SetupError(`it failed with exit code ${code}: ${lines.slice(-3).join(' / ')}`);
}

/**
 * The caller's environment without what would make Go build another thing, or elsewhere.
 * @param {string} folder
 * @param {NodeJS.ProcessEnv} env
 */
function buildEnvironment(folder, env) {
  const { GOFLAGS: _flags, GOOS: _os, GOARCH: _arch, ...rest } = env;
  return { ...rest, GOBIN: folder, CGO_ENABLED: '0' };
}
