import { cp, mkdir, readdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { parse, stringify } from 'yaml';
import type { JsonValue } from '../../plan/json.ts';
import type { RunState } from '../../plan/plan.ts';
import { PROJECT_ROOT } from '../../setup/dependencies.mjs';
import { temporaryFolder } from '../setup/folders.ts';
import { retune, startWorker } from '../setup/processes.ts';
import { testSite, type TestSite } from '../setup/temporal.ts';
import { openSiteStore, pipelineFile } from './observed-run.ts';
import { bytesOf, PIPELINE, temporal } from './temporal-cli.ts';

const SMALL = pipelineFile('small');

let site: TestSite;
/** $RETUNE_DATA_ROOT of the worker. */
let root: string;

const TRAIN_ROWS = 80;
const LABELLED = Array.from({ length: 120 }, (_, row) => {
  const label = ['bad', 'fine', 'good'][row % 3];
  return JSON.stringify({ id: `r${row}`, text: `message number ${row} is ${label}`, label });
});
const GPT2 = {
  ...{ model_type: 'gpt2', architectures: ['GPT2ForSequenceClassification'] },
  ...{ n_layer: 1, n_head: 2, n_embd: 16, n_positions: 64, vocab_size: 1500, num_labels: 3 },
};

const FILES: Readonly<Record<string, string | Uint8Array>> = {
  'rows/train.jsonl': LABELLED.slice(0, TRAIN_ROWS).join('\n'),
  'rows/test.jsonl': LABELLED.slice(TRAIN_ROWS).join('\n'),
  'strange/test.jsonl': LABELLED.slice(TRAIN_ROWS).join('\n').replace('"good"', '"grand"'),
  'empty/train.jsonl': '',
  'empty/test.jsonl': '',
  'header.csv': 'id,text,label\n',
  'garbage.csv': Uint8Array.from({ length: 3000 }, (_, at) => (at * 7919) % 251),
  'new-config/model.safetensors': '',
  'llama/model.safetensors': '',
  'no-weights/config.json': JSON.stringify(GPT2),
  'new-config/config.json': JSON.stringify({ ...GPT2, activation_function: 'swiglu' }),
  'llama/config.json': JSON.stringify({ model_type: 'llama' }),
};

beforeAll(async () => {
  site = await testSite();
  root = join(await temporaryFolder(), 'data');
  await cp(join(PROJECT_ROOT, 'pipelines/data/tokenizer'), join(root, 'tokenizer'), {
    recursive: true,
  });
  for (const [path, content] of Object.entries(FILES)) {
    await mkdir(join(root, path, '..'), { recursive: true });
    await writeFile(join(root, path), content);
  }
  await startWorker(site, [], { env: { RETUNE_DATA_ROOT: root } });
});

/** Paths below a folder, with `/`. */
async function paths(folder: string): Promise<readonly string[]> {
  return (await readdir(folder, { recursive: true, withFileTypes: true }))
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1))
    .sort();
}

/** Runs a pipeline that fails in one step, and looks at what that left behind. */
async function failed(
  id: string,
  file: string,
  params: readonly string[] = [],
): Promise<{ error: unknown; step: string }> {
  const args = params.flatMap((param) => ['-p', param]);
  const { code, stdout } = await retune(site, ['run', file, '--id', id, '--json', ...args]);
  expect(code).toBe(1);
  const { status, steps } = JSON.parse(stdout) as RunState;
  expect(status).toBe('failed');
  const [failure, ...more] = Object.entries(steps).filter(([, step]) => step.status === 'failed');
  expect(more).toEqual([]);
  const [step, { error, fingerprint }] = failure!;
  const store = await openSiteStore(site);
  if (fingerprint != null) expect(await store.getRef(`cache/${fingerprint}`)).toBeUndefined();
  expect(await paths(join(site.home, 'store', 'tmp'))).toEqual([]);
  expect(await paths(join(site.home, 'work'))).toEqual([]);
  // What is in the store is whole: every artifact's producer is a cached step.
  for (const ref of await store.listRefs('producers')) {
    const entry = (await store.getRef(ref))?.value as { fingerprint: string };
    expect(await store.getRef(`cache/${entry.fingerprint}`)).toBeDefined();
  }
  return { error, step };
}

const TOKENIZER = 'tokenizer=file:tokenizer';
const ROWS = 'source=file:rows';

