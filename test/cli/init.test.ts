import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, expect, test } from 'vitest';
import { catalog } from '../../activities/catalog.ts';
import { compile } from '../../language/compile.ts';
import { temporaryFolder } from '../setup/folders.ts';
import { runProgram, type ProgramResult } from '../setup/processes.ts';

const PIPELINES = new URL('../../pipelines/', import.meta.url);

let folder: string;

beforeEach(async () => {
  folder = await temporaryFolder();
});

function init(...args: readonly string[]): Promise<ProgramResult> {
  return runProgram('cli/main.ts', ['init', ...args], { env: { INIT_CWD: folder } });
}

test('without a name it is my-pipeline, from the quickstart', async () => {
  expect(await init()).toMatchObject({
    ...{ code: 0, stderr: '' },
    stdout:
      'wrote my-pipeline.yaml, a copy of pipelines/quickstart.yaml\n' +
      'next: npm run --silent retune -- check my-pipeline.yaml\n',
  });
  const text = await readFile(join(folder, 'my-pipeline.yaml'), 'utf8');
  expect(text).toMatch(/^# Train a small GPT-2/);
  expect(text).toContain('--workflow-id my-pipeline');
  expect(text).toContain('--input-file my-pipeline.yaml');
  expect(text).not.toMatch(/^name: quickstart/m);
});

test('a copy of every example compiles under its new name', async () => {
  const files = (await readdir(PIPELINES)).filter((file) => file.endsWith('.yaml'));
  expect(files.length).toBeGreaterThan(2);
  for (const file of files) {
    const from = file.replace('.yaml', '');
    expect(await init(`my.${from}`, '--from', from)).toMatchObject({ code: 0 });
    const source = await readFile(join(folder, `my.${from}.yaml`));
    const compiled = compile({ source, catalog });
    expect(compiled.ok ? compiled.plan.name : compiled.diagnostics).toBe(`my.${from}`);
  }
});

test.each(['true', '2024', '1e5'])(
  'a name that YAML would read otherwise, %s, is quoted',
  async (name) => {
    expect(await init(name)).toMatchObject({ code: 0 });
    const source = await readFile(join(folder, `${name}.yaml`));
    expect(compile({ source, catalog })).toMatchObject({ ok: true, plan: { name } });
  },
);

test('a file name is taken as the name, and comments speak of the copy', async () => {
  expect(await init('mine.yml', '--from', 'tweet-sentiment')).toMatchObject({ code: 0 });
  expect(await readdir(folder)).toEqual(['mine.yaml']);
  const text = await readFile(join(folder, 'mine.yaml'), 'utf8');
  expect(text).toMatch(/--workflow-id mine /);
  expect(text).not.toContain('--workflow-id tweets');
});

test('a file that is there is kept', async () => {
  await init('mine');
  const { code, stderr } = await init('mine', '--from', 'tweet-sentiment');
  expect([code, stderr]).toEqual([
    1,
    "error: cannot write 'mine.yaml': there is such a file already; choose another name, or remove it\n",
  ]);
  expect(await readFile(join(folder, 'mine.yaml'), 'utf8')).toContain('Train a small GPT-2');
});

test.each([
  [['mine', '--from', 'quikstart'], "there is no example 'quikstart'; did you mean 'quickstart'?"],
  [["a'b"], `no pipeline may have the name "a'b"; expected letters`],
  [['a\nb'], 'no pipeline may have the name "a\\nb"; expected letters'],
  [['../mine'], 'no pipeline may have the name "../mine"; expected letters'],
])('%j is refused', async (args, message) => {
  const { code, stderr } = await init(...args);
  expect([code, stderr]).toEqual([1, expect.stringContaining(message)]);
  expect(await readdir(folder)).toEqual([]);
});
