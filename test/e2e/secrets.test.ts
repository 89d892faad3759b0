import { mkdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { Client, Connection } from '@temporalio/client';
import { beforeAll, expect, test } from 'vitest';
import type { RunState } from '../../plan/plan.ts';
import { PROJECT_ROOT } from '../../setup/dependencies.mjs';
import { readAttempts } from '../../store/ledger.ts';
import { startHubServer, type HubServer, type Interception } from '../servers/hub-server.ts';
import { cleanUp } from '../setup/cleanup.ts';
import { temporaryFolder } from '../setup/folders.ts';
import { retune, startWorker, type ProgramResult, type TestProcess } from '../setup/processes.ts';
import { addFolder, bytesInside, findSecret, type Haystack } from '../setup/secret-search.ts';
import { testSite, type TestSite } from '../setup/temporal.ts';
import { openSiteStore, until } from './observed-run.ts';

/** What needs quoting in JSON, in a URL and in a shell, and has all of base64's digits. */
const TOKEN = 'hf_sEc?ret+/~ "quoted" \\back% >>>';
/** Every form in which a server may give back what it was shown. */
const ECHO = [
  TOKEN,
  JSON.stringify({ token: TOKEN }),
  encodeURIComponent(TOKEN),
  new URLSearchParams({ token: TOKEN }).toString(),
  Buffer.from(TOKEN).toString('base64'),
  Buffer.from(`user:${TOKEN}`).toString('base64url'),
].join(' | ');
const REDACTED = '*** | {"token":"***"} | *** | token=*** | *** | dXNlcj***';
/** A file's name is shown while it is fetched. */
const FILE = `data/train-${Buffer.from(TOKEN).toString('base64url')}.jsonl`;

let site: TestSite;
let hub: HubServer;
let folder: string;
let worker: TestProcess;
let client: Client;
const printed: ProgramResult[] = [];

beforeAll(async () => {
  folder = await temporaryFolder();
  const rows = await readFile(join(PROJECT_ROOT, 'pipelines/data/messages/test.jsonl'));
  const echo = JSON.stringify({ text: `you are ${TOKEN}`, label: 'neutral' });
  hub = await startHubServer(
    [
      { type: 'dataset', name: 'acme/rows', private: true, files: { [FILE]: rows } },
      { type: 'dataset', name: 'acme/echo', private: true, files: { 'train.jsonl': echo } },
    ],
    { token: TOKEN },
  );
  cleanUp(() => hub.close());
  site = await testSite();
  const { address, namespace } = site;
  const connection = await Connection.connect({ address });
  cleanUp(() => connection.close());
  client = new Client({ connection, namespace });
  const env = { HF_ENDPOINT: hub.url, RETUNE_SECRETS_DIR: await mountedSecrets() };
  worker = await startWorker(site, ['--heartbeat', '1'], { env });
});

/** As Kubernetes mounts a secret. */
async function mountedSecrets(): Promise<string> {
  const mount = join(folder, 'mount');
  await mkdir(join(mount, '..2026_01_01'), { recursive: true });
  await writeFile(join(mount, '..2026_01_01', 'HUB_TOKEN'), `${TOKEN}\n`);
  await symlink('..2026_01_01', join(mount, '..data'));
  await symlink('..data/HUB_TOKEN', join(mount, 'HUB_TOKEN'));
  return mount;
}

async function run(id: string, dataset: string, secret = 'HUB_TOKEN'): Promise<RunState> {
  const file = join(folder, `${id}.yaml`);
  const token = `'\${{ secrets.${secret} }}'`;
  await writeFile(
    file,
    `name: secrets
defaults: { retry: { max_attempts: 2, backoff: 1s } }
steps:
  data:
    uses: download-dataset@1
    with: { source: 'hf://datasets/acme/${dataset}', token: ${token}, text: text, label: label }
  few:
    uses: subset@1
    with: { dataset: '\${{ steps.data.outputs.dataset }}', split: train, take: 5 }
outputs: { revision: '\${{ steps.data.outputs.revision }}' }
`,
  );
  const result = await retune(site, ['run', file, '--id', id, '--json']);
  printed.push(result);
  return JSON.parse(result.stdout) as RunState;
}

/** Until the test has ended. */
function intercept(interception: Interception): void {
  hub.intercept(interception);
  cleanUp(async () => hub.intercept(undefined));
}

test('a run that is let in; what it fetches meanwhile has a name without the secret', async () => {
  let release: (() => void) | undefined;
  let isHeld = false;
  intercept(({ url, range }, response) => {
    // Its first byte tells how large a file is.
    if (isHeld || !url.includes('/resolve/') || range === 'bytes=0-0') return false;
    isHeld = true;
    // The first bytes, and the rest when somebody has looked.
    response.writeHead(200, { 'Content-Length': 1_000_000, 'Content-Type': 'text/plain' });
    response.write('{"text": "');
    release = () => void response.destroy();
    return true;
  });
  const running = run('let-in', 'rows');
  const described = await until('a heartbeat with the name of the file', async () => {
    const { raw } = await client.workflow
      .getHandle('let-in')
      .describe()
      .catch(() => ({ raw: undefined }));
    const details = bytesInside(raw?.pendingActivities).toString();
    return details.includes('fetching hf://') ? details : undefined;
  });
  release?.();
  expect(described).toContain('fetching hf://datasets/acme/rows/data/train-***.jsonl');
  expect(findSecret(new Map([['heartbeat', Buffer.from(described)]]), TOKEN)).toEqual([]);
  const { status, steps, outputs } = await running;
  expect({ status, error: steps['data']?.error }).toEqual({ status: 'completed', error: null });
  expect(outputs).toEqual({ revision: hub.head('acme/rows') });
  const shown = new Set(hub.requests.map(({ authorization }) => authorization));
  expect(shown).toEqual(new Set([`Bearer ${TOKEN}`]));
});

test('a new run of it is a hit, and asks upstream with the secret', async () => {
  const before = hub.requests.length;
  const { steps } = await run('again', 'rows');
  expect([steps['data']?.status, steps['few']?.status]).toEqual(['cached', 'cached']);
  expect(hub.requests.slice(before).map(({ authorization }) => authorization)).toEqual([
    `Bearer ${TOKEN}`,
  ]);
});

test.each([
  ['turned-away', 403, 'Unauthorized', 1],
  ['broken', 500, 'SourceUnavailable', 2],
])('%s by a server that gives back what it was shown', async (id, status, type, attempts) => {
  intercept((_, response) => {
    response.writeHead(status, { 'X-Error-Message': ECHO }).end(ECHO);
    return true;
  });
  const { steps } = await run(id, 'rows');
  expect(steps['data']?.error?.type).toBe(type);
  expect(steps['data']?.error?.message).toContain(`(${REDACTED})`);
  const store = await openSiteStore(site);
  const kept = await readAttempts(store, { workflowId: id });
  expect(kept.map(({ failure }) => failure?.message.includes(REDACTED))).toEqual(
    Array.from({ length: attempts }, () => true),
  );
});

test('rows that hold the secret are not stored', async () => {
  const { steps } = await run('echo', 'echo');
  expect(steps['data']?.error?.type).toBe('InvalidInput');
  expect(steps['data']?.error?.message).toMatch(
    /^its file \S+ holds the value of secret 'HUB_TOKEN', and nothing is kept that does: take it out of what the step reads, or use another secret$/,
  );
});

test('a secret that is not set fails the run at once', async () => {
  const { steps } = await run('unset', 'rows', 'OTHER_TOKEN');
  expect(steps['data']?.error).toEqual({
    type: 'InvalidInput',
    message:
      "secret 'OTHER_TOKEN' is not set: found neither the environment variable " +
      `RETUNE_SECRET_OTHER_TOKEN nor the file ${folder}/mount/OTHER_TOKEN; set one of them for the ` +
      `worker on ${hostname()}, and submit again`,
  });
});

test('the secret is nowhere: histories, store, logs, and what commands print', async () => {
  const haystack: Haystack = new Map();
  for await (const { workflowId } of client.workflow.list()) {
    const handle = client.workflow.getHandle(workflowId);
    haystack.set(`history of ${workflowId}`, bytesInside(await handle.fetchHistory()));
    haystack.set(`description of ${workflowId}`, bytesInside((await handle.describe()).raw));
    printed.push(await retune(site, ['show', workflowId, '--json']));
  }
  await addFolder(haystack, site.home);
  printed.forEach(({ stdout, stderr }, index) => {
    haystack.set(`command ${index}`, Buffer.from(stdout + stderr));
  });
  haystack.set('worker', Buffer.from(worker.stdout + worker.stderr));

  expect(findSecret(haystack, TOKEN)).toEqual([]);

  // What was searched is what there was: the runs, and what stands in the secret's place.
  const holding = (text: string): readonly string[] =>
    [...haystack].filter(([, bytes]) => bytes.includes(text)).map(([where]) => where);
  expect(holding('secrets.HUB_TOKEN').filter((where) => where.startsWith('history'))).toHaveLength(
    5,
  );
  expect(holding(REDACTED).length).toBeGreaterThan(0);
  expect(holding('***')).toEqual(
    expect.arrayContaining(['worker', 'history of turned-away', 'history of broken']),
  );
  expect(
    [...haystack.keys()].filter((where) => where.startsWith(join(site.home, 'store'))).length,
  ).toBeGreaterThan(20);
});
