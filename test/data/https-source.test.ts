import { createHash } from 'node:crypto';
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'vitest';
import { fetchSource, resolveSource } from '../../data/sources/sources.ts';
import { startFileServer } from '../servers/file-server.ts';
import type { FileServer, Handler } from '../servers/file-server.ts';
import { cleanUp } from '../setup/cleanup.ts';
import { storeTest } from './temporary-store.ts';

const BODY = 'text,label\nhéllo 🙂,1\n';
const LENGTH = Buffer.byteLength(BODY);

const serverTest = storeTest.extend<{ server: FileServer; target: string }>({
  // Vitest wants a destructured parameter here.
  // oxlint-disable-next-line no-empty-pattern
  server: async ({}, use) => {
    const server = await startFileServer();
    await use(server);
    await server.close();
  },
  target: async ({ folder }, use) => {
    await mkdir(join(folder, 'target'));
    await use(join(folder, 'target'));
  },
});

function serve(headers: Record<string, string>, body = BODY): Handler {
  return (request, response) => {
    response.writeHead(200, headers).end(request.method === 'HEAD' ? undefined : body);
  };
}

const SHA256 = `sha256:${createHash('sha256').update(BODY).digest('hex')}`;
const MODIFIED = 'Wed, 01 Jul 2026 10:00:00 GMT';
const REVISIONS: readonly (readonly [string, Record<string, string>, string])[] = [
  ['the ETag', { etag: '"v1"', 'last-modified': MODIFIED }, 'etag:"v1"'],
  ['a weak ETag', { etag: 'W/"v1"' }, 'etag:W/"v1"'],
  ['the date', { 'last-modified': MODIFIED }, `last-modified:${MODIFIED}`],
  ['the content', {}, SHA256],
];

serverTest('takes the scheme in any case', async ({ server }) => {
  server.on('/a.csv', serve({ etag: '"v1"' }));
  const source = `${server.url.replace('http', 'HTTP')}/a.csv`;

  expect(await resolveSource(source, 'dataset', { env: {} })).toEqual({
    source,
    revision: 'etag:"v1"',
  });
});

serverTest.for(REVISIONS)(
  'fetches a file whose revision is %s',
  async ([, headers, revision], { server, target }) => {
    server.on('/sets/a%20b.csv', serve(headers));
    const source = `${server.url}/sets/a%20b.csv?signature=secret`;
    const resolved = await resolveSource(source, 'dataset', { env: {} });
    let received = 0;
    const [file] = await fetchSource(resolved, 'dataset', {
      env: {},
      directory: target,
      onProgress: (progress) => {
        received = progress.receivedBytes;
      },
    });

    expect(resolved).toEqual({ source, revision });
    expect(file).toEqual({
      name: 'a b.csv',
      display: `${server.url}/sets/a%20b.csv`,
      isSource: true,
      path: join(target, 'a b.csv'),
    });
    expect(await readFile(join(target, 'a b.csv'), 'utf8')).toBe(BODY);
    expect(received).toBe(LENGTH);
  },
);

serverTest('asks only for the head where the head names a version', async ({ server }) => {
  server.on('/a.csv', serve({ etag: '"v1"' }));
  await resolveSource(`${server.url}/a.csv`, 'dataset', { env: {} });
  expect(server.requests).toEqual(['HEAD /a.csv']);
});

serverTest('asks with GET where HEAD is refused', async ({ server }) => {
  server.on('/a.csv', (request, response) => {
    if (request.method === 'HEAD') response.writeHead(403).end();
    else response.writeHead(200, { etag: '"v1"' }).end(BODY);
  });
  const { revision } = await resolveSource(`${server.url}/a.csv`, 'dataset', { env: {} });
  expect(revision).toBe('etag:"v1"');
});

serverTest(
  'follows redirects, and keeps the name that was asked for',
  async ({ server, target }) => {
    server.on('/latest.csv', (_, response) => response.writeHead(302, { location: '/v2' }).end());
    server.on('/v2', (_, response) => response.writeHead(307, { location: '/v2/data' }).end());
    server.on('/v2/data', serve({ etag: '"v2"' }));
    const resolved = await resolveSource(`${server.url}/latest.csv`, 'dataset', { env: {} });
    const [file] = await fetchSource(resolved, 'dataset', { env: {}, directory: target });

    expect(resolved.revision).toBe('etag:"v2"');
    expect(file?.name).toBe('latest.csv');
  },
);

