import { execFileSync } from 'node:child_process';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { asStep } from '../../activities/custom/custom-run.ts';
import { StepSource } from '../../activities/custom/step-source.ts';
import { artifact, defineStep, Failure, z } from '../../activities/custom/steps.ts';
import type { CustomStep, DatasetRow, DatasetShape } from '../../activities/custom/steps.ts';
import { downloadDataset } from '../../activities/download-dataset.ts';
import { catalog, type AnyStep } from '../../activities/catalog.ts';
import { fingerprint } from '../../activities/fingerprint.ts';
import type { JsonObject, JsonValue } from '../../plan/json.ts';
import { PROJECT_ROOT } from '../../setup/dependencies.mjs';
import { temporaryFolder } from '../setup/folders.ts';
import { KindRunner } from './kind-runner.ts';

async function written(folder: string, files: Readonly<Record<string, string>>): Promise<string> {
  for (const [name, text] of Object.entries(files)) {
    await mkdir(join(folder, name, '..'), { recursive: true });
    await writeFile(join(folder, name), text);
  }
  return folder;
}

const FILES = {
  'steps.ts':
    "import { z } from 'retune/steps';\nimport { help } from './lib/help.js';\nimport list from './lib/words.json';\n" +
    "import pad from 'pad';\nimport { readFile } from 'node:fs/promises';\n" +
    "export default [z, help, list, pad, readFile, () => import('./lib/later.ts')];\n",
  'lib/help.ts': 'export const help = 1;\n',
  'lib/later.ts': 'export const later = 1;\n',
  'lib/words.json': '["a"]',
  'lib/unused.ts': 'export const unused = 1;\n',
  'node_modules/pad/package.json': '{ "name": "pad", "version": "1.0.0" }',
  'node_modules/pad/index.js': 'export default 1;\n',
};

/** The digest of a file with what is changed, in a folder of its own. */
async function digestOf(changed: Readonly<Record<string, string>>): Promise<string> {
  const folder = await written(await temporaryFolder(), { ...FILES, ...changed });
  return new StepSource({ path: join(folder, 'steps.ts'), name: 'steps.ts' }).digest;
}

describe('the digest of a source', () => {
  test.each([
    ['the same files elsewhere', {}, true],
    ['a file that is not imported', { 'lib/unused.ts': 'export const unused = 2;\n' }, true],
    [
      'the code of a package',
      { 'node_modules/pad/index.js': 'export default 2;\n' },
      true, // its version stands for it
    ],
    ['a comment', { 'steps.ts': `// changed\n${FILES['steps.ts']}` }, false],
    ['an imported file', { 'lib/help.ts': 'export const help = 2;\n' }, false],
    ['a file that is imported later', { 'lib/later.ts': 'export const later = 2;\n' }, false],
    ['an imported JSON file', { 'lib/words.json': '["b"]' }, false],
    [
      'the version of a package',
      { 'node_modules/pad/package.json': '{ "name": "pad", "version": "1.0.1" }' },
      false,
    ],
  ])('%s', async (_, changed: Readonly<Record<string, string>>, isSame) => {
    expect((await digestOf(changed)) === (await digestOf({}))).toBe(isSame);
  });

  test('is part of the fingerprint, which is as it was for kinds without one', () => {
    const subset = catalog.find(({ kind }) => kind === 'subset') as AnyStep;
    const parts = { kind: 'subset', version: 1, revision: 2, inputs: { skip: 0 } };
    expect(fingerprint(subset, parts)).toBe(
      'd07a716e8a362ec770a3db7845f93bc4aa81f79304a4744d05385b3002237100',
    );
    const fingerprints = ['a', 'b'].map((source) => fingerprint(subset, { ...parts, source }));
    expect(new Set([fingerprint(subset, parts), ...fingerprints]).size).toBe(3);
  });
});

let kinds: KindRunner;
let source: StepSource;
let messages: JsonValue;

beforeAll(async () => {
  kinds = await KindRunner.open();
  await written(kinds.dataRoot, {
    ...FILES,
    'rows.csv': 'text,label\nHello @you,positive\nno,negative\n',
  });
  source = new StepSource({ path: join(kinds.dataRoot, 'steps.ts'), name: 'steps.ts' });
  const downloaded = await kinds.run(downloadDataset, {
    ...{ source: 'file:rows.csv', text: 'text', label: 'label' },
  });
  messages = downloaded['dataset'] ?? null;
});

