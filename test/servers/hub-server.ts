import { createServer } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { addCommit, entriesOf, sha1, sha256, stored } from './hub-repository.ts';
import type { HubFiles, HubRepository, RepositoryState } from './hub-repository.ts';

export interface HubRequest {
  readonly method: string;
  /** Path and query. */
  readonly url: string;
  readonly authorization: string | undefined;
  readonly range: string | undefined;
  /** Which of the two servers was asked. */
  readonly host: 'hub' | 'storage';
}

/** Answers a request in place of the server, when it returns true. */
export type Interception = (request: HubRequest, response: ServerResponse) => boolean;

export interface HubServer {
  /** For HF_ENDPOINT. */
  readonly url: string;
  /** The one token that may read private and gated repositories. */
  readonly token: string;
  /** All requests so far. */
  readonly requests: readonly HubRequest[];
  /** Puts a new commit with exactly these files on a branch (default `main`). @returns its sha */
  commit(repository: string, files: HubFiles, branch?: string): string;
  /** The commit that a branch names. */
  head(repository: string, branch?: string): string;
  /** Until the next call. */
  intercept(interception: Interception | undefined): void;
  close(): Promise<void>;
}

const XET_TYPE = 'application/vnd.xet-fileinfo+json';

interface State {
  readonly repositories: Map<string, RepositoryState>;
  readonly requests: HubRequest[];
  readonly token: string;
  readonly pageSize: number;
  interception: Interception | undefined;
  storageUrl: string;
  hubUrl: string;
}

/**
 * A server that speaks the Hugging Face Hub's protocol for reading: commits, file lists in pages,
 * downloads by range, large files by redirect to another host, private and gated repositories.
 */
export async function startHubServer(
  repositories: readonly HubRepository[],
  options: { readonly pageSize?: number; readonly token?: string } = {},
): Promise<HubServer> {
  const state: State = {
    repositories: new Map(),
    requests: [],
    token: options.token ?? 'hf_testtoken',
    pageSize: options.pageSize ?? 1000,
    interception: undefined,
    storageUrl: '',
    hubUrl: '',
  };
  const hub = await listen(state, 'hub', (request, response) => answer(state, request, response));
  const storage = await listen(state, 'storage', (request, response) =>
    answerStorage(state, request, response),
  );
  Object.assign(state, { hubUrl: hub.url, storageUrl: storage.url });
  for (const repository of repositories) {
    const added = { ...repository, commits: new Map(), refs: new Map() };
    state.repositories.set(`${repository.type}s/${repository.name}`, added);
    addCommit(added, repository.files, 'main');
  }
  return {
    url: hub.url,
    token: state.token,
    requests: state.requests,
    commit: (name, files, branch = 'main') => addCommit(named(state, name), files, branch),
    head: (name, branch = 'main') => named(state, name).refs.get(branch) as string,
    intercept: (interception) => {
      state.interception = interception;
    },
    close: async () => {
      await Promise.all([hub.close(), storage.close()]);
    },
  };
}

