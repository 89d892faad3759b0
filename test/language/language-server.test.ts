import { readdirSync, readFileSync } from 'node:fs';
import { copyFile, mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { schemaReference } from '../../cli/schema-reference.ts';
import { PROJECT_ROOT } from '../../setup/dependencies.mjs';
import { temporaryFolder } from '../setup/folders.ts';
import { type Position, YamlLanguageServer } from '../setup/language-server.ts';
import { runProgram } from '../setup/processes.ts';

const PIPELINES = join(PROJECT_ROOT, 'pipelines');
const MODELINE = '# yaml-language-server: $schema=./pipeline.schema.json\n';

let server: YamlLanguageServer;
let drafts = 0;

beforeAll(async () => {
  server = await YamlLanguageServer.start();
});

/** A file beside the examples that is open in an editor, with the cursor where `|` stands. */
async function draftWithCursor(
  text: string,
): Promise<{ path: string; cursor: Position; errors: readonly string[] }> {
  drafts += 1;
  const path = join(PIPELINES, `draft-${drafts}.yaml`);
  const before = `${MODELINE}${text.slice(0, text.indexOf('|'))}`.split('\n');
  const cursor = { line: before.length - 1, character: before.at(-1)?.length ?? 0 };
  const found = await server.open(path, `${MODELINE}${text.replace('|', '')}`);
  return { path, cursor, errors: found.map(({ message }) => message) };
}

test.each([...examplesIn('.'), ...examplesIn('custom')])(
  'there is nothing to say of %s',
  async (file) => {
    const path = join(PIPELINES, file);
    const text = readFileSync(path, 'utf8');
    expect(await server.open(path, text)).toEqual([]);
    // The schema was read: else there would be nothing to say of this either.
    const misspelt = text.replace(/^steps:$/m, 'stesp:');
    expect(await server.open(`${path}.copy.yaml`, misspelt)).toContainEqual(
      expect.objectContaining({ message: 'Property stesp is not allowed.' }),
    );
  },
);

function examplesIn(folder: string): readonly string[] {
  const files = readdirSync(join(PIPELINES, folder)).filter((file) => file.endsWith('.yaml'));
  return files.map((file) => join(folder, file));
}

const TRAIN = 'name: p\nsteps:\n  tune:\n    uses: train@1\n    with:\n';

test.each([
  [`${TRAIN}      epochs: 3|\n`, 'Property epochs is not allowed.'],
  [`${TRAIN}      args:\n        learning_rte: 1|\n`, 'Property learning_rte is not allowed.'],
  [`${TRAIN}      args:\n        seed: one|\n`, 'expected an integer, or an expression in ${{ }}'],
  [
    `${TRAIN}      model: base|\n`,
    'expected a model from a step, such as ${{ steps.ID.outputs.model }}',
  ],
  [
    `${TRAIN}      args:\n        warmup_ratio: 0.1|\n`,
    'is an older name; write warmup_steps, which below 1 is a share of all steps',
  ],
  [
    `${TRAIN}      args:\n        output_dir: out|\n`,
    "the model is the step's output, and checkpoints are the store's: remove it",
  ],
])('%j is marked', async (text, message) => {
  const { errors } = await draftWithCursor(text);
  expect(errors).toContain(message);
});

interface Expected {
  readonly label: string;
  readonly documentation?: string;
}

test.each<[string, string, readonly Expected[]]>([
  [
    'top-level keys',
    'name: p\n|',
    [
      { label: 'params', documentation: 'what a submission may set' },
      { label: 'steps', documentation: 'the steps, by id' },
      { label: 'outputs' },
      { label: 'on' },
    ],
  ],
  [
    'step keys',
    'name: p\nsteps:\n  a:\n    |',
    [
      { label: 'uses', documentation: 'kind of the step, and its version: train@1' },
      { label: 'runs_on', documentation: 'label of the workers' },
      { label: 'retry' },
      { label: 'needs' },
    ],
  ],
  [
    'kinds',
    'name: p\nsteps:\n  a:\n    uses: |',
    [
      { label: 'train@1', documentation: 'Fine-tune a model' },
      { label: 'download-dataset@1', documentation: 'Get a dataset' },
      { label: 'register@1' },
    ],
  ],
  [
    "a kind's inputs",
    `${TRAIN}      |`,
    [
      { label: 'model', documentation: 'the model to start from' },
      { label: 'train_dataset' },
      { label: 'args', documentation: "Hugging Face's TrainingArguments" },
      { label: 'lora' },
    ],
  ],
  [
    'training arguments',
    `${TRAIN}      args:\n        seed: 1\n        |`,
    [
      { label: 'learning_rate', documentation: 'highest learning rate' },
      { label: 'lr_scheduler_type', documentation: 'how the learning rate goes on' },
    ],
  ],
  [
    'values',
    `${TRAIN}      args:\n        lr_scheduler_type: |`,
    [{ label: 'linear' }, { label: 'cosine' }, { label: 'inverse_sqrt' }],
  ],
  [
    'outputs of steps, by an example',
    `${TRAIN}      model: |`,
    [{ label: '${{ steps.ID.outputs.model }}' }],
  ],
  ['keys of a param', 'name: p\nparams:\n  rows:\n    default: 5\n    |', [{ label: 'minimum' }]],
])('%s are completed', async (_, text, expected) => {
  const { path, cursor } = await draftWithCursor(text);
  const items = await server.complete(path, cursor);
  for (const { label, documentation = '' } of expected) {
    const item = items.find((found) => found.label === label);
    expect(items.map((found) => found.label)).toContain(label);
    expect(JSON.stringify(item?.documentation ?? '')).toContain(documentation);
  }
});

test('what is refused, and an older name, is not offered', async () => {
  const { path, cursor } = await draftWithCursor(`${TRAIN}      args:\n        seed: 1\n        |`);
  const labels = (await server.complete(path, cursor)).map(({ label }) => label);
  expect(labels).not.toContain('output_dir');
  expect(labels).not.toContain('warmup_ratio');
});

test.each([
  ['na|me: p\nsteps: {}\n', 'of the pipeline: letters, digits'],
  ['name: p\nsteps:\n  a:\n    us|es: train@1\n', 'Fine-tune a model; continues from its last'],
  [`${TRAIN}      ta|sk: causal-lm\n`, 'what the model learns to do'],
  [`${TRAIN}      args:\n        lr_sch|eduler_type: cosine\n`, 'how the learning rate goes on'],
  [`${TRAIN}      args:\n        lr_sch|eduler_type: cosine\n`, 'inverse_sqrt'],
  ['name: p\nsteps:\n  a:\n    retry:\n      back|off: 5s\n', 'wait before the second attempt'],
])('%j tells what it means: %s', async (text, meaning) => {
  const { path, cursor } = await draftWithCursor(text);
  expect(await server.hover(path, cursor)).toContain(meaning);
});

test('a file of `retune init` finds the schema from where it lies', async () => {
  const folder = await temporaryFolder();
  await runProgram('cli/main.ts', ['init', 'mine'], { env: { INIT_CWD: folder } });
  const path = join(folder, 'mine.yaml');
  const text = await readFile(path, 'utf8');
  expect(await server.open(path, text)).toEqual([]);
  const misspelt = text.replace('learning_rate: $', 'learning_rat: $');
  expect(await server.open(join(folder, 'other.yaml'), misspelt)).toContainEqual(
    expect.objectContaining({ message: 'Property learning_rat is not allowed.' }),
  );
});

test('white space in the path of the schema does not end it', async () => {
  const folder = await temporaryFolder();
  const schema = join(folder, 'a folder', 'pipeline.schema.json');
  await mkdir(join(folder, 'a folder'));
  await copyFile(join(PIPELINES, 'pipeline.schema.json'), schema);
  const path = join(folder, 'mine.yaml');
  const modeline = `# yaml-language-server: $schema=${schemaReference(path, schema)}\n`;
  expect(await server.open(path, `${modeline}nmae: p\n`)).toContainEqual(
    expect.objectContaining({ message: 'Property nmae is not allowed.' }),
  );
});
