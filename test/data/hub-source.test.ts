import { createHash } from 'node:crypto';
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { fetchSource, listSource, resolveSource } from '../../data/sources/sources.ts';
import type { SourceUse } from '../../data/sources/source.ts';
import { startHubServer } from '../servers/hub-server.ts';
import type { HubServer, Interception } from '../servers/hub-server.ts';
import { storeTest } from './temporary-store.ts';

const BIG = 'x'.repeat(200_000);
const TWEETS = {
  'README.md': '# tweets',
  'train.jsonl': '{"text": "héllo 🙂"}\n',
  'data/a #1%.csv': 'text\na\n',
  'data/deep/b.csv': '',
  'data/big.csv': BIG,
  'data/chunked.csv': BIG,
};

const hubTest = storeTest.extend<{ hub: HubServer; target: string }>({
  // Vitest wants a destructured parameter here.
  // oxlint-disable-next-line no-empty-pattern
  hub: async ({}, use) => {
    const hub = await startHubServer(
      [
        {
          type: 'dataset',
          name: 'acme/tweets',
          files: TWEETS,
          lfs: ['data/big.csv', 'data/chunked.csv'],
          xet: ['data/chunked.csv'],
        },
        { type: 'dataset', name: 'acme/secret', files: { 'a.csv': 'text\n' }, private: true },
        { type: 'dataset', name: 'acme/gated', files: { 'a.csv': 'text\n' }, gated: true },
        { type: 'model', name: 'acme/gpt', files: { 'config.json': '{}' } },
      ],
      { pageSize: 2 },
    );
    await use(hub);
    await hub.close();
  },
  target: async ({ folder }, use) => {
    await mkdir(join(folder, 'target'));
    await use(join(folder, 'target'));
  },
});

/** What fetching a source writes, by name. */
async function fetchAll(
  source: string,
  use: SourceUse,
  options: { hub: HubServer; target: string; token?: string; files?: readonly string[] },
): Promise<Record<string, string>> {
  const env = { HF_ENDPOINT: options.hub.url, HF_TOKEN: options.token };
  const resolved = await resolveSource(source, use, { env });
  const files = await fetchSource(resolved, use, {
    env,
    directory: options.target,
    ...(options.files === undefined ? {} : { files: options.files }),
  });
  const contents: Record<string, string> = {};
  for (const file of files) contents[file.name] = await readFile(file.path, 'utf8');
  return contents;
}

hubTest('fetches every file of a repository, listed in pages', async ({ hub, target }) => {
  expect(await fetchAll('hf://datasets/acme/tweets', 'dataset', { hub, target })).toEqual(TWEETS);
});

hubTest('fetches the named files of a model', async ({ hub, target }) => {
  hub.commit('acme/gpt', { 'config.json': '{}', 'pytorch_model.bin': BIG, 'onnx/a.onnx': 'x' });
  const files = await fetchAll('hf://acme/gpt', 'model', { hub, target, files: ['config.json'] });

  expect(files).toEqual({ 'config.json': '{}' });
  expect(await fetchAll('hf://acme/gpt/onnx', 'model', { hub, target })).toEqual({ 'a.onnx': 'x' });
  expect(hub.requests.filter(({ url }) => url.includes('pytorch_model.bin'))).toEqual([]);
});

hubTest('names files from the folder or the file that the source names', async ({ hub }) => {
  const env = { HF_ENDPOINT: `${hub.url}/` };
  const names = async (source: string): Promise<unknown> => {
    const resolved = await resolveSource(source, 'dataset', { env });
    return (await listSource(resolved, 'dataset', { env })).map((file) => [
      file.name,
      file.display,
    ]);
  };
  expect(await names('hf://datasets/acme/tweets/data/')).toEqual([
    ['a #1%.csv', 'hf://datasets/acme/tweets/data/a #1%.csv'],
    ['big.csv', 'hf://datasets/acme/tweets/data/big.csv'],
    ['chunked.csv', 'hf://datasets/acme/tweets/data/chunked.csv'],
    ['deep/b.csv', 'hf://datasets/acme/tweets/data/deep/b.csv'],
  ]);
  expect(await names('hf://datasets/acme/tweets@main/data/a #1%.csv')).toEqual([
    ['a #1%.csv', 'hf://datasets/acme/tweets@main/data/a #1%.csv'],
  ]);
});

