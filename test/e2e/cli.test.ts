import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { parse, stringify } from 'yaml';
import { freePort, LOOPBACK } from '../../cli/port.ts';
import type { JsonObject } from '../../plan/json.ts';
import { PROJECT_ROOT } from '../../setup/dependencies.mjs';
import { temporaryFolder } from '../setup/folders.ts';
import { retune, startWorker, type TestProcess } from '../setup/processes.ts';
import { testSite, type TestSite } from '../setup/temporal.ts';
import { pipelineFile, until } from './observed-run.ts';

const SMALL = pipelineFile('small');
/** The worker of this file reads from anywhere: an exported model is the next one's base. */
const SOURCES = ['source=pipelines/data/messages', 'tokenizer=pipelines/data/tokenizer'].flatMap(
  (param) => ['-p', param.replace('=', `=file:${PROJECT_ROOT}/`)],
);
const STEPS = [
  ...['data', 'base', 'train_rows', 'test_rows', 'train_tokens', 'test_tokens'],
  ...['tune', 'score', 'publish'],
];

interface RunDocument {
  readonly name: string;
  readonly status: string;
  readonly steps: Readonly<Record<string, StepDocument>>;
  readonly outputs: JsonObject;
}

interface StepDocument {
  readonly status: string;
  readonly attempt: number;
  readonly fingerprint: string | null;
  readonly outputs: JsonObject;
  readonly error: JsonObject | null;
  readonly note?: string;
  readonly live?: JsonObject;
}

let site: TestSite;
let folder: string;
let worker: TestProcess;

beforeAll(async () => {
  site = await testSite();
  folder = await temporaryFolder();
  worker = await startWorker(site, [], { env: { RETUNE_DATA_ROOT: '/' } });
});

/** Runs a command that succeeds. @returns its one document */
async function json<T>(...args: readonly string[]): Promise<T> {
  const { code, stdout, stderr } = await retune(site, [...args, '--json']);
  expect({ args, code, stderr }).toEqual({ args, code: 0, stderr: '' });
  return JSON.parse(stdout) as T;
}

/** Runs a command that succeeds. @returns its lines */
async function lines(...args: readonly string[]): Promise<readonly string[]> {
  const { code, stdout, stderr } = await retune(site, args);
  expect({ args, code, stderr }).toEqual({ args, code: 0, stderr: '' });
  return stdout.trimEnd().split('\n');
}

test('run follows a run in lines where there is no terminal', async () => {
  const printed = await lines('run', SMALL, '--id', 'first', ...SOURCES);
  expect(printed[0]).toBe("submitted as 'first'");
  const ends = printed.filter((line) => line.includes(': completed'));
  expect(ends.map((line) => line.replace(/\d\.\d{4}/g, 'N')).sort()).toEqual(
    [
      '  data: completed: rows 1,650',
      '  base: completed: parameters 28,384',
      '  train_rows: completed: rows 64',
      '  test_rows: completed: rows 32',
      '  train_tokens: completed: tokens 1,010, truncated 0, dropped 0',
      '  test_tokens: completed: tokens 513, truncated 0, dropped 0',
      '  tune: completed: train_loss N, padding_fraction N, eval_loss N, eval_accuracy N, best_step 4, verdict unclear',
      '  score: completed: accuracy N, f1_macro N, f1_weighted N, loss N, majority_baseline N, examples 32',
      '  publish: completed: registered as v1',
      'run first (small): completed',
    ].sort(),
  );
  expect(printed.at(-1)).toBe('run first (small): completed');
});

test('run --json prints the final state and nothing else; -p goes before and after the file', async () => {
  const document = await json<RunDocument & { id: string }>(
    ...['run', '-p', 'learning_rate=2e-3', SMALL, '-p', 'rows=64', '--id', 'second', ...SOURCES],
  );
  expect(Object.keys(document)).toEqual(['id', 'name', 'status', 'steps', 'outputs']);
  expect([document.id, document.name, document.status]).toEqual(['second', 'small', 'completed']);
  expect(document.steps['tune']?.status).toBe('cached');
});

