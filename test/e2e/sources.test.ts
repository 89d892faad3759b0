import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DuckDBInstance } from '@duckdb/node-api';
import { beforeAll, expect, test } from 'vitest';
import { parse, stringify } from 'yaml';
import type { JsonObject, JsonValue } from '../../plan/json.ts';
import type { RunState } from '../../plan/plan.ts';
import { PROJECT_ROOT } from '../../setup/dependencies.mjs';
import { runJob } from '../../training/process.ts';
import { openSafetensors, writeSafetensors } from '../../training/weights/safetensors-file.ts';
import { startFileServer, type FileServer } from '../servers/file-server.ts';
import type { HubFiles } from '../servers/hub-repository.ts';
import { startHubServer, type HubServer, type Interception } from '../servers/hub-server.ts';
import { cleanUp } from '../setup/cleanup.ts';
import { temporaryFolder } from '../setup/folders.ts';
import { retune, startWorker } from '../setup/processes.ts';
import { testSite, type TestSite } from '../setup/temporal.ts';
import { pipelineFile } from './observed-run.ts';

const DATASET = 'mteb/tweet_sentiment_extraction';
const MODEL = 'openai-community/gpt2';
const MESSAGES = join(PROJECT_ROOT, 'pipelines/data/messages');
const TOKENIZER = join(PROJECT_ROOT, 'pipelines/data/tokenizer/tokenizer.json');

const MAX_ATTEMPTS = 3;

let site: TestSite;
let hub: HubServer;
let web: FileServer;
let folder: string;
/** pipelines/tweet-sentiment.yaml with fewer rows and steps, and shorter waits. */
let tweets: string;

beforeAll(async () => {
  folder = await temporaryFolder();
  hub = await startHubServer([
    { type: 'dataset', name: DATASET, private: true, files: await datasetFiles() },
    { type: 'model', name: MODEL, files: await modelFiles(), lfs: ['model.safetensors'] },
  ]);
  cleanUp(() => hub.close());
  web = await startFileServer();
  cleanUp(() => web.close());
  tweets = await smallTweets();
  site = await testSite();
  await startWorker(site, [], { env: { HF_ENDPOINT: hub.url, HF_TOKEN: hub.token } });
});

/** The bundled messages as the Hub has datasets: parquet by split. */
async function datasetFiles(): Promise<HubFiles> {
  const duckdb = await (await DuckDBInstance.create()).connect();
  const files: Record<string, Uint8Array> = {};
  for (const split of ['train', 'test']) {
    const file = join(folder, `${split}.parquet`);
    await duckdb.run(`COPY (FROM '${MESSAGES}/${split}.jsonl') TO '${file}'`);
    files[`data/${split}-00000-of-00001.parquet`] = await readFile(file);
  }
  return files;
}

/** A small GPT-2 as the Hub has the real one: no head, no prefix `transformer.`, no eos_token. */
async function modelFiles(): Promise<HubFiles> {
  const config = {
    ...{ model_type: 'gpt2', n_layer: 1, n_head: 2, n_embd: 16, n_positions: 128 },
    ...{ vocab_size: 1500, bos_token_id: 0, eos_token_id: 0 },
  };
  const job = { kind: 'initialize', config, seed: 1, directory: folder } as const;
  const made = await openSafetensors((await runJob(job)).modelFiles['model.safetensors']!);
  const tensors = [];
  for (const tensor of made.tensors.filter(({ name }) => name !== 'score.weight')) {
    const values = new Float32Array(tensor.shape.reduce((size, extent) => size * extent, 1));
    await made.read(tensor, values);
    const name = tensor.name.replace(/^transformer\./, '');
    tensors.push({ name, shape: tensor.shape, pieces: [values] });
  }
  await made.close();
  const file = join(folder, 'base.safetensors');
  await writeSafetensors(file, tensors);
  return {
    'config.json': JSON.stringify(config),
    'tokenizer.json': await readFile(TOKENIZER),
    'tokenizer_config.json': '{"model_max_length": 1024}',
    'model.safetensors': await readFile(file),
    'pytorch_model.bin': 'the same weights again',
    'onnx/config.json': '{}',
  };
}

async function smallTweets(): Promise<string> {
  const yaml = await readFile(join(PROJECT_ROOT, 'pipelines/tweet-sentiment.yaml'), 'utf8');
  const pipeline = parse(yaml) as {
    defaults: Record<string, JsonValue>;
    steps: Record<string, { with: Record<string, JsonValue> }>;
  };
  const { validation_rows: validation, test_rows: rows, tune } = pipeline.steps;
  pipeline.defaults['retry'] = { max_attempts: MAX_ATTEMPTS, backoff: '1s' };
  validation!.with['take'] = 20;
  rows!.with['take'] = 40;
  tune!.with['args'] = { ...(tune!.with['args'] as JsonObject), max_steps: 4 };
  const file = join(folder, 'tweets.yaml');
  await writeFile(file, stringify(pipeline));
  return file;
}

interface Ended extends RunState {
  readonly code: number | null;
}

async function run(id: string, file: string, ...params: readonly string[]): Promise<Ended> {
  const args = params.flatMap((param) => ['-p', param]);
  const { code, stdout } = await retune(site, ['run', file, '--id', id, '--json', ...args]);
  return { code, ...(JSON.parse(stdout) as RunState) };
}

function statuses({ steps }: RunState): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(steps).map(([id, { status }]) => [id, status]));
}

