import { createHash } from 'node:crypto';
import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { ensureTemporalCli, versionProblem } from '../../setup/temporal-cli.mjs';
import { cleanUp } from './cleanup.ts';
import { temporaryFolder } from './folders.ts';

const GOOD = 'temporal version 1.5.1 (Server 1.29.1, UI 2.42.1)';
const OLD = 'temporal version 1.3.0 (Server 1.27.1, UI 2.36.0)';
const REMEDY =
  'Install it (https://docs.temporal.io/cli/setup-cli) so that `temporal` is on PATH, or set TEMPORAL_CLI to its file.';
/** Where nothing listens. */
const NOWHERE = 'http://127.0.0.1:2/temporal.tar.gz';
const platform = `${process.platform}_${process.arch === 'x64' ? 'amd64' : process.arch}`;

describe('the Temporal CLI is taken from', () => {
  test('$TEMPORAL_CLI, before PATH', async () => {
    const place = await machine();
    const named = script(join(place.home, 'mine'), `echo '${GOOD}'`);
    script(join(place.bin, 'temporal'), `echo '${GOOD}'`);
    expect(await place.ensure({ TEMPORAL_CLI: named })).toBe(named);
    expect(place.said).toEqual([]);
  });

  test('$TEMPORAL_CLI or nowhere: a wrong one is an error', async () => {
    const place = await machine();
    script(join(place.bin, 'temporal'), `echo '${GOOD}'`);
    const named = script(join(place.home, 'mine'), `echo '${OLD}'`);
    await expect(place.ensure({ TEMPORAL_CLI: named })).rejects.toThrow(
      `$TEMPORAL_CLI is ${named}, which cannot be used: version 1.3.0 is too old, 1.5.0 or newer is needed.\n` +
        'Set it to a Temporal CLI 1.5.0 or newer, or unset it to have one found.',
    );
    await expect(place.ensure({ TEMPORAL_CLI: '/no/such' })).rejects.toThrow(
      '$TEMPORAL_CLI is /no/such, which cannot be used: no such file.',
    );
  });

  test('PATH, where an old one is passed over with a line', async () => {
    const place = await machine();
    const old = script(join(place.home, 'old', 'temporal'), `echo '${OLD}'`);
    const good = script(join(place.bin, 'temporal'), `echo '${GOOD}'`);
    expect(await place.ensure({ PATH: `${dirname(old)}:${place.env.PATH}` })).toBe(good);
    expect(place.said).toEqual([
      `${old} is skipped: version 1.3.0 is too old, 1.5.0 or newer is needed`,
    ]);
  });

  test('the cache, before a download', async () => {
    const place = await machine();
    script(place.cached, `echo '${GOOD}'`);
    expect(await place.ensure()).toBe(place.cached);
  });

  test('the official download, checked and kept in the cache; two at once download once', async () => {
    const place = await machine();
    const host = await archiveHost(`echo '${GOOD}'`);
    const release = { version: '1.5.1', urls: () => [NOWHERE, host.url], sha256: host.sha256 };
    const found = await Promise.all([place.ensure({}, release), place.ensure({}, release)]);
    expect(found).toEqual([place.cached, place.cached]);
    expect(host.requests()).toBe(1);
    expect(place.said.filter((line) => line.startsWith('downloading'))).toEqual([
      `downloading the Temporal CLI 1.5.1 (1 MB) from ${new URL(host.url).host}`,
    ]);
    expect(existsSync(`${dirname(place.cached)}.partial`)).toBe(false);
    expect(existsSync(`${dirname(place.cached)}.lock`)).toBe(false);
  });

  test('go install, when nothing can be downloaded', async () => {
    const place = await machine();
    script(
      join(place.bin, 'go'),
      `echo "$GOBIN $CGO_ENABLED$GOFLAGS$GOOS $*" > ${place.home}/go-call
       printf '%s\\n' '#!/bin/sh' "echo '${GOOD}'" > "$GOBIN/temporal"; /bin/chmod +x "$GOBIN/temporal"`,
    );
    expect(await place.ensure({ GOFLAGS: '-mod=vendor', GOOS: 'plan9' })).toBe(place.cached);
    expect(readFileSync(join(place.home, 'go-call'), 'utf8')).toBe(
      `${dirname(place.cached)}.partial 0 install -ldflags -s -w -X github.com/temporalio/cli/temporalcli.Version=1.5.1 ` +
        'github.com/temporalio/cli/cmd/temporal@v1.5.1\n',
    );
    expect(place.said).toEqual([
      `building the Temporal CLI 1.5.1 with ${place.bin}/go: about 4 minutes, once`,
    ]);
  });
});