hubTest('stays at the commit that was resolved', async ({ hub, target }) => {
  const env = { HF_ENDPOINT: hub.url };
  const first = hub.head('acme/tweets');
  const resolved = await resolveSource('hf://datasets/acme/tweets', 'dataset', { env });
  const second = hub.commit('acme/tweets', { 'train.jsonl': '{"text": "new"}\n' });
  const [file] = await fetchSource(resolved, 'dataset', {
    env,
    directory: target,
    files: ['train.jsonl'],
  });

  expect(resolved.revision).toBe(first);
  expect(await readFile(file?.path as string, 'utf8')).toBe(TWEETS['train.jsonl']);
  expect((await resolveSource('hf://datasets/acme/tweets', 'dataset', { env })).revision).toBe(
    second,
  );
});

hubTest('takes branches, references with slashes and commits', async ({ hub }) => {
  const env = { HF_ENDPOINT: hub.url };
  const main = hub.head('acme/tweets');
  const branch = hub.commit('acme/tweets', { 'a.csv': '1' }, 'v2.0');
  const parquet = hub.commit('acme/tweets', { 'a.parquet': '2' }, 'refs/convert/parquet');
  const revision = async (at: string): Promise<string> =>
    (await resolveSource(`hf://datasets/acme/tweets${at}`, 'dataset', { env })).revision;

  expect(await revision('@v2.0')).toBe(branch);
  expect(await revision('@refs/convert/parquet/data')).toBe(parquet);
  expect(await revision(`@${main}`)).toBe(main);
  expect(await revision('')).toBe(main);
});

hubTest('reports progress over all files', async ({ hub, target }) => {
  const env = { HF_ENDPOINT: hub.url };
  const resolved = await resolveSource('hf://datasets/acme/tweets', 'dataset', { env });
  const seen: number[] = [];
  await fetchSource(resolved, 'dataset', {
    env,
    directory: target,
    onProgress: ({ receivedBytes, totalBytes }) => seen.push(receivedBytes / (totalBytes ?? 0)),
  });
  expect(seen.at(-1)).toBe(1);
  expect(seen).toEqual([...seen].sort((a, b) => a - b));
});

hubTest('shows its token to the hub alone', async ({ hub, target }) => {
  hub.commit('acme/secret', { 'a.csv': 'text\n' });
  expect(
    await fetchAll('hf://datasets/acme/secret', 'dataset', { hub, target, token: hub.token }),
  ).toEqual({ 'a.csv': 'text\n' });
  await fetchAll('hf://datasets/acme/tweets/data/big.csv', 'dataset', {
    hub,
    target,
    token: hub.token,
  });

  const shown = new Set(
    hub.requests.map((request) => [request.host, request.authorization].join()),
  );
  expect(shown).toEqual(new Set([`hub,Bearer ${hub.token}`, 'storage,']));
});

interface Refusal {
  readonly source: string;
  readonly token?: 'right' | 'wrong';
  readonly type: string;
  readonly message: (url: string) => string;
}