const INPUTS = z.strictObject({ dataset: artifact('dataset') });
const OUTPUTS = {
  dataset: artifact('dataset'),
  rows: z.int(),
  facts: z.record(z.string(), z.unknown()).optional(),
};

function run(body: CustomStep<typeof INPUTS, typeof OUTPUTS>['run']): Promise<JsonObject> {
  const step = defineStep({
    ...{ kind: 'try', version: 1, effect: 'pure', role: 'work', summary: 'Tries.' },
    ...{ with: INPUTS, outputs: OUTPUTS, run: body },
  });
  return kinds.run(asStep(step, source), { dataset: messages });
}

test('rows are read, and written so that others read them', async () => {
  const outputs = await run(async (context, inputs) => {
    const dataset = await context.readDataset(inputs.dataset);
    expect(dataset).toMatchObject({ content: 'text', labels: ['negative', 'positive'] });
    const [split = ''] = Object.keys(dataset.splits);
    const rows = [...(await dataset.rows(split))].map((row) => ({ ...row, id: `new-${row.id}` }));
    const written = await context.writeDataset({ [split]: rows, other: rows }, dataset);
    const again = await context.readDataset(written);
    expect(again.splits).toEqual({ [split]: 2, other: 2 });
    expect([...(await again.rows('other'))]).toEqual(rows);
    return { dataset: written, rows: rows.length };
  });
  expect(outputs).toMatchObject({ rows: 2 });
});

test('artifacts of other types are files', async () => {
  await run(async (context, inputs) => {
    const digest = await context.writeArtifact({
      type: 'report',
      files: { 'a/report.json': '{}', 'b.bin': Uint8Array.of(1) },
      metadata: { of: 'try' },
    });
    const { type, files, metadata } = await context.readArtifact(digest);
    expect({ type, metadata }).toEqual({ type: 'report', metadata: { of: 'try' } });
    expect(await readFile(files['a/report.json'] ?? '', 'utf8')).toBe('{}');
    return { dataset: inputs.dataset, rows: 0 };
  });
});

const TEXTS = { content: 'text', labelKind: 'class', labels: ['no', 'yes'] } as const;

test.each<[string, unknown, DatasetShape, string]>([
  ['a text', { id: 'a', text: 7, label: 0 }, TEXTS, "'text' is 7; expected a string"],
  [
    'no label',
    { id: 'a', text: 'b' },
    TEXTS,
    "'label' is missing; expected an integer from 0 to 1",
  ],
  [
    'a class',
    { id: 'a', text: 'b', label: 2 },
    TEXTS,
    "'label' is 2; expected an integer from 0 to 1",
  ],
  [
    'a key',
    { id: 'a', txt: 'b', text: 'b', label: 1 },
    TEXTS,
    "unknown key 'txt'; did you mean 'text'?",
  ],
  ['no row', undefined, TEXTS, 'found undefined; expected an object with id, text, label'],
  [
    'an empty completion',
    { id: 'a', prompt: 'b', completion: '', label: null },
    { content: 'completion', labelKind: null, labels: null },
    "'completion' is '', a string; expected a string that is not empty",
  ],
])('a row that does not fit, by %s', async (_, row, shape, message) => {
  const rows = [row] as DatasetRow[];
  const written = run(async (context) => ({
    dataset: await context.writeDataset({ train: rows }, shape),
    rows: 1,
  }));
  await expect(written).rejects.toMatchObject({
    ...{ type: 'InvalidInput', message: `row 1 of the split "train": ${message}` },
  });
});

const same = { text: 'x' };

function circular(): object {
  const child: Record<string, unknown> = {};
  child['parent'] = { children: [child] };
  return child;
}

