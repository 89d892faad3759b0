import type { IncomingHttpHeaders } from 'node:http';
import { text } from 'node:stream/consumers';
import { beforeAll, expect, test } from 'vitest';
import { signed } from '../../activities/webhook.ts';
import type { RunState } from '../../plan/plan.ts';
import { readManifest } from '../../store/artifacts.ts';
import type { ArtifactDigest } from '../../store/store.ts';
import { startFileServer } from '../servers/file-server.ts';
import { cleanUp } from '../setup/cleanup.ts';
import { retune, startWorker } from '../setup/processes.ts';
import { testSite, type TestSite } from '../setup/temporal.ts';
import { openSiteStore } from './observed-run.ts';

// Files of pipelines/, as they are, with params that leave seconds of work. quickstart.test.ts has
// the quickstart, sources.test.ts tweet-sentiment.yaml, schedule.test.ts nightly-retrain.yaml.

let site: TestSite;
let quickstart: RunState;

const SECRET = 'the key of a webhook';

beforeAll(async () => {
  site = await testSite();
  await startWorker(site, [], { env: { RETUNE_SECRET_WEBHOOK_SECRET: SECRET } });
  quickstart = await completed('quickstart', 'epochs=1');
});

/** Runs an example to its end, all of whose steps complete. */
async function completed(name: string, ...params: readonly string[]): Promise<RunState> {
  const given = params.flatMap((param) => ['-p', param]);
  const file = `pipelines/${name}.yaml`;
  const { code, stdout, stderr } = await retune(site, [
    'run',
    file,
    '--id',
    name,
    '--json',
    ...given,
  ]);
  expect([code, stderr]).toEqual([0, '']);
  const state = JSON.parse(stdout) as RunState;
  const statuses = Object.values(state.steps).map(({ status }) => status);
  expect(statuses.filter((status) => status !== 'completed' && status !== 'cached')).toEqual([]);
  return state;
}

function metricsOf({ steps }: RunState, step: string): Readonly<Record<string, number>> {
  return steps[step]?.outputs?.['metrics'] as Readonly<Record<string, number>>;
}

test('domain-adaptation.yaml: a language model of plain texts becomes a classifier', async () => {
  const params = ['adapt_epochs=0.5', 'epochs=1', 'rows=64'];
  const state = await completed('domain-adaptation', ...params);
  expect(metricsOf(state, 'score')).toMatchObject({ examples: 330 });
  const { model } = state.steps['tune']?.outputs ?? {};
  const { metadata } = await readManifest(await openSiteStore(site), model as ArtifactDigest);
  expect(metadata).toMatchObject({ architecture: 'GPT2ForSequenceClassification' });
});

test('search.yaml: nine trials begin, and one is trained to its end', async () => {
  const state = await completed('search');
  const { best_trial: best, best_parameters: parameters } = state.steps['tune']?.outputs ?? {};
  expect(state.outputs).toMatchObject({ best_trial: best, parameters });
  const { trials } = state.outputs;
  const { metadata } = await readManifest(await openSiteStore(site), trials as ArtifactDigest);
  expect(metadata).toEqual({
    ...{ metric: 'metrics.eval_loss', goal: 'minimize', sampler: 'random', seed: 7 },
    ...{ trials: 9, best_trial: best },
  });
});

test('transfer.yaml: it starts from the very model that the quickstart registered', async () => {
  const state = await completed('transfer', 'rows=48', 'learning_rate=1.0e-6');
  const { accuracy, loss } = metricsOf(quickstart, 'score');
  expect(metricsOf(state, 'before')).toMatchObject({ accuracy, loss });
  expect(metricsOf(state, 'after')['loss']).not.toBe(loss);
});

test('notify.yaml: a webhook hears how the run went, and can tell who said so', async () => {
  const server = await startFileServer();
  cleanUp(() => server.close());
  const heard: { headers: IncomingHttpHeaders; body: string }[] = [];
  server.on('/', (request, response) => {
    void text(request).then((body) => {
      heard.push({ headers: request.headers, body });
      response.end();
    });
  });
  const state = await completed('notify', `url=${server.url}/`, 'rows=5');
  expect(state.steps['tell']?.outputs).toEqual({ status: 200 });
  const [{ headers, body } = { headers: {}, body: '' }, ...more] = heard;
  expect(more).toEqual([]);
  expect(JSON.parse(body)).toEqual({ run: 'notify', result: 'success', rows: 5 });
  const id = headers['webhook-id'] as string;
  const at = 1000 * Number(headers['webhook-timestamp']);
  expect(headers).toMatchObject(signed({ id, secret: SECRET }, body, at));
});

test('approval.yaml: a model is registered once somebody has said yes', async () => {
  const submitted = ['run', 'pipelines/approval.yaml', '--id', 'approval', '-p', 'rows=48'];
  const asking = await retune(site, submitted);
  expect(asking).toMatchObject({ code: 3, stderr: '' });
  expect(asking.stdout).toMatch(
    /gate asks: register a model of accuracy 0[.]\d+[?]\n {2}'retune approve approval gate', or with --reject\n/,
  );
  const answer = ['approve', 'approval', 'gate', '--by', 'ada', '--follow'];
  const { code, stdout, stderr } = await retune(site, answer);
  expect([code, stderr]).toEqual([0, '']);
  expect(stdout).toContain('publish: completed: registered as v1');
});

test('lora.yaml: adapters in PEFT’s layout lie beside the merged model', async () => {
  const state = await completed('lora', 'base=registry:quickstart@champion', 'rows=64', 'rank=2');
  expect(metricsOf(state, 'score')).toMatchObject({ examples: 330 });
  const { model } = state.steps['tune']?.outputs ?? {};
  const { files } = await readManifest(await openSiteStore(site), model as ArtifactDigest);
  expect(files.map(({ path }) => path)).toEqual(
    expect.arrayContaining(['adapter/adapter_config.json', 'model.safetensors']),
  );
});