/** Answers the first requests for the dataset's revision with `status`, then none. */
function refuse(times: number, status: number, headers: Record<string, string>): () => number {
  let refused = 0;
  const interception: Interception = ({ url }, response) => {
    if (!url.includes(`/${DATASET}/revision/`) || refused === times) return false;
    refused += 1;
    response.writeHead(status, headers).end();
    return true;
  };
  hub.intercept(interception);
  cleanUp(async () => hub.intercept(undefined));
  return () => refused;
}

test('tweet-sentiment.yaml on a dataset and a model of the Hub', async () => {
  const { code, error, steps } = await run('tweets', tweets, 'rows=40');
  expect({ code, error }).toEqual({ code: 0, error: undefined });
  expect(steps['data']?.outputs).toMatchObject({
    rows: 1650,
    labels: ['negative', 'neutral', 'positive'],
    revision: hub.head(DATASET),
  });
  expect(steps['tune']?.status).toBe('completed');
  expect(steps['publish']).toMatchObject({
    status: 'skipped',
    note: "not run: if 'steps.score.outputs.metrics.accuracy >= 0.6' is false",
  });
  const unwanted = hub.requests.filter(({ url }) => /resolve.*(pytorch_model|onnx)/.test(url));
  expect(unwanted).toEqual([]);
  // The token goes to the Hub, and not to the storage that it redirects to.
  const storage = hub.requests.filter(({ host }) => host === 'storage');
  expect(storage.length).toBeGreaterThan(0);
  expect(storage.map(({ authorization }) => authorization)).toEqual(storage.map(() => undefined));
});

test('a new upstream revision runs again what depends on it, and no more', async () => {
  const files = await datasetFiles();
  hub.commit(DATASET, { ...files, 'README.md': 'A word on these messages.\n' });
  const described = statuses(await run('described', tweets, 'rows=40'));
  // Other bytes upstream, the same rows: the download alone runs.
  const { data, publish, ...others } = described;
  expect([data, publish]).toEqual(['completed', 'skipped']);
  expect(new Set(Object.values(others))).toEqual(new Set(['cached']));

  const test_ = files['data/test-00000-of-00001.parquet']!;
  hub.commit(DATASET, { ...files, 'data/train-00000-of-00001.parquet': test_ });
  const changed = statuses(await run('changed', tweets, 'rows=40'));
  expect(changed).toMatchObject({
    data: 'completed',
    base: 'cached',
    train_rows: 'completed',
    tune: 'completed',
    score: 'completed',
  });
});

test.each([
  ['too many requests', 429, { 'Retry-After': '1' }],
  ['a fault of the server', 503, {}],
])('%s: it is tried again, and the run completes', async (id, status, headers) => {
  const refused = refuse(2, status, headers);
  expect((await run(id, tweets, 'rows=40')).code).toBe(0);
  expect(refused()).toBe(2);
});

test.each([
  [
    'a token that may not read it',
    ...([401, {}, 'Unauthorized', 1] as const),
    'the server answered 401 Unauthorized; it does not exist, or HF_TOKEN may not read it: ' +
      'check the name, and the rights of the token',
  ],
  [
    'a dataset that is not there',
    ...([404, { 'X-Error-Code': 'RepoNotFound' }, 'NotFound', 1] as const),
    'the server answered 404 Not Found; check the name at HUB',
  ],
  [
    'a server that stays away',
    ...([500, {}, 'SourceUnavailable', MAX_ATTEMPTS] as const),
    'the server answered 500 Internal Server Error; try again later (3 of 3 attempts)',
  ],
])('%s: the run fails with the remedy', async (id, status, headers, type, requests, answer) => {
  const refused = refuse(Infinity, status, headers);
  const { code, steps } = await run(id, tweets, 'rows=40');
  expect([code, steps['data']?.status, steps['tune']?.status]).toEqual([1, 'failed', 'skipped']);
  const message = `hf://datasets/${DATASET}: ${answer.replace('HUB', hub.url)}`;
  expect(steps['data']?.error).toEqual({ type, message });
  expect(refused()).toBe(requests);
});

test('a file of a web server is fetched again when its ETag changes', async () => {
  const rows = (await readFile(join(MESSAGES, 'train.jsonl'), 'utf8')).trimEnd().split('\n');
  let body = '';
  const serve = (etag: string, lines: readonly string[]): void => {
    body = lines.join('\n');
    web.on('/messages.jsonl', ({ method }, response) => {
      response.writeHead(200, { ETag: `"${etag}"` }).end(method === 'HEAD' ? undefined : body);
    });
  };
  const pipeline = parse(await readFile(pipelineFile('small'), 'utf8')) as {
    steps: Record<string, unknown>;
  };
  const { data, train_rows } = pipeline.steps;
  const file = join(folder, 'web.yaml');
  await writeFile(file, stringify({ ...pipeline, steps: { data, train_rows }, outputs: {} }));
  const source = `source=${web.url}/messages.jsonl`;

  serve('v1', rows.slice(0, 100));
  const first = await run('web', file, source);
  expect(first.steps['data']).toMatchObject({
    status: 'completed',
    outputs: { rows: 100, revision: 'etag:"v1"' },
  });
  expect(statuses(await run('web', file, source))).toEqual({
    data: 'cached',
    train_rows: 'cached',
  });
  serve('v2', rows.slice(0, 120));
  const changed = await run('web', file, source);
  expect(changed.steps['data']).toMatchObject({ status: 'completed', outputs: { rows: 120 } });
  expect(changed.steps['train_rows']?.status).toBe('completed');

  const missing = await run('web', file, `source=${web.url}/massages.jsonl`);
  expect(missing.steps['data']?.error).toEqual({
    type: 'NotFound',
    message: `${web.url}/massages.jsonl: the server answered 404 Not Found; check the URL`,
  });
});