test('show --json has exactly the documented shape', async () => {
  const document = await json<RunDocument>('show', 'first');
  expect(Object.keys(document)).toEqual(['name', 'status', 'steps', 'outputs']);
  expect(document.name).toBe('small');
  expect(document.status).toBe('completed');
  expect(document.outputs['version']).toBe(1);
  expect(Object.keys(document.steps).sort()).toEqual([...STEPS].sort());
  const { publish, ...others } = document.steps;
  const shape = {
    status: 'completed',
    attempt: 1,
    fingerprint: expect.stringMatching(/^[0-9a-f]{64}$/) as string,
    outputs: expect.any(Object) as JsonObject,
    error: null,
  };
  for (const step of Object.values(others)) expect(step).toEqual(shape);
  expect(publish).toEqual({ ...shape, note: 'registered as v1' });
});

test('show prints a table of steps', async () => {
  const printed = await lines('show', 'second');
  expect(printed[0]).toBe(
    'run second (small): completed, 8 of 9 steps from the cache, nothing was trained',
  );
  expect(printed[1]).toMatch(/^step +status +time$/);
  expect(printed[10]).toMatch(
    /^publish +completed +\d+\.\ds +the same model was registered before, as v1$/,
  );
  expect(printed.slice(11, 14)).toEqual([
    '',
    'artifacts:',
    expect.stringMatching(/^  data\.dataset +sha256:[0-9a-f]{16}$/),
  ]);
});

test('list shows the newest run first', async () => {
  const listed = await json<readonly JsonObject[]>('list');
  expect(listed.map(({ id, name, status }) => [id, name, status])).toEqual([
    ['second', 'small', 'completed'],
    ['first', 'small', 'completed'],
  ]);
  const printed = await lines('list');
  expect(printed[0]).toMatch(/^id +pipeline +status +submitted$/);
  expect(printed[1]).toMatch(/^second +small +completed +20\S+Z$/);
});

test('run --detach returns at once; the run is shown live, cancelled, and resumed', async () => {
  const submitted = await json<JsonObject>(
    ...['run', SMALL, '--id', 'long', '-p', 'max_steps=1000000', '--detach', ...SOURCES],
  );
  expect(submitted).toEqual({ id: 'long' });
  const { live, ...tune } = await until('live details', async () => {
    const step = (await json<RunDocument>('show', 'long')).steps['tune'];
    return typeof step?.live?.['eta_seconds'] === 'number' ? step : undefined;
  });
  expect(tune).toMatchObject({ status: 'running', attempt: 1, outputs: {}, error: null });
  expect(live).toMatchObject({
    step: expect.any(Number) as number,
    max_steps: 1_000_000,
    loss: expect.any(Number) as number,
    learning_rate: expect.any(Number) as number,
    tokens_per_second: expect.any(Number) as number,
  });
  expect((await lines('show', 'long')).find((line) => line.startsWith('tune'))).toMatch(
    /^tune +running +\d+\.\ds +step \d+\/1000000, loss \d\.\d+, lr 2\.00e-3, [\d,]+ tokens\/s, .+ left$/,
  );

  const again = await retune(site, ['run', SMALL, '--id', 'long', ...SOURCES]);
  expect([again.code, again.stderr]).toEqual([
    1,
    "error: a run with id 'long' is running already: watch it with 'retune show long', " +
      "stop it with 'retune cancel long', or choose another --id\n",
  ]);

  expect(await lines('cancel', 'long')).toEqual(['run long: cancelled']);
  const cancelled = await json<RunDocument>('show', 'long');
  expect([cancelled.status, cancelled.steps['tune']?.status]).toEqual(['cancelled', 'cancelled']);
  const ended = await retune(site, ['cancel', 'long', '--json']);
  expect([ended.code, JSON.parse(ended.stdout)]).toEqual([
    1,
    { error: { type: 'Error', message: "run 'long' has ended already (cancelled)" } },
  ]);
});

test('resume submits the run again with its own input and params', async () => {
  const document = await json<RunDocument>('resume', 'second');
  expect(document.steps['tune']?.status).toBe('cached');
  expect((await lines('resume', 'first')).at(-1)).toBe(
    'run first (small): completed, 8 of 9 steps from the cache, nothing was trained',
  );
});

