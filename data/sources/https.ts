import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { Failure } from '../../plan/failures.ts';
import type {
  FetchedFile,
  FetchOptions,
  SourceDriver,
  SourceFile,
  SourceOptions,
} from './source.ts';
import { wantedFiles } from './source.ts';
import { receive, Watchdog } from './transfer.ts';
import { connectionFailure, incomplete, refusal, type Remedies } from './upstream-failure.ts';

const MAXIMUM_REDIRECTS = 10;
const REDIRECTS: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);

function remedies({ token }: SourceOptions): Remedies {
  return {
    unauthorized:
      token === undefined
        ? 'give token, or use a URL that needs none'
        : 'the given token may not read it: check the URL, and the rights of the token',
    notFound: 'check the URL',
  };
}

/**
 * `https://...`: one file of a web server (`http://` only of this machine). The revision is its
 * ETag, else its Last-Modified date, else a digest of the content. A token is shown to this server
 * alone, as `Authorization: Bearer`, and to none that it redirects to.
 */
export function httpsSource(source: string): SourceDriver {
  const url = parseUrl(source);
  const file = describe(url);
  return {
    resolve: (options) => resolveRevision(url, file, options),
    list: () => Promise.resolve([file]),
    fetch: (revision, options) => fetchFile(url, file, revision, options),
  };
}

function parseUrl(source: string): URL {
  let url: URL;
  try {
    url = new URL(source);
  } catch (cause) {
    throw new Failure('InvalidInput', `"${source}" is not a URL`, { cause });
  }
  if (url.username !== '' || url.password !== '') {
    url.username = url.password = '';
    throw new Failure(
      'InvalidInput',
      `the source ${url.href} holds a name or a password, which would be stored with the run: ` +
        'use a URL without',
    );
  }
  return requireEncrypted(url, `"${source}"`);
}

/** @throws InvalidInput for a URL without encryption, but to this machine */
export function requireEncrypted(url: URL, what: string): URL {
  const local = /^(localhost|127(\.\d+){3}|\[::1\])$/.test(url.hostname);
  if (url.protocol === 'https:' || (url.protocol === 'http:' && local)) return url;
  throw new Failure(
    'InvalidInput',
    `${what} would travel without encryption: use https: (http: is for this machine alone)`,
  );
}

/** Messages leave out the query, which may hold a signature. */
function describe(url: URL): SourceFile {
  const name = safeDecode(url.pathname.split('/').at(-1) ?? '').replace(/[/\\\0]/g, '_');
  return {
    name: name === '' || name === '.' || name === '..' ? 'data' : name,
    display: url.origin + url.pathname,
    isSource: true,
  };
}

function safeDecode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

async function resolveRevision(
  url: URL,
  file: SourceFile,
  options: SourceOptions,
): Promise<string> {
  const watchdog = new Watchdog(file.display, options);
  return watchdog.run(async () => {
    const head = await request(url, file, 'HEAD', watchdog, options.token);
    const named = head.ok ? revisionInHeaders(head) : undefined;
    if (named !== undefined) return named;
    // Some servers refuse HEAD; and without a name for the content only its digest is left.
    const response = await request(url, file, 'GET', watchdog, options.token);
    if (!response.ok) throw refusal(file.display, response, remedies(options));
    const name = revisionInHeaders(response);
    if (name !== undefined) {
      await response.body?.cancel();
      return name;
    }
    const digest = createHash('sha256');
    for await (const chunk of bodyOf(response, file, watchdog)) digest.update(chunk);
    return `sha256:${digest.digest('hex')}`;
  });
}

async function fetchFile(
  url: URL,
  file: SourceFile,
  revision: string,
  options: FetchOptions,
): Promise<readonly FetchedFile[]> {
  if (wantedFiles(file.display, [file], options.files).length === 0) return [];
  const watchdog = new Watchdog(file.display, options);
  return watchdog.run(async () => {
    const response = await request(url, file, 'GET', watchdog, options.token);
    if (!response.ok) throw refusal(file.display, response, remedies(options));
    const named = revisionInHeaders(response);
    if (!revision.startsWith('sha256:') && named !== revision) {
      await response.body?.cancel();
      throw changed(file, revision, named ?? 'a version without a name');
    }
    const path = join(options.directory, file.name);
    const totalBytes = contentLength(response);
    let receivedBytes = 0;
    const body = await receive(bodyOf(response, file, watchdog), path, (bytes) => {
      receivedBytes += bytes;
      options.onProgress?.({ file: file.display, receivedBytes, totalBytes });
    });
    const found = `sha256:${body.sha256}`;
    if (revision.startsWith('sha256:') && found !== revision) throw changed(file, revision, found);
    return [{ ...file, path }];
  });
}

/** Follows redirects itself: none of them leads from https to http, or a token to another server. */
async function request(
  url: URL,
  file: SourceFile,
  method: 'GET' | 'HEAD',
  watchdog: Watchdog,
  token: string | undefined,
): Promise<Response> {
  let at = url;
  let shown = token;
  for (let redirects = 0; redirects <= MAXIMUM_REDIRECTS; redirects++) {
    const response = await send(at, file, method, watchdog, shown);
    watchdog.touch();
    const location = response.headers.get('location');
    if (!REDIRECTS.has(response.status) || location === null) return response;
    await response.body?.cancel();
    const next = new URL(location, at);
    if (next.origin !== at.origin) shown = undefined;
    at = requireEncrypted(next, `${next.origin}${next.pathname}, where ${file.display} leads,`);
  }
  throw new Failure(
    'InvalidInput',
    `${file.display} redirects more than ${MAXIMUM_REDIRECTS} times: use the URL it ends at`,
  );
}

async function send(
  url: URL,
  file: SourceFile,
  method: string,
  watchdog: Watchdog,
  token: string | undefined,
): Promise<Response> {
  try {
    return await fetch(url, {
      method,
      redirect: 'manual',
      signal: watchdog.signal,
      // Without compression the ETag and the length are those of the file itself.
      headers: {
        'accept-encoding': 'identity',
        'user-agent': 'retune',
        ...(token !== undefined && { authorization: `Bearer ${token}` }),
      },
    });
  } catch (error) {
    throw connectionFailure(file.display, error);
  }
}

async function* bodyOf(
  response: Response,
  file: SourceFile,
  watchdog: Watchdog,
): AsyncGenerator<Uint8Array> {
  const expected = contentLength(response);
  let received = 0;
  try {
    for await (const chunk of response.body ?? []) {
      watchdog.touch();
      received += (chunk as Uint8Array).length;
      yield chunk as Uint8Array;
    }
  } catch (error) {
    if (expected !== undefined && received < expected && !watchdog.signal.aborted) {
      throw incomplete(file.display, expected);
    }
    throw connectionFailure(file.display, error);
  }
  if (expected !== undefined && received !== expected) {
    throw incomplete(file.display, expected);
  }
}

/** Bytes of the body, when the server says and did not compress it. */
function contentLength(response: Response): number | undefined {
  const length = response.headers.get('content-length');
  const encoding = response.headers.get('content-encoding') ?? 'identity';
  return length === null || encoding !== 'identity' ? undefined : Number(length);
}

function revisionInHeaders(response: Response): string | undefined {
  const etag = response.headers.get('etag');
  if (etag !== null) return `etag:${etag}`;
  const modified = response.headers.get('last-modified');
  return modified === null ? undefined : `last-modified:${modified}`;
}

function changed(file: SourceFile, from: string, to: string): Failure {
  return new Failure(
    'SourceUnavailable',
    `${file.display} changed since it was looked up, from ${from} to ${to}: run again`,
  );
}