serverTest('refuses a redirect off https', async ({ server }) => {
  const to = 'http://example.com/data.csv?signature=secret';
  server.on('/a.csv', (_, response) => response.writeHead(302, { location: to }).end());
  await expect(resolveSource(`${server.url}/a.csv`, 'dataset', { env: {} })).rejects.toMatchObject({
    type: 'InvalidInput',
    message:
      `http://example.com/data.csv, where ${server.url}/a.csv leads, would travel without ` +
      'encryption: use https: (http: is for this machine alone)',
  });
});

serverTest('shows a token to the server of the source alone', async ({ server, target }) => {
  const other = await startFileServer();
  cleanUp(() => other.close());
  const shown: (readonly [string, string | undefined])[] = [];
  const seen = (at: string, handler: Handler): Handler => {
    return (request, response) => {
      shown.push([at, request.headers.authorization]);
      handler(request, response);
    };
  };
  const to = (location: string): Handler => {
    return (_, response) => response.writeHead(302, { location }).end();
  };
  server.on('/a.csv', seen('source', to('/moved.csv')));
  server.on('/moved.csv', seen('its server', to(`${other.url}/b.csv`)));
  other.on('/b.csv', seen('another', to(`${server.url}/c.csv`)));
  server.on('/c.csv', seen('its server again', serve({ etag: '"v1"' })));
  const options = { env: {}, token: 'abc def' };
  const resolved = await resolveSource(`${server.url}/a.csv`, 'dataset', options);
  await fetchSource(resolved, 'dataset', { ...options, directory: target });
  const one = [
    ['source', 'Bearer abc def'],
    ['its server', 'Bearer abc def'],
    ['another', undefined],
    ['its server again', undefined],
  ];
  expect(shown).toEqual([...one, ...one]);
});

serverTest('says that a token was not enough', async ({ server }) => {
  server.on('/a.csv', (_, response) => response.writeHead(403).end());
  const options = { env: {}, token: 'abc' };
  await expect(resolveSource(`${server.url}/a.csv`, 'dataset', options)).rejects.toMatchObject({
    type: 'Unauthorized',
    message:
      `${server.url}/a.csv: the server answered 403 Forbidden; the given token may not read it: ` +
      'check the URL, and the rights of the token',
  });
  await expect(resolveSource('file:a.csv', 'dataset', options)).rejects.toMatchObject({
    type: 'InvalidInput',
    message: '"file:a.csv" is read without a token: remove token',
  });
});

serverTest('gives up on redirects without end', async ({ server }) => {
  server.on('/a.csv', (_, response) => response.writeHead(302, { location: '/a.csv' }).end());
  await expect(resolveSource(`${server.url}/a.csv`, 'dataset', { env: {} })).rejects.toMatchObject({
    type: 'InvalidInput',
    message: `${server.url}/a.csv redirects more than 10 times: use the URL it ends at`,
  });
});

serverTest('refuses what changed since it was looked up', async ({ server, target }) => {
  server.on('/a.csv', serve({ etag: '"v1"' }));
  const named = await resolveSource(`${server.url}/a.csv`, 'dataset', { env: {} });
  server.on('/a.csv', serve({ etag: '"v2"' }));
  await expect(fetchSource(named, 'dataset', { env: {}, directory: target })).rejects.toMatchObject(
    {
      type: 'SourceUnavailable',
      message: `${server.url}/a.csv changed since it was looked up, from etag:"v1" to etag:"v2": run again`,
    },
  );

  server.on('/b.csv', serve({}));
  const unnamed = await resolveSource(`${server.url}/b.csv`, 'dataset', { env: {} });
  server.on('/b.csv', serve({}, 'x'));
  const found = `sha256:${createHash('sha256').update('x').digest('hex')}`;
  await expect(
    fetchSource(unnamed, 'dataset', { env: {}, directory: target }),
  ).rejects.toMatchObject({
    type: 'SourceUnavailable',
    message: `${server.url}/b.csv changed since it was looked up, from ${SHA256} to ${found}: run again`,
  });
});