const REFUSALS: readonly Refusal[] = [
  {
    source: 'hf://datasets/acme/secret',
    type: 'Unauthorized',
    message: (url) =>
      'hf://datasets/acme/secret: the server answered 401 Unauthorized (Invalid username or ' +
      'password); it does not exist, or is private: check the name, or set HF_TOKEN where the ' +
      `worker runs, to a token made at ${url}/settings/tokens`,
  },
  {
    source: 'hf://datasets/acme/nothing',
    token: 'wrong',
    type: 'NotFound',
    message: (url) =>
      'hf://datasets/acme/nothing: the server answered 404 Not Found (Repository not found); ' +
      `check the name at ${url}`,
  },
  {
    source: 'hf://datasets/acme/gated',
    type: 'Unauthorized',
    message: (url) =>
      'hf://datasets/acme/gated/a.csv: the server answered 401 Unauthorized (Access to acme/gated ' +
      `is restricted); accept its conditions at ${url}/datasets/acme/gated, then set HF_TOKEN ` +
      `where the worker runs, to a token made at ${url}/settings/tokens`,
  },
  {
    source: 'hf://datasets/acme/gated',
    token: 'wrong',
    type: 'Unauthorized',
    message: (url) =>
      'hf://datasets/acme/gated/a.csv: the server answered 403 Forbidden (Access to acme/gated is ' +
      `restricted); accept its conditions at ${url}/datasets/acme/gated with the account that ` +
      'HF_TOKEN belongs to',
  },
  {
    source: 'hf://datasets/acme/tweets@v9',
    type: 'NotFound',
    message: () =>
      'hf://datasets/acme/tweets@v9: the server answered 404 Not Found (Invalid rev id: v9); the ' +
      'repository has no branch, tag or commit "v9"',
  },
  {
    source: 'hf://datasets/acme/tweets/trian.jsonl',
    type: 'NotFound',
    message: () =>
      'hf://datasets/acme/tweets/trian.jsonl: the repository has no file or folder ' +
      '"trian.jsonl"; did you mean "train.jsonl"?',
  },
];

hubTest.for(REFUSALS)(
  'explains why it cannot read $source (token: $token)',
  async ({ source, token, type, message }, { hub, target }) => {
    const tokens = { right: hub.token, wrong: 'hf_other' };
    const options = { hub, target, ...(token === undefined ? {} : { token: tokens[token] }) };
    await expect(fetchAll(source, 'dataset', options)).rejects.toMatchObject({
      type,
      message: message(hub.url),
    });
  },
);

hubTest('waits as long as the hub says', async ({ hub, target }) => {
  hub.intercept((_, response) => {
    response.writeHead(429, { RateLimit: '"api";r=0;t=55' }).end();
    return true;
  });
  await expect(
    fetchAll('hf://datasets/acme/tweets', 'dataset', { hub, target }),
  ).rejects.toMatchObject({
    type: 'RateLimited',
    retryAfterMs: 55_000,
    message:
      'hf://datasets/acme/tweets: the server answered 429 Too Many Requests, too many requests; ' +
      'try again later',
  });
});

const ALTERED = 'y'.repeat(BIG.length);
const BROKEN: readonly (readonly [string, Interception, string])[] = [
  [
    'storage that is down',
    ({ host }, response) => {
      if (host === 'storage') response.writeHead(503).end();
      return host === 'storage';
    },
    'hf://datasets/acme/tweets/data/big.csv: the server answered 503 Service Unavailable; try ' +
      'again later',
  ],
  [
    'storage that fails half-way',
    ({ host, range }, response) => {
      if (host !== 'storage' || range !== undefined) return false;
      response.writeHead(500).end();
      return true;
    },
    'hf://datasets/acme/tweets/data/big.csv: the server answered 500 Internal Server Error; try ' +
      'again later',
  ],
  [
    'a body that was altered',
    ({ host, range }, response) => {
      if (host !== 'storage' || range !== undefined) return false;
      response.writeHead(200).end(ALTERED);
      return true;
    },
    'hf://datasets/acme/tweets/data/big.csv: what arrived has the sha256 ' +
      `${sha256(ALTERED)}, expected ${sha256(BIG)}; try again later`,
  ],
  [
    'a body that was cut short',
    ({ host, range }, response) => {
      if (host !== 'storage' || range !== undefined) return false;
      response.writeHead(200).end('xxx');
      return true;
    },
    'hf://datasets/acme/tweets/data/big.csv: the body ended before all of its 200000 bytes had ' +
      'arrived; try again later',
  ],
  [
    'a server that is no hub',
    (_, response) => {
      response.writeHead(200, { 'content-type': 'text/html' }).end('<html>');
      return true;
    },
    'hf://datasets/acme/tweets/data/big.csv: the server does not answer as a Hugging Face Hub ' +
      `(Unexpected token '<', "<html>" is not valid JSON); check HF_ENDPOINT`,
  ],
];