describe('a source of data', () => {
  test.each([
    [
      'missing',
      'source=file:row',
      'NotFound',
      '"file:row" does not exist below the data root ROOT; did you mean "file:rows"?',
    ],
    [
      'without the column',
      'text=txt',
      'InvalidInput',
      'file:rows/test.jsonl: it has no column "txt" (text), only "id", "text", "label"; did you mean "text"?',
    ],
    [
      'empty',
      'source=file:empty',
      'InvalidInput',
      'file:empty/test.jsonl: the file is empty: put rows into it, or name another one',
    ],
    [
      'only a header',
      'source=file:header.csv',
      'InvalidInput',
      'file:header.csv: the split "train" has no rows: the file holds none; put some into it, or name another one',
    ],
    [
      'binary garbage',
      'source=file:garbage.csv',
      'InvalidInput',
      'file:garbage.csv: it holds binary data, not text: check that it is the right file',
    ],
    [
      'outside the data root',
      'source=file:../../etc/passwd',
      'InvalidInput',
      '"file:../../etc/passwd" leads outside the data root ROOT: move the data below it, or ' +
        'start the worker with RETUNE_DATA_ROOT set to a folder that holds both',
    ],
    [
      'of no known scheme',
      'source=ftp://host/rows.csv',
      'InvalidInput',
      'cannot read from "ftp://host/rows.csv": expected file:PATH, https://URL or hf://datasets/OWNER/NAME',
    ],
    [
      'without a scheme',
      'source=rows',
      'InvalidInput',
      'cannot read from "rows": it has no scheme: write file:rows for a path; ' +
        'expected file:PATH, https://URL or hf://datasets/OWNER/NAME',
    ],
  ])('%s', async (id, param, type, message) => {
    expect(await failed(id, SMALL, [ROWS, TOKENIZER, param])).toEqual({
      step: 'data',
      error: { type, message: message.replace('ROOT', root) },
    });
  });
});

type Steps = Record<string, { with: Record<string, JsonValue> }>;

/** The pipeline of small.yaml with other steps. */
async function changed(name: string, change: (steps: Steps) => void): Promise<string> {
  const pipeline = parse(await readFile(SMALL, 'utf8')) as { steps: Steps };
  change(pipeline.steps);
  const file = join(root, `${name}.yaml`);
  await writeFile(file, stringify(pipeline));
  return file;
}

describe('a model folder', () => {
  test.each([
    [
      'missing',
      'file:nowhere',
      'NotFound',
      '"file:nowhere" does not exist below the data root ROOT: put it there, or start the worker ' +
        'with RETUNE_DATA_ROOT set to the folder it is in',
    ],
    [
      'without weights',
      'file:no-weights',
      'NotFound',
      '"file:no-weights": the model has no weights: expected model.safetensors or ' +
        'model.safetensors.index.json, found config.json; download the model again, with its weights',
    ],
    [
      'with a setting that is not built',
      'file:new-config',
      'InvalidInput',
      '"file:new-config": config.json: activation_function "swiglu" is not supported: expected one of ' +
        '"gelu_new"|"gelu_pytorch_tanh"|"gelu"|"relu"; use a model that has one of these',
    ],
    [
      'of another architecture',
      'file:llama',
      'InvalidInput',
      '"file:llama": config.json: model_type "llama" cannot be trained; expected one of gpt2, bert, distilbert, roberta',
    ],
  ])('%s', async (id, source, type, message) => {
    const file = await changed(id, ({ base }) => {
      base!.with = { source, tokenizer: 'file:tokenizer' };
    });
    expect(await failed(id, file, [ROWS])).toEqual({
      step: 'base',
      error: { type, message: message.replace('ROOT', root) },
    });
  });
});

test('a label at evaluation that the model was not trained on', async () => {
  const file = await changed('strange', (steps) => {
    const { data, test_rows: rows, tune } = steps;
    steps['other'] = { ...data, with: { ...data!.with, source: 'file:strange' } };
    rows!.with['dataset'] = '${{ steps.other.outputs.dataset }}';
    delete tune!.with['eval_dataset'];
  });
  expect(await failed('strange', file, [ROWS, TOKENIZER])).toEqual({
    step: 'score',
    error: {
      type: 'InvalidInput',
      message:
        "row r80 has the label 'grand', which the model does not know (it knows bad, fine, good): " +
        'evaluate on rows with the labels it was trained on, or name its classes by id2label in ' +
        "download-model's `config`",
    },
  });
});

test('a store that is gone: the run fails with that, whoever reads of it', async () => {
  const own = await testSite();
  await startWorker(own);
  const store = join(own.home, 'store');
  await rename(store, `${store}-elsewhere`);
  const started = ['workflow', 'execute', ...PIPELINE, '--workflow-id', 'gone', ...bytesOf(SMALL)];
  const { stdout, stderr } = await temporal(own, started);
  const said = `${stdout}${stderr}`;
  expect(said).toContain(
    `the store ${store} is gone (ENOENT): bring its folder back, or set RETUNE_STORE to another ` +
      'and start all workers again',
  );
  expect(said).not.toMatch(/no record|StackTrace|\bat /);
});

test('no worker on a queue: nothing is submitted, and the command that starts one', async () => {
  const args = ['run', SMALL, '--id', 'lonely', '-p', 'device=gpu'];
  const { code, stderr } = await retune(site, args);
  expect([code, stderr]).toEqual([
    1,
    'error: no worker on retune-train-gpu: nothing was submitted; start a worker, then try again:\n' +
      '  npm run worker -- --roles train --labels gpu\n' +
      'or submit without waiting: --detach\n',
  ]);
  expect((await retune(site, ['show', 'lonely'])).code).toBe(1);
});