const REFUSALS: readonly (readonly [
  status: number,
  headers: Record<string, string>,
  type: string,
  message: string,
  retryAfterMs: number | undefined,
])[] = [
  [
    401,
    {},
    'Unauthorized',
    'the server answered 401 Unauthorized; give token, or use a URL that needs none',
    undefined,
  ],
  [
    403,
    {},
    'Unauthorized',
    'the server answered 403 Forbidden; give token, or use a URL that needs none',
    undefined,
  ],
  [404, {}, 'NotFound', 'the server answered 404 Not Found; check the URL', undefined],
  [410, {}, 'NotFound', 'the server answered 410 Gone; check the URL', undefined],
  [
    400,
    {},
    'InvalidInput',
    'the server answered 400 Bad Request, which trying again cannot change',
    undefined,
  ],
  [
    429,
    { 'retry-after': '17' },
    'RateLimited',
    'the server answered 429 Too Many Requests, too many requests; try again later',
    17_000,
  ],
  [
    500,
    {},
    'SourceUnavailable',
    'the server answered 500 Internal Server Error; try again later',
    undefined,
  ],
  [
    503,
    { 'retry-after': 'Mon, 01 Jan 2001 00:00:00 GMT' },
    'SourceUnavailable',
    'the server answered 503 Service Unavailable; try again later',
    0,
  ],
];

serverTest.for(REFUSALS)(
  'tells a %d apart',
  async ([status, headers, type, message, retryAfterMs], { server }) => {
    server.on('/a.csv', (_, response) => response.writeHead(status, headers).end());
    await expect(
      resolveSource(`${server.url}/a.csv`, 'dataset', { env: {} }),
    ).rejects.toMatchObject({ type, message: `${server.url}/a.csv: ${message}`, retryAfterMs });
  },
);

serverTest('finds a body that was cut short', async ({ server, target }) => {
  server.on('/a.csv', (request, response) => {
    response.writeHead(200, { etag: '"v1"', 'content-length': LENGTH });
    if (request.method === 'HEAD') response.end();
    else response.write(BODY.slice(0, 5), () => request.socket.end());
  });
  const resolved = await resolveSource(`${server.url}/a.csv`, 'dataset', { env: {} });
  await expect(
    fetchSource(resolved, 'dataset', { env: {}, directory: target }),
  ).rejects.toMatchObject({
    type: 'SourceUnavailable',
    message:
      `${server.url}/a.csv: the body ended before all of its ${LENGTH} bytes had arrived; ` +
      'try again later',
  });
});

serverTest('gives up on a server that sends nothing', async ({ server }) => {
  server.on('/a.csv', () => undefined);
  await expect(
    resolveSource(`${server.url}/a.csv`, 'dataset', { env: {}, stallTimeoutMs: 50 }),
  ).rejects.toMatchObject({
    type: 'SourceUnavailable',
    message: `${server.url}/a.csv: the server sent nothing for 0.05 s; try again later`,
  });
});

serverTest('stops with the reason of the signal', async ({ server, target }) => {
  const controller = new AbortController();
  const reason = new Error('shutting down');
  server.on('/a.csv', (request, response) => {
    response.writeHead(200, { etag: '"v1"' });
    if (request.method === 'HEAD') response.end();
    else response.write('text', () => controller.abort(reason));
  });
  const resolved = await resolveSource(`${server.url}/a.csv`, 'dataset', { env: {} });
  await expect(
    fetchSource(resolved, 'dataset', { env: {}, directory: target, signal: controller.signal }),
  ).rejects.toBe(reason);
});

serverTest('says that nothing listens', async ({ server }) => {
  await server.close();
  const port = new URL(server.url).port;
  await expect(resolveSource(`${server.url}/a.csv`, 'dataset', { env: {} })).rejects.toMatchObject({
    type: 'SourceUnavailable',
    message:
      `${server.url}/a.csv: the connection failed (ECONNREFUSED: connect ECONNREFUSED ` +
      `127.0.0.1:${port}); try again later`,
  });
});

const URLS: readonly (readonly [string, string])[] = [
  [
    'http://example.com/a.csv',
    '"http://example.com/a.csv" would travel without encryption: use https: (http: is for ' +
      'this machine alone)',
  ],
  [
    'https://me:secret@example.com/a.csv',
    'the source https://example.com/a.csv holds a name or a password, which would be stored with ' +
      'the run: use a URL without',
  ],
  ['https://', '"https://" is not a URL'],
];

serverTest.for(URLS)('refuses %s', async ([source, message]) => {
  await expect(resolveSource(source, 'dataset', { env: {} })).rejects.toMatchObject({
    type: 'InvalidInput',
    message,
  });
});

serverTest('fetches no model from a plain URL', async () => {
  await expect(
    resolveSource('https://example.com/model', 'model', { env: {} }),
  ).rejects.toMatchObject({
    type: 'InvalidInput',
    message:
      'cannot read from "https://example.com/model": expected file:PATH, hf://OWNER/NAME or registry:NAME@ALIAS',
  });
});
