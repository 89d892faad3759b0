import { Failure } from '../../plan/failures.ts';
import { httpsSource } from './https.ts';
import { localSource } from './local.ts';
import { registrySource } from './registry.ts';
import type {
  FetchedFile,
  FetchOptions,
  ResolvedSource,
  SourceDriver,
  SourceFile,
  SourceOptions,
  SourceUse,
} from './source.ts';

const EXPECTED = {
  dataset: 'expected file:PATH, https://URL or hf://datasets/OWNER/NAME',
  model: 'expected file:PATH, hf://OWNER/NAME or registry:NAME@ALIAS',
} as const satisfies Record<SourceUse, string>;

/**
 * Asks upstream which revision a source has now. Cheap but for `file:`, which reads the files, and
 * for a web server that names no version of what it serves.
 *
 * @throws InvalidInput, NotFound, Unauthorized, RateLimited, SourceUnavailable
 */
export async function resolveSource(
  source: string,
  use: SourceUse,
  options: SourceOptions,
): Promise<ResolvedSource> {
  const driver = await driverOf(source, use, options);
  return { source, revision: await driver.resolve(options) };
}

/**
 * The files of a source at its resolved revision, ordered by name.
 * @throws as `resolveSource`
 */
export async function listSource(
  resolved: ResolvedSource,
  use: SourceUse,
  options: SourceOptions,
): Promise<readonly SourceFile[]> {
  const driver = await driverOf(resolved.source, use, options);
  return driver.list(resolved.revision, options);
}

/**
 * Gets files of a source into a folder, exactly as they were at the resolved revision.
 * @throws as `resolveSource`; SourceUnavailable also when the source has changed since; DiskFull
 */
export async function fetchSource(
  resolved: ResolvedSource,
  use: SourceUse,
  options: FetchOptions,
): Promise<readonly FetchedFile[]> {
  const driver = await driverOf(resolved.source, use, options);
  return driver.fetch(resolved.revision, options);
}

async function driverOf(
  source: string,
  use: SourceUse,
  { token }: SourceOptions,
): Promise<SourceDriver> {
  const scheme = /^([a-z][a-z0-9+.-]*):/i.exec(source)?.[1]?.toLowerCase();
  switch (scheme) {
    case 'file':
      if (token !== undefined) throw useless(source);
      return localSource(source);
    case 'http':
    case 'https':
      if (use === 'dataset') return httpsSource(source);
      throw unknown(source, EXPECTED.model);
    case 'hf':
      return (await import('./hub.ts')).hubSource(source, use);
    case 'registry':
      if (use === 'model') return registrySource(source);
      throw unknown(source, EXPECTED.dataset);
    case 's3':
      throw unknown(source, `s3:// sources are not built yet; ${EXPECTED[use]}`);
    case undefined:
      throw unknown(source, `it has no scheme: write file:${source} for a path; ${EXPECTED[use]}`);
    default:
      throw unknown(source, EXPECTED[use]);
  }
}

function useless(source: string): Failure {
  return new Failure('InvalidInput', `"${source}" is read without a token: remove token`);
}

function unknown(source: string, why: string): Failure {
  return new Failure('InvalidInput', `cannot read from "${source}": ${why}`);
}