describe('without any way to the Temporal CLI, one message lists all', () => {
  test('nothing there', async () => {
    const place = await machine();
    await expect(place.ensure()).rejects.toThrow(
      [
        'The Temporal CLI 1.5.0 or newer is needed and could not be found or obtained:',
        '  - PATH: there is no `temporal` on it',
        `  - cache: ${place.cached}: no such file`,
        `  - download: ${NOWHERE}: connect ECONNREFUSED 127.0.0.1:2`,
        '  - go install: there is no `go` on PATH',
        REMEDY,
      ].join('\n'),
    );
  });

  test('everything broken', async () => {
    const place = await machine();
    const other = script(join(place.bin, 'temporal'), 'echo 3.1');
    script(place.cached, 'exit 3');
    script(join(place.bin, 'go'), 'echo "go: downloading x" >&2; echo "no space left" >&2; exit 1');
    const host = await archiveHost(`echo '${GOOD}'`);
    const expected = '0'.repeat(64);
    const release = { version: '1.5.1', urls: () => [host.url], sha256: { [platform]: expected } };
    await expect(place.ensure({}, release)).rejects.toThrow(
      [
        'The Temporal CLI 1.5.0 or newer is needed and could not be found or obtained:',
        `  - PATH: ${other}: \`--version\` answers "3.1", which is not the Temporal CLI`,
        `  - cache: ${place.cached}: \`--version\` failed`,
        `  - download: ${host.url}: its sha256 is ${host.sha256[platform]}, ${expected} is expected`,
        '  - go install: it failed with exit code 1: no space left',
        REMEDY,
      ].join('\n'),
    );
    expect(existsSync(`${dirname(place.cached)}.partial`)).toBe(false);
  });
});

test.each([
  [GOOD, null],
  ['temporal version 1.5.0 (Server 1.29.0, UI 2.41.0)', null],
  ['temporal version 2.0.0-rc.1 (Server 2.0.0, UI 3.0.0)', null],
  ['temporal version 1.10.0 (Server 1.40.0, UI 3.0.0)', null],
  ['temporal version 0.0.0-DEV (Server 1.29.1, UI 2.42.1)', null],
  [
    'temporal version 0.0.0-DEV (Server 1.28.3, UI 2.42.1)',
    'its server is 1.28.3, 1.29.0 or newer is needed',
  ],
  [
    'temporal version 0.13.2 (Server 1.24.1, UI 2.27.2)',
    'version 0.13.2 is too old, 1.5.0 or newer is needed',
  ],
  ['', '`--version` answers "", which is not the Temporal CLI'],
])('%s: %s', (output, problem) => {
  expect(versionProblem(output)).toBe(problem);
});

interface Release {
  readonly version: string;
  readonly urls: () => readonly string[];
  readonly sha256: Readonly<Record<string, string>>;
}

const OFFLINE: Release = {
  version: '1.5.1',
  urls: () => [NOWHERE],
  sha256: { [platform]: '0'.repeat(64) },
};

/** A home folder and a PATH of which the Temporal CLI and Go are no part. */
async function machine() {
  const home = await temporaryFolder();
  const bin = join(home, 'bin');
  mkdirSync(bin);
  const said: string[] = [];
  const env = { HOME: home, PATH: bin };
  return {
    home,
    bin,
    env,
    said,
    cached: join(home, '.cache', 'retune', 'temporal-cli', '1.5.1', 'temporal'),
    ensure: (more: Readonly<Record<string, string>> = {}, release: Release = OFFLINE) =>
      ensureTemporalCli({
        env: { ...env, ...more },
        release,
        say: (line: string) => void said.push(line),
      }),
  };
}

function script(file: string, body: string): string {
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, `#!/bin/sh\n${body}\n`);
  chmodSync(file, 0o755);
  return file;
}

/** Serves an archive as the official one is: a tar.gz with `temporal` in it. */
async function archiveHost(body: string) {
  const folder = await temporaryFolder();
  script(join(folder, 'temporal'), body);
  writeFileSync(join(folder, 'LICENSE'), 'MIT');
  spawnSync('tar', ['-czf', 'archive.tar.gz', 'LICENSE', 'temporal'], { cwd: folder });
  const archive = readFileSync(join(folder, 'archive.tar.gz'));
  let requests = 0;
  const server = createServer((_, response) => {
    requests += 1;
    response.setHeader('content-length', archive.length).end(archive);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  cleanUp(async () => void server.close());
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/temporal.tar.gz`,
    sha256: { [platform]: createHash('sha256').update(archive).digest('hex') },
    requests: () => requests,
  };
}
