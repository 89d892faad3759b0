import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import type { JsonObject } from '../../plan/json.ts';
import type { RunState } from '../../plan/plan.ts';
import { temporaryFolder } from '../setup/folders.ts';
import { retune, startWorker } from '../setup/processes.ts';
import { testSite, type TestSite } from '../setup/temporal.ts';
import { ObservedRun, pipelineFile, until } from './observed-run.ts';
import { bytesOf, PIPELINE, temporal, temporalJson } from './temporal-cli.ts';

const SMALL = pipelineFile('small');
const STEPS = [
  ...['data', 'base', 'train_rows', 'test_rows', 'train_tokens', 'test_tokens'],
  ...['tune', 'score', 'publish'],
];

let site: TestSite;
let folder: string;
/** Of the run that is submitted first, as bytes. */
let outputs: JsonObject;

beforeAll(async () => {
  site = await testSite();
  folder = await temporaryFolder();
  await startWorker(site);
  const { code, stderr } = await start('bytes', bytesOf(SMALL));
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  outputs = (await resultOf('bytes')).outputs;
  // Now, for it waits while the other tests run.
  await startWith('waiting', { device: 'gpu', max_steps: 3 });
});

function start(id: string, input: readonly string[]): ReturnType<typeof temporal> {
  return temporal(site, ['workflow', 'start', ...PIPELINE, '--workflow-id', id, ...input]);
}

async function startWith(id: string, params: JsonObject): ReturnType<typeof temporal> {
  const file = await written(`${id}.json`, { params });
  const meta = ['--input-meta', 'encoding=binary/plain'];
  return start(id, ['--input-file', SMALL, '--input-file', file, ...meta]);
}

interface PipelineResult {
  readonly name: string;
  readonly status: string;
  readonly outputs: JsonObject;
}

/** Waits for the end of a run that completes. */
async function resultOf(id: string): Promise<PipelineResult> {
  const { result } = (await temporalJson(site, ['workflow', 'result', '--workflow-id', id])) as {
    result: PipelineResult;
  };
  return result;
}

/** Waits for the end of a run that fails. @returns its failure as the Temporal CLI prints it as JSON */
async function failureOf(id: string): Promise<JsonObject> {
  const args = ['workflow', 'result', '--workflow-id', id, '-o', 'json'];
  const { code, stdout } = await temporal(site, args);
  expect(code).toBe(1);
  const { closeEvent } = JSON.parse(stdout) as {
    closeEvent: { workflowExecutionFailedEventAttributes: { failure: JsonObject } };
  };
  return closeEvent.workflowExecutionFailedEventAttributes.failure;
}

async function written(name: string, content: unknown): Promise<string> {
  const file = join(folder, name);
  await writeFile(file, typeof content === 'string' ? content : JSON.stringify(content));
  return file;
}

async function showJson(id: string): Promise<RunState> {
  const { stdout } = await retune(site, ['show', id, '--json']);
  return JSON.parse(stdout) as RunState;
}

test('bytes of YAML', async () => {
  expect(await resultOf('bytes')).toEqual({
    name: 'small',
    status: 'completed',
    outputs: {
      model: expect.stringMatching(/^sha256:[0-9a-f]{64}$/) as string,
      history: expect.stringMatching(/^sha256:[0-9a-f]{64}$/) as string,
      version: 1,
    },
  });
});

test('the query `state` and the current details say how each step went', async () => {
  const query = ['workflow', 'query', '--workflow-id', 'bytes', '--type', 'state'];
  const { queryResult } = (await temporalJson(site, query)) as { queryResult: RunState[] };
  const [state] = queryResult;
  expect(state).toMatchObject({ name: 'small', status: 'completed', outputs });
  const steps = Object.entries(state!.steps);
  const went = steps.map(([id, { status, attempt }]) => [id, `${status} at attempt ${attempt}`]);
  expect(Object.fromEntries(went)).toEqual(
    Object.fromEntries(STEPS.map((id) => [id, 'completed at attempt 1'])),
  );
  const { stdout } = await temporal(site, ['workflow', 'metadata', '--workflow-id', 'bytes']);
  const details = stdout
    .slice(stdout.indexOf('**'))
    .replaceAll(/\d+\.\d s/g, 'N s')
    .replaceAll(/\d\.\d{3,}|best_step \d/g, (number) => number.replace(/[\d.]+$/, 'N'))
    .trimEnd();
  expect(details).toBe(
    [
      '**small**: completed',
      '',
      '| step | status | time | |',
      '| --- | --- | --- | --- |',
      '| data | completed | N s | rows 1650 |',
      '| base | completed | N s | parameters 28384 |',
      '| train_rows | completed | N s | rows 64 |',
      '| test_rows | completed | N s | rows 32 |',
      '| train_tokens | completed | N s | tokens 1010, truncated 0, dropped 0 |',
      '| test_tokens | completed | N s | tokens 513, truncated 0, dropped 0 |',
      '| tune | completed | N s | best_step N, train_loss N, padding_fraction N, eval_loss N, eval_accuracy N |',
      '| score | completed | N s | accuracy N, f1_macro N, f1_weighted N, loss N, majority_baseline N, examples 32 |',
      '| publish | completed | N s | registered as v1, version 1 |',
    ].join('\n'),
  );
});