hubTest.for(BROKEN)('notices %s', async ([, interception, message], { hub, target }) => {
  hub.intercept(interception);
  await expect(
    fetchAll('hf://datasets/acme/tweets/data/big.csv', 'dataset', { hub, target }),
  ).rejects.toMatchObject({ type: 'SourceUnavailable', message });
});

hubTest('stops with the reason of the signal', async ({ hub, target }) => {
  const controller = new AbortController();
  const reason = new Error('shutting down');
  const env = { HF_ENDPOINT: hub.url };
  const resolved = await resolveSource('hf://datasets/acme/tweets', 'dataset', { env });
  const fetching = fetchSource(resolved, 'dataset', {
    env,
    directory: target,
    signal: controller.signal,
    onProgress: () => controller.abort(reason),
  });
  await expect(fetching).rejects.toBe(reason);
});

const MALFORMED: readonly (readonly [string, SourceUse, string])[] = [
  [
    'hf://acme/tweets',
    'dataset',
    '"hf://acme/tweets" names a model: a dataset is hf://datasets/acme/tweets',
  ],
  [
    'hf://datasets/acme/tweets',
    'model',
    '"hf://datasets/acme/tweets" names a dataset: a model is hf://OWNER/NAME[@REVISION][/PATH]',
  ],
  [
    'hf://gpt2',
    'model',
    '"hf://gpt2" is not understood: expected hf://OWNER/NAME[@REVISION][/PATH]',
  ],
  [
    'hf://datasets/imdb',
    'dataset',
    '"hf://datasets/imdb" is not understood: expected hf://datasets/OWNER/NAME[@REVISION][/PATH]',
  ],
];

test.each(MALFORMED)('refuses %s as a %s', async (source, use, message) => {
  await expect(resolveSource(source, use, { env: {} })).rejects.toMatchObject({
    type: 'InvalidInput',
    message,
  });
});

hubTest('shows a given token in place of HF_TOKEN', async ({ hub }) => {
  const env = { HF_ENDPOINT: hub.url, HF_TOKEN: 'hf_other' };
  const resolve = (token: string): Promise<unknown> =>
    resolveSource('hf://datasets/acme/secret', 'dataset', { env, token });
  expect(await resolve(hub.token)).toMatchObject({ revision: hub.head('acme/secret') });
  hub.intercept((_, response) => {
    response.writeHead(403).end();
    return true;
  });
  await expect(resolve('hf_wrong')).rejects.toMatchObject({
    type: 'Unauthorized',
    message:
      'hf://datasets/acme/secret: the server answered 403 Forbidden; it does not exist, or the ' +
      'given token may not read it: check the name, and the rights of the token',
  });
  await expect(resolve('secret')).rejects.toMatchObject({
    type: 'InvalidInput',
    message:
      'the given token does not look like a token: expected hf_ and letters, as made at ' +
      'https://huggingface.co/settings/tokens',
  });
});

test('refuses an endpoint that is no URL, and a token that is none', async () => {
  const resolve = (env: Record<string, string>): Promise<unknown> =>
    resolveSource('hf://acme/gpt', 'model', { env });
  await expect(resolve({ HF_ENDPOINT: 'hub.local' })).rejects.toMatchObject({
    type: 'InvalidInput',
    message: 'HF_ENDPOINT is "hub.local": expected a URL, such as https://huggingface.co',
  });
  await expect(resolve({ HF_TOKEN: 'secret' })).rejects.toMatchObject({
    type: 'InvalidInput',
    message:
      'HF_TOKEN does not look like a token: expected hf_ and letters, as made at ' +
      'https://huggingface.co/settings/tokens',
  });
});

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