test('a run that fails: exit code 1, the message, and how to go on', async () => {
  const args = ['run', SMALL, '--id', 'fails', ...SOURCES, '-p', 'text=txt'];
  const failure =
    `file:${PROJECT_ROOT}/pipelines/data/messages/test.jsonl: it has no column "txt" (text), ` +
    'only "id", "text", "label"; did you mean "text"?';
  const { code, stdout } = await retune(site, args);
  expect(code).toBe(1);
  expect(stdout).toContain(`  data: failed: ${failure}\n`);
  expect(stdout).toContain("  tune: skipped: not run: step 'data' failed\n");
  expect(stdout.trimEnd().split('\n').slice(-4)).toEqual([
    'run fails: failed',
    `step 'data' failed: ${failure}`,
    "'retune resume fails' continues where it stopped, once the cause is mended;",
    "after a change of the file, 'retune run FILE --id fails' does",
  ]);
  const document = JSON.parse((await retune(site, [...args, '--json'])).stdout) as RunDocument;
  expect(document).toMatchObject({
    id: 'fails',
    status: 'failed',
    steps: { data: { status: 'failed', error: { type: 'InvalidInput', message: failure } } },
    error: { type: 'InvalidInput', message: `step 'data' failed: ${failure}` },
  });
  const shown = await retune(site, ['show', 'fails']);
  expect(shown.stdout).toContain(`step 'data' failed (InvalidInput):\n${failure}\n`);
});

describe('what came of a run', () => {
  test('models list', async () => {
    const [small, ...others] = await json<readonly JsonObject[]>('models', 'list');
    expect(others).toEqual([]);
    expect(small).toMatchObject({ name: 'small', aliases: { champion: 1 } });
    const { outputs } = await json<RunDocument>('show', 'first');
    const printed = await lines('models', 'list');
    expect(printed[1]).toMatch(/^small +v1 +champion +sha256:[0-9a-f]{64} +20\S+Z$/);
    expect(printed[1]).toContain(outputs['model'] as string);
  });

  test('predict', async () => {
    const prediction = await json<{ label: string; probabilities: Record<string, number> }>(
      ...['predict', 'small@champion', 'what a lovely day'],
    );
    expect(prediction).toMatchObject({ model: 'small', version: 1 });
    const { label, probabilities } = prediction;
    expect(Object.keys(probabilities).sort()).toEqual(['negative', 'neutral', 'positive']);
    expect(Object.values(probabilities).reduce((sum, p) => sum + p, 0)).toBeCloseTo(1, 6);
    expect(probabilities[label]).toBe(Math.max(...Object.values(probabilities)));
    const printed = await lines('predict', 'small', 'what a lovely day');
    expect(printed[0]).toBe(`${label}  (small v1)`);
    expect(printed[1]).toMatch(new RegExp(`^ +${label} +\\d+\\.\\d %$`));
  });

  test('artifact get: the training history has the names that Hugging Face gives it', async () => {
    const { outputs } = await json<RunDocument>('show', 'first');
    const to = join(folder, 'history');
    await json('artifact', 'get', outputs['history'] as string, '--to', to);
    const text = await readFile(join(to, 'history.jsonl'), 'utf8');
    const rows = text
      .trimEnd()
      .split('\n')
      .map((line) => Object.keys(JSON.parse(line) as JsonObject));
    const logged = [
      ...['step', 'epoch', 'loss', 'learning_rate', 'grad_norm', 'tokens_per_second'],
      'padding',
    ];
    expect(rows).toEqual([logged, logged, ['step', 'epoch', 'eval_loss', 'eval_accuracy']]);
  });

  test('artifact get: the model is a Hugging Face folder, which scores as the model did', async () => {
    const { outputs, steps } = await json<RunDocument>('show', 'first');
    const digest = outputs['model'] as string;
    const to = join(folder, 'model');
    // The first digits do, relative to where `npm run` was called.
    const { stdout } = await retune(
      site,
      ['artifact', 'get', digest.slice(7, 19), '--to', 'model', '--json'],
      { env: { INIT_CWD: folder } },
    );
    expect(JSON.parse(stdout)).toMatchObject({ digest, type: 'model', directory: to });
    expect((await readdir(to)).sort()).toEqual([
      ...['config.json', 'model.safetensors', 'tokenizer.json', 'tokenizer_config.json'],
    ]);

    const pipeline = parse(await readFile(SMALL, 'utf8')) as {
      steps: Record<string, { with: JsonObject }>;
      outputs: JsonObject;
    };
    const { data, test_rows, test_tokens, score } = pipeline.steps;
    const base = { ...pipeline.steps['base'], with: { source: `file:${to}` } };
    score!.with = { ...score!.with, model: '${{ steps.base.outputs.model }}' };
    const file = join(folder, 'score-again.yaml');
    await writeFile(
      file,
      stringify({
        ...pipeline,
        steps: { data, base, test_rows, test_tokens, score },
        outputs: { metrics: '${{ steps.score.outputs.metrics }}' },
      }),
    );
    const again = await json<RunDocument>('run', file, ...SOURCES);
    expect(again.outputs['metrics']).toEqual(steps['score']?.outputs['metrics']);
  });

  test.each([
    [
      ['artifact', 'get', 'deadbeef', '--to', 'nowhere'],
      'NotFound',
      'no artifact in the store STORE begins with "deadbeef": `retune show ID` prints the digests of a run',
    ],
    [
      ['predict', 'smal', 'hello'],
      'NotFound',
      'no model named "smal" is registered (did you mean "small"?); registered: small',
    ],
    [['predict', 'small', ''], 'Error', 'the text is empty: give some words to classify'],
  ])('%j is refused', async (args, type, message) => {
    const { code, stdout, stderr } = await retune(site, [...args, '--json']);
    const said = message.replace('STORE', `file:${site.home}/store`);
    expect([code, JSON.parse(stdout), stderr]).toEqual([
      1,
      { error: { type, message: said } },
      `error: ${said}\n`,
    ]);
  });
});