describe('the same pipeline in another form is the same run, from the cache', () => {
  const forms: readonly [string, (yaml: string) => Promise<readonly string[]>][] = [
    ['a JSON string', async (yaml) => ['--input', JSON.stringify(yaml)]],
    [
      'a file of a JSON string',
      async (yaml) => ['--input-file', await written('s.json', JSON.stringify(yaml))],
    ],
    ['a JSON object', async (yaml) => ['--input-file', await written('o.json', parse(yaml))]],
  ];
  test.each(forms)('%s', async (form, inputOf) => {
    await start(form, await inputOf(await readFile(SMALL, 'utf8')));
    expect((await resultOf(form)).outputs).toEqual(outputs);
    expect((await showJson(form)).steps['tune']?.status).toBe('cached');
  });
});

describe('a second file overrides params', () => {
  const options = { params: { max_steps: 2 } };
  test.each([
    ['one meta for both', ['encoding=binary/plain']],
    ['a meta for each', ['encoding=binary/plain', 'encoding=json/plain']],
  ])('%s', async (id, metas) => {
    const file = await written('options.json', options);
    const meta = metas.flatMap((text) => ['--input-meta', text]);
    await start(id, ['--input-file', SMALL, '--input-file', file, ...meta]);
    expect((await resultOf(id)).status).toBe('completed');
    const { steps } = await showJson(id);
    expect(steps['tune']?.outputs?.['best_step']).toBe(2);
    expect(steps['train_tokens']?.status).toBe('cached');
  });
});

describe('options that are wrong fail the run at once', () => {
  test.each([
    ['{"param": {}}', "unknown option 'param'; did you mean 'params'?"],
    [
      '{"params": [1]}',
      'option \'params\' is a list of 1; expected a map of params, such as {"rows": 500}',
    ],
    ['params: {}', 'the options are not JSON; expected {"params": {...}}'],
    [
      '{"params": {"max_step": 2, "rows": "many"}, "source_name": "small.yaml"}',
      [
        "small.yaml:1:1: unknown param 'max_step' was given; did you mean 'max_steps'? [param-value]",
        "# The quickstart in miniature: all of a pipeline's kinds, seconds of work.",
        '^',
        "small.yaml:7:3: param 'rows' was given as 'many', a string; expected an integer of at least 8 [param-value]",
        '  rows: { type: integer, default: 64, minimum: 8 }',
        '  ^~~~',
      ].join('\n'),
    ],
    [
      '{"from": "train", "source_name": "small.yaml"}',
      `option 'from' names the unknown step 'train'; expected one of ${STEPS.join(', ')}`,
    ],
  ])('%s', async (text, message) => {
    const file = await written('wrong.json', text);
    await start(text, [
      '--input-file',
      SMALL,
      '--input-file',
      file,
      '--input-meta',
      'encoding=binary/plain',
    ]);
    expect(await failureOf(text)).toEqual({
      message,
      source: 'TypeScriptSDK',
      applicationFailureInfo: { type: 'InvalidInput', nonRetryable: true },
    });
    // Resumed, it is the same submission, and refused again.
    await retune(site, ['resume', text, '--json']);
    expect(await failureOf(text)).toMatchObject({ message });
  });
});