test.each<[string, unknown, string]>([
  ['nothing', undefined, 'run returned undefined; expected an object with dataset, rows, facts'],
  ['a list', [1], 'run returned a list of 1; expected an object with dataset, rows, facts'],
  ['another type', { rows: 'many' }, "'rows' is 'many', a string; expected an integer"],
  ['none of it', { rows: undefined }, "'rows' is missing; expected an integer"],
  ['more', { rows: 1, row: 1 }, "unknown key 'row'; did you mean 'rows'?"],
  [
    'a digest',
    { rows: 1, dataset: 'x' },
    "'dataset' is 'x', a string; expected the digest of a dataset artifact, sha256:<64 hex digits>",
  ],
  [
    'no JSON',
    { rows: 1, facts: { at: [new Date(0)] } },
    "'facts.at[0]' is a Date, which JSON cannot hold",
  ],
  ['no number', { rows: 1, facts: { loss: NaN } }, "'facts.loss' is NaN, which JSON cannot hold"],
  [
    'a circle',
    { rows: 1, facts: { tree: [circular()] } },
    "'facts.tree[0].parent.children[0]' holds itself through what it holds, which JSON cannot do",
  ],
  [
    'the same twice, and no number',
    { rows: 1, facts: { a: same, b: same, loss: NaN } },
    "'facts.loss' is NaN, which JSON cannot hold",
  ],
])('outputs that do not fit: %s', async (_, returned, problem) => {
  const isMap = typeof returned === 'object' && !Array.isArray(returned);
  const found = isMap ? { dataset: messages, ...returned } : returned;
  const expected = isMap ? `what run returned does not fit its outputs: ${problem}` : problem;
  await expect(run(() => found as never)).rejects.toMatchObject({
    ...{ type: 'InvalidInput', message: `try@1 (steps.ts): ${expected}` },
  });
});

test.each<[string, () => unknown, object]>([
  ['a failure', () => new Failure('NotFound', 'gone'), { type: 'NotFound', message: 'gone' }],
  ['an error', () => new Error('broken'), { type: 'Internal', message: 'broken (steps.ts)' }],
  ['no message', () => new TypeError(), { message: 'TypeError without a message (steps.ts)' }],
  ['no error', () => 'text', { type: 'Internal', message: 'text (steps.ts)' }],
  [
    'an object',
    () => ({ status: 503, body: { message: 'busy' } }),
    { type: 'Internal', message: "{ status: 503, body: { message: 'busy' } } (steps.ts)" },
  ],
  [
    'an object without a text',
    () => Object.create(null),
    { message: '[Object: null prototype] {} (steps.ts)' },
  ],
  [
    'a circle',
    circular,
    { message: '<ref *1> { parent: { children: [ [Circular *1] ] } } (steps.ts)' },
  ],
  [
    'a full disk',
    () => Object.assign(new Error('no space'), { code: 'ENOSPC' }),
    { type: 'DiskFull' },
  ],
])('what run throws: %s', async (_, thrown, expected) => {
  const failing = run(() => {
    throw thrown();
  });
  await expect(failing).rejects.toMatchObject(expected);
});

test('a file elsewhere is type-checked: inputs and outputs follow from the schemas', async () => {
  const clean = await readFile(join(PROJECT_ROOT, 'pipelines/custom/clean-text.ts'), 'utf8');
  const folder = await written(await temporaryFolder(), {
    'tsconfig.json': JSON.stringify({
      extends: join(PROJECT_ROOT, 'tsconfig.steps.json'),
      include: ['*.ts'],
    }),
    'right.ts': clean,
    'wrong.ts': clean
      .replace('changed: cleaner.changed }', "changed: 'many' }")
      .replace('digest, ...options }', 'digest, datset, ...options }'),
  });
  const tsc = join(PROJECT_ROOT, 'node_modules/.bin/tsc');
  const found = (() => {
    try {
      return execFileSync(tsc, ['-p', folder, '--pretty', 'false'], { encoding: 'utf8' });
    } catch (error) {
      return (error as { stdout: string }).stdout;
    }
  })();
  const errors = found.split('\n').flatMap((line) => {
    const [, file, code] = /([\w-]+\.ts)\(.* error (TS\d+):/.exec(line) ?? [];
    return file === undefined ? [] : [`${file} ${code}`];
  });
  // No such input, and an output of another type.
  expect(errors).toEqual(['wrong.ts TS2322', 'wrong.ts TS2339']);
});