async function listen(
  state: State,
  host: HubRequest['host'],
  handle: (request: IncomingMessage, response: ServerResponse) => Promise<void> | void,
): Promise<{ url: string; close(): Promise<void> }> {
  const server = createServer((request, response) => {
    const seen = {
      method: request.method ?? '',
      url: request.url ?? '',
      authorization: request.headers.authorization,
      range: request.headers.range,
      host,
    };
    state.requests.push(seen);
    if (state.interception?.(seen, response) === true) return;
    void handle(request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function named(state: State, name: string): RepositoryState {
  for (const repository of state.repositories.values()) {
    if (repository.name === name) return repository;
  }
  throw new Error(`the hub server has no repository ${name}`);
}

const ROUTE =
  /^\/(api\/)?(?:(datasets|models)\/)?([^/]+\/[^/]+)\/(revision|tree|paths-info|resolve)\/([^/]+)(?:\/(.*))?$/;

async function answer(
  state: State,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const url = new URL(request.url ?? '', state.hubUrl);
  const [, api, type, name, action, revision, path] = ROUTE.exec(url.pathname) ?? [];
  const repository = state.repositories.get(`${type ?? 'models'}/${name}`);
  const allowed = request.headers.authorization === `Bearer ${state.token}`;
  if (repository === undefined || (repository.private === true && !allowed)) {
    return request.headers.authorization === undefined
      ? refuse(response, 401, '', 'Invalid username or password.')
      : refuse(response, 404, 'RepoNotFound', 'Repository not found');
  }
  const wanted = decodeURIComponent(revision as string);
  const sha = repository.refs.get(wanted) ?? wanted;
  const files = repository.commits.get(sha);
  if (files === undefined) {
    return refuse(response, 404, 'RevisionNotFound', `Invalid rev id: ${wanted}`);
  }
  const inside = decodeURIComponent(path ?? '');
  if (api !== undefined && action === 'revision') {
    return json(response, {
      _id: sha1([repository.name]).slice(0, 24),
      id: repository.name,
      sha,
      private: repository.private ?? false,
      gated: repository.gated === true ? 'manual' : false,
      downloads: 0,
      likes: 0,
      lastModified: '2026-01-01T00:00:00.000Z',
    });
  }
  if (api !== undefined && action === 'tree')
    return tree(state, repository, files, inside, url, response);
  if (api !== undefined && action === 'paths-info') {
    const { paths } = JSON.parse(await text(request)) as { paths: string[] };
    const entries = [...entriesOf(repository, files)];
    return json(
      response,
      entries.filter((entry) => paths.includes(entry.path)),
    );
  }
  if (repository.gated === true && !allowed) {
    return request.headers.authorization === undefined
      ? refuse(response, 401, 'GatedRepo', `Access to ${name} is restricted.`)
      : refuse(response, 403, 'GatedRepo', `Access to ${name} is restricted.`);
  }
  return resolveFile(state, repository, sha, inside, request, response);
}

function tree(
  state: State,
  repository: RepositoryState,
  files: ReadonlyMap<string, Buffer>,
  folder: string,
  url: URL,
  response: ServerResponse,
): void {
  const prefix = folder === '' ? '' : `${folder}/`;
  const recursive = url.searchParams.get('recursive') === 'true';
  const below = entriesOf(repository, files).filter(
    ({ path }) =>
      path.startsWith(prefix) && (recursive || !path.slice(prefix.length).includes('/')),
  );
  if (below.length === 0 && folder !== '') {
    return refuse(response, 404, 'EntryNotFound', `${folder} does not exist`);
  }
  const from = Number(url.searchParams.get('cursor') ?? 0);
  const next = from + state.pageSize;
  if (next < below.length) {
    url.searchParams.set('cursor', String(next));
    response.setHeader('Link', `<${url.href}>; rel="next"`);
  }
  return json(response, below.slice(from, next));
}

function resolveFile(
  state: State,
  repository: RepositoryState,
  sha: string,
  path: string,
  request: IncomingMessage,
  response: ServerResponse,
): void {
  const content = repository.commits.get(sha)?.get(path);
  if (content === undefined) return refuse(response, 404, 'EntryNotFound', 'Entry not found');
  const { oid, lfs, xetHash } = stored(repository, path, content);
  response.setHeader('X-Repo-Commit', sha);
  if (lfs === undefined) return sendRange(content, `"${oid}"`, request, response);
  response.setHeader('X-Linked-Size', String(lfs.size));
  response.setHeader('X-Linked-ETag', `"${lfs.oid}"`);
  if (xetHash !== undefined && request.headers.accept?.includes(XET_TYPE) === true) {
    // Nothing answers at these addresses: a client must know how to do without them.
    const links = ['xet-auth', 'xet-reconstruction-info'].map(
      (rel) => `<${state.hubUrl}/${rel}/${xetHash}>; rel="${rel}"`,
    );
    response.setHeader('X-Xet-Hash', xetHash);
    response.setHeader('Link', links.join(', '));
    response.writeHead(200, { 'Content-Type': XET_TYPE }).end('{}');
    return;
  }
  const at = `/${repository.type}s/${repository.name}/${sha}/${encodeURIComponent(path)}`;
  response.writeHead(302, { Location: state.storageUrl + at }).end();
}

function answerStorage(state: State, request: IncomingMessage, response: ServerResponse): void {
  const parts = (request.url ?? '').split('/').slice(1).map(decodeURIComponent);
  const repository = state.repositories.get(parts.slice(0, 3).join('/'));
  const content = repository?.commits.get(parts[3] as string)?.get(parts[4] as string);
  // As storage does that is addressed by a signature: two ways to sign in are one too many.
  if (content === undefined || request.headers.authorization !== undefined) {
    response.writeHead(400).end();
    return;
  }
  sendRange(content, `"${sha256(content)}"`, request, response);
}

function sendRange(
  content: Buffer,
  etag: string,
  request: IncomingMessage,
  response: ServerResponse,
): void {
  response.setHeader('ETag', etag);
  const [, from, to] = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? '') ?? [];
  if (from === undefined) {
    response.writeHead(200, { 'Content-Length': content.length }).end(content);
    return;
  }
  const start = Number(from);
  if (start >= content.length) {
    response.writeHead(416, { 'Content-Range': `bytes */${content.length}` }).end();
    return;
  }
  const end = Math.min(to === '' ? content.length : Number(to) + 1, content.length);
  response
    .writeHead(206, {
      'Content-Length': end - start,
      'Content-Range': `bytes ${start}-${end - 1}/${content.length}`,
    })
    .end(content.subarray(start, end));
}

function refuse(response: ServerResponse, status: number, code: string, message: string): void {
  if (code !== '') response.setHeader('X-Error-Code', code);
  response.setHeader('X-Error-Message', message);
  json(response, { error: message }, status);
}

function json(response: ServerResponse, value: unknown, status = 200): void {
  response.writeHead(status, { 'Content-Type': 'application/json' }).end(JSON.stringify(value));
}

async function text(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString();
}