test('a file that does not compile fails the run at once, with every diagnostic', async () => {
  const yaml = await readFile(SMALL, 'utf8');
  const broken = yaml
    .replace('uses: subset@1', 'uses: subst@1')
    .replace('steps.train_tokens.outputs', 'steps.train_token.outputs')
    .replace('seed: 42', 'sed: 42');
  await start('broken', bytesOf(await written('broken.yaml', broken)));
  const { message } = await failureOf('broken');
  expect(message).toBe(
    [
      "pipeline.yaml:31:7: unknown input 'sed' of download-model@1; did you mean 'seed'? [unknown-key]",
      '      sed: 42',
      '      ^~~',
      "pipeline.yaml:33:11: unknown step kind 'subst@1'; did you mean 'subset@1'? expected one of " +
        'download-dataset@1, download-model@1, subset@1, tokenize@1, train@1, evaluate@1, select@1, register@1, approve@1, notify@1, ' +
        'or a kind of your own, by --steps FILE [uses]',
      '    uses: subst@1',
      '          ^~~~~~~',
      "pipeline.yaml:62:32: unknown step 'train_token'; did you mean 'train_tokens'? [reference]",
      '      train_dataset: ${{ steps.train_token.outputs.dataset }}',
      ' '.repeat(31) + '^~~~~~~~~~~',
    ].join('\n'),
  );
  const history = (await temporalJson(site, ['workflow', 'show', '--workflow-id', 'broken'])) as {
    events: { eventType: string }[];
  };
  expect(history.events.map(({ eventType }) => eventType)).not.toContain(
    'EVENT_TYPE_ACTIVITY_TASK_SCHEDULED',
  );
  expect(await showJson('broken')).toEqual({
    name: '',
    status: 'failed',
    steps: {},
    outputs: {},
    error: { type: 'InvalidInput', message },
  });
});

test('`temporal workflow cancel` leaves a checkpoint, from which a resumption continues', async () => {
  await startWith('cancelled', { max_steps: 1_000_000 });
  const run = await ObservedRun.open(site, 'cancelled');
  const isTraining = (attempt: { firstOptimizerStep?: object }): boolean =>
    attempt.firstOptimizerStep !== undefined;
  const attempt = await run.untilAttempt('tune', 0, 'training', isTraining);
  await temporal(site, ['workflow', 'cancel', '--workflow-id', 'cancelled']);
  expect((await run.ended()).status).toBe('cancelled');

  const description = await temporal(site, ['workflow', 'describe', '--workflow-id', 'cancelled']);
  expect(description.stdout).toMatch(/Status +CANCELED/);
  const { status, steps } = await showJson('cancelled');
  expect([status, steps['tune']?.status, steps['score']?.status, steps['publish']?.status]).toEqual(
    [...Array(4).fill('cancelled')],
  );
  const [checkpoint] = await run.checkpointSteps(attempt);
  expect(checkpoint).toBeGreaterThanOrEqual(1);

  await retune(site, ['resume', 'cancelled', '--detach']);
  const resumed = await run.untilAttempt('tune', 1, 'training', isTraining);
  expect([resumed.resumedFromStep, resumed.firstOptimizerStep?.step]).toEqual([
    checkpoint,
    checkpoint! + 1,
  ]);
  const { code, stdout } = await retune(site, ['cancel', 'cancelled', '--json']);
  expect([code, (JSON.parse(stdout) as RunState).status]).toEqual([0, 'cancelled']);
});

test('`temporal workflow reset`: what is done is not done again', async () => {
  const reset = ['workflow', 'reset', '--workflow-id', 'bytes', '--reason', 'a look back'];
  for (const type of ['FirstWorkflowTask', 'LastWorkflowTask']) {
    expect((await temporal(site, [...reset, '--type', type])).code).toBe(0);
    expect((await resultOf('bytes')).outputs).toEqual(outputs);
  }
  const run = await ObservedRun.open(site, 'bytes');
  expect((await run.attempts('tune')).length).toBe(1);
});

test('an id names one run: started again while it runs, it is the same run', async () => {
  const description = await temporal(site, ['workflow', 'describe', '--workflow-id', 'waiting']);
  const again = await startWith('waiting', { device: 'cpu' });
  const [first, second] = [description, again].map(
    ({ stdout }) => /RunId +(\S+)/.exec(stdout)?.[1],
  );
  expect([again.code, second]).toEqual([0, first]);
});

test('a step whose queue has no worker says so after 30 s, and how to start one', async () => {
  const { steps, status } = await until('a note on waiting', async () => {
    const state = await showJson('waiting');
    return state.steps['tune']?.note === undefined ? undefined : state;
  });
  const note =
    'waiting: no worker on retune-train-gpu (start one: npm run worker -- --roles train --labels gpu)';
  expect([status, steps['tune']?.status, steps['tune']?.note]).toEqual([
    'running',
    'running',
    note,
  ]);
  expect((await retune(site, ['show', 'waiting'])).stdout).toContain(note);
  expect((await retune(site, ['cancel', 'waiting'])).stdout).toBe('run waiting: cancelled\n');
});