describe('commands on a run that is not there', () => {
  test.each([[['show']], [['resume']], [['cancel']]])('%j', async ([command]) => {
    const { code, stderr } = await retune(site, [command!, 'nobody']);
    expect([code, stderr]).toEqual([
      1,
      "error: no run 'nobody': 'retune list' shows the runs there are\n",
    ]);
  });
});

test('without a server every command that needs one says so, and what to do', async () => {
  const address = `${LOOPBACK}:${await freePort()}`;
  const commands = [
    ['run', SMALL],
    ['show', 'first'],
    ['list'],
    ['resume', 'first'],
    ['cancel', 'first'],
  ];
  const answers = await Promise.all(
    commands.map((args) =>
      retune(site, [...args, '--json'], { env: { TEMPORAL_ADDRESS: address } }),
    ),
  );
  for (const { code, stdout, stderr } of answers) {
    expect(code).toBe(1);
    const { error } = JSON.parse(stdout) as { error: { message: string } };
    expect(error.message).toMatch(
      new RegExp(
        `^no Temporal server answers at ${address} \\(.+\\): ` +
          `start one with 'npm run dev', or set TEMPORAL_ADDRESS to yours$`,
      ),
    );
    expect(stderr).toBe(`error: ${error.message}\n`);
  }
});

test('without a worker a run is shown as it was last recorded', async () => {
  await json('run', SMALL, '--id', 'left', '-p', 'max_steps=900000', '--detach', ...SOURCES);
  await until('training', async () => {
    const step = (await json<RunDocument>('show', 'left')).steps['tune'];
    return typeof step?.live?.['loss'] === 'number' ? true : undefined;
  });
  await worker.end('SIGKILL');
  const [ended, open] = await Promise.all([
    json<RunDocument>('show', 'first'),
    json<RunDocument>('show', 'left'),
  ]);
  expect([ended.status, Object.keys(ended.steps).length]).toEqual(['completed', STEPS.length]);
  expect(open).toMatchObject({
    name: 'small',
    status: 'running',
    steps: { data: { status: 'cached' }, tune: { status: 'running', attempt: 1 } },
  });
});
