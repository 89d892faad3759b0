// @ts-check
import { createHash } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { runCommand } from './child-process.mjs';
import { SetupError } from './console.mjs';

/**
 * @typedef {object} Release
 * @property {string} version
 * @property {(platform: string) => readonly string[]} urls where the archive of a platform is, best first
 * @property {Readonly<Record<string, string>>} sha256 digest of the archive by platform
 */

/** The version that Retune is developed against, with the digests of its release's checksums.txt. */
const VERSION = '1.5.1';

/** @type {Release} */
export const TEMPORAL_CLI_RELEASE = {
  version: VERSION,
  urls: (platform) => {
    const [os, arch] = platform.split('_');
    return [
      `https://temporal.download/cli/archive/v${VERSION}?platform=${os}&arch=${arch}`,
      `https://github.com/temporalio/cli/releases/download/v${VERSION}/temporal_cli_${VERSION}_${platform}.tar.gz`,
    ];
  },
  sha256: {
    linux_amd64: 'ddc95e08b0b076efd4ea9733a3f488eb7d2be875f8834e616cd2a37358b4852d',
    linux_arm64: 'bd1b0db9f18b051026de8bf6cc1505f2510f14bbb7a8b9a4a91fff46c77454f5',
    darwin_amd64: 'bbb73e2a31135abe50a1f1cdb35030c42961df618e8ce9c60ae89f201540c5d9',
    darwin_arm64: 'cca01b7ea35ad56e2a328d9ae596bf716bd22313ef63c7a761c88354457c2415',
  },
};

/** Without an answer by then there is no way to that host: the next way is tried. */
const ANSWER_TIMEOUT_MS = 15_000;
const STALL_TIMEOUT_MS = 30_000;

/**
 * Downloads the official archive, checks its digest and unpacks `temporal` into a folder.
 * @param {string} folder
 * @param {Release} release
 * @param {(line: string) => void} say
 * @throws {SetupError} with the reason of every address
 */
export async function downloadTemporalCli(folder, release, say) {
  const platform = `${process.platform}_${process.arch === 'x64' ? 'amd64' : process.arch}`;
  const sha256 = release.sha256[platform];
  if (sha256 === undefined) throw new SetupError(`there is no official build for ${platform}`);
  const archive = join(folder, 'temporal.tar.gz');
  const reasons = [];
  for (const url of release.urls(platform)) {
    try {
      const found = await download(url, archive, release.version, say);
      if (found === sha256) return await unpack(archive, folder);
      reasons.push(`${url}: its sha256 is ${found}, ${sha256} is expected`);
    } catch (error) {
      reasons.push(`${url}: ${reasonOf(error)}`);
    }
  }
  throw new SetupError(reasons.join('; '));
}

/**
 * @param {string} url
 * @param {string} file
 * @param {string} version
 * @param {(line: string) => void} say
 * @returns {Promise<string>} sha256 of what was written
 */
async function download(url, file, version, say) {
  const abort = new AbortController();
  let timer = setTimeout(() => abort.abort(new Error('no answer')), ANSWER_TIMEOUT_MS);
  try {
    const response = await fetch(url, { signal: abort.signal });
    if (!response.ok || response.body === null) throw new Error(`HTTP ${response.status}`);
    const size = Number(response.headers.get('content-length') ?? 0);
    const shown = size > 0 ? ` (${Math.ceil(size / 1e6)} MB)` : '';
    say(`downloading the Temporal CLI ${version}${shown} from ${new URL(url).host}`);
    const hash = createHash('sha256');
    await pipeline(
      response.body,
      async function* (/** @type {AsyncIterable<Uint8Array>} */ chunks) {
        for await (const chunk of chunks) {
          clearTimeout(timer);
          timer = setTimeout(
            () => abort.abort(new Error('the download stalled')),
            STALL_TIMEOUT_MS,
          );
          hash.update(chunk);
          yield chunk;
        }
      },
      createWriteStream(file),
    );
    return hash.digest('hex');
  } finally {
    clearTimeout(timer);
  }
}

/**
 * @param {string} archive
 * @param {string} folder
 */
async function unpack(archive, folder) {
  const { code, stderr } = await runCommand('tar', ['-xzf', archive, '-C', folder, 'temporal'], {
    capture: true,
  });
  if (code !== 0) throw new Error(`tar failed: ${stderr.trim()}`);
}

/** @param {unknown} error */
function reasonOf(error) {
  if (!(error instanceof Error)) return String(error);
  const cause = error.cause;
  return cause instanceof Error ? cause.message : error.message;
}
