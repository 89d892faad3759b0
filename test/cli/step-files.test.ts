import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { temporaryFolder } from '../setup/folders.ts';
import { runProgram, type ProgramResult } from '../setup/processes.ts';

const IMPORT = "import { artifact, defineStep, Failure, z } from 'retune/steps';";

/** A file with a kind that is as it should be, but for `lines`. */
function shout(kind: string, ...lines: readonly string[]): string {
  return `${IMPORT}
export default defineStep({
  kind: '${kind}', version: 1, effect: 'pure', role: 'work',
  summary: 'Write capitals.',
  with: z.strictObject({
    dataset: artifact('dataset').describe('the texts'),
    mark: z.string().default('!').describe('put at the end'),
  }),
  outputs: { dataset: artifact('dataset'), rows: z.int().describe('how many') },
  run: (_context, { dataset }) => ({ dataset, rows: 1 }),
  ${lines.join('\n  ')}
});
`;
}

const PIPELINE = `name: loud
steps:
  data: { uses: download-dataset@1, with: { source: 'file:rows.csv' } }
  loud: { uses: shout@1, with: { dataset: '\${{ steps.data.outputs.dataset }}' } }
  some: { uses: subset@1, with: { dataset: '\${{ steps.loud.outputs.dataset }}' } }
outputs: { rows: '\${{ steps.loud.outputs.rows }}' }
`;

/** Outside the repository, without a package.json or anything installed. */
let folder: string;

beforeAll(async () => {
  folder = await temporaryFolder();
  await written('shout.ts', shout('shout'));
  await written('loud.yaml', PIPELINE);
});

async function written(name: string, text: string): Promise<void> {
  const file = join(folder, name);
  await mkdir(join(file, '..'), { recursive: true });
  await writeFile(file, text);
}

function retune(...args: readonly string[]): Promise<ProgramResult> {
  const env = { INIT_CWD: folder, TEMPORAL_ADDRESS: '127.0.0.1:1', RETUNE_STORE: 'file:/dev/null' };
  return runProgram('cli/main.ts', args, { env });
}

/** The lines of stderr when these files are all loaded at once. */
async function problemsOf(files: Readonly<Record<string, string>>): Promise<readonly string[]> {
  for (const [name, text] of Object.entries(files)) await written(name, text);
  const steps = Object.keys(files).flatMap((name) => ['--steps', name]);
  const { code, stdout, stderr } = await retune('kinds', ...steps);
  expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
  return stderr
    .trimEnd()
    .replace(/^error: /, '')
    .split('\n');
}

describe('a file with a kind of its own', () => {
  test('is listed, and shown with inputs and outputs', async () => {
    const list = await retune('kinds', '--steps', 'shout.ts');
    expect(list.stdout.split('\n').at(-2)).toBe('shout@1             Write capitals.');
    const one = await retune('kinds', 'shout', '--steps', 'shout.ts');
    expect(one).toMatchObject({ code: 0, stderr: '' });
    expect(one.stdout).toBe(
      [
        'shout@1  (effect pure, role work)',
        'Write capitals.',
        'inputs:',
        '  dataset  a dataset, required    the texts',
        '  mark     a string, default "!"  put at the end',
        'outputs:',
        '  dataset  a dataset',
        '  rows     an integer  how many',
        '',
      ].join('\n'),
    );
  });

  test('is checked like any other', async () => {
    expect(await retune('check', 'loud.yaml', '--steps', 'shout.ts')).toMatchObject({
      ...{ code: 0, stdout: 'loud.yaml: no errors\n' },
    });
    const wrong = PIPELINE.replace('uses: shout@1', 'uses: shuot@1')
      .replace('steps.loud.outputs.dataset', 'steps.loud.outputs.rows')
      .replace('{ uses: subset@1', '{ uses: shout@1');
    await written('misspelt.yaml', wrong);
    await written('miswired.yaml', wrong.replace('uses: shuot@1', 'uses: shout@1'));
    const misspelt = await retune('check', 'misspelt.yaml', '--steps', 'shout.ts');
    expect([misspelt.code, misspelt.stdout.split('\n')[0]]).toEqual([
      1,
      "misspelt.yaml:4:17: unknown step kind 'shuot@1'; did you mean 'shout@1'? expected one of " +
        'download-dataset@1, download-model@1, subset@1, tokenize@1, train@1, evaluate@1, select@1, ' +
        'register@1, approve@1, notify@1, shout@1, or a kind of your own, by --steps FILE [uses]',
    ]);
    const miswired = await retune('check', 'miswired.yaml', '--steps', 'shout.ts');
    expect([miswired.code, miswired.stdout.split('\n')[0]]).toEqual([
      1,
      "miswired.yaml:5:43: 'dataset' gets 'steps.loud.outputs.rows', an integer; expected a dataset; " +
        'write "${{ steps.loud.outputs.dataset }}" or "${{ steps.data.outputs.dataset }}" [wire]',
    ]);
  });

  test('is in the schema for editors, like any other', async () => {
    const { code, stdout } = await retune('schema', '--steps', 'shout.ts');
    const schema = JSON.parse(stdout) as { $defs: object };
    expect([code, schema.$defs]).toMatchObject([
      0,
      {
        step: { properties: { uses: { enum: expect.arrayContaining(['train@1', 'shout@1']) } } },
        'shout@1': {
          properties: { mark: { default: '!', description: 'put at the end' } },
          required: ['dataset'],
        },
      },
    ]);
    const missing = await retune('schema', '--steps', 'none.ts');
    expect(missing).toMatchObject({ code: 2, stdout: '' });
    expect(missing.stderr).toContain('none.ts');
  });

  test('is drawn like any other', async () => {
    const { stdout } = await retune('graph', 'loud.yaml', '--json', '--steps', 'shout.ts');
    expect(JSON.parse(stdout)).toMatchObject({ ok: true, steps: { 1: { uses: 'shout@1' } } });
  });
});

test('kinds without a file, and a kind that there is not', async () => {
  const { code, stdout } = await retune('kinds', 'subset@1', '--json');
  expect([code, JSON.parse(stdout)]).toMatchObject([
    0,
    [
      {
        ...{ kind: 'subset', version: 1, effect: 'pure', role: 'work' },
        inputs: {
          dataset: { type: 'a dataset', required: true },
          skip: { type: 'an integer of at least 0', required: false, default: 0 },
        },
        outputs: { rows: { type: 'an integer', description: 'how many' } },
      },
    ],
  ]);
  expect(await retune('kinds', 'subst')).toMatchObject({
    ...{ code: 1, stderr: "error: no step kind 'subst'; did you mean 'subset'?\n" },
  });
});

test('what cannot be read or parsed: each with its place, and all at once', async () => {
  await mkdir(join(folder, 'folder.ts'));
  const problems = await problemsOf({
    'a.ts': `${IMPORT}\nconst x = = z;\n`,
    'b.ts': "import { help } from './lib/help.ts';\nexport default help;\n",
    'c.ts': "import pad from 'no-such-package/pad';\nexport default pad;\n",
  });
  expect(problems).toEqual([
    'a.ts:2:11: unexpected "="',
    'const x = = z;',
    '          ^',
    'b.ts:1:22: could not resolve "./lib/help.ts"; there is no such file',
    "import { help } from './lib/help.ts';",
    `${' '.repeat(21)}^${'~'.repeat(14)}`,
    "c.ts: imports 'no-such-package/pad', and no package 'no-such-package' is installed there; " +
      `run npm install no-such-package in ${folder}, or remove the import`,
  ]);
  const steps = ['--steps', 'none.ts', '--steps', 'folder.ts'];
  const { code, stderr } = await retune('check', 'loud.yaml', ...steps);
  expect([code, stderr.split('\n')]).toEqual([
    2,
    [
      "error: cannot read 'none.ts', which --steps names: there is no such file; pipelines/custom/ has one to start from",
      "cannot read 'folder.ts', which --steps names: it is a folder; name the TypeScript file in it",
      '',
    ],
  ]);
});

const AT = '2:16';

test('what declares no kind: each with its place, and all at once', async () => {
  await written(
    'lib/thrower.ts',
    "/** Fails. */\nexport function lexicon(): never {\n  throw new RangeError('no such lexicon');\n}\n",
  );
  const problems = await problemsOf({
    'a.ts': "import { lexicon } from './lib/thrower';\nexport default lexicon();\n",
    'b.ts': `${IMPORT}\nexport const none = [z, Failure, artifact];\n`,
    'c.ts': shout('shout').replace('export default', 'export const loud ='),
    'd.ts': 'export default 7;\n',
    'e.ts': "export default [{ kind: 'a' }];\n",
    'f.ts': 'export default [];\n',
    'g.ts': `${IMPORT}\nexport default defineStep({ kind: 'Loud Text', outputs: [] } as never);\n`,
    'h.ts': shout('subset'),
    'i.ts': shout('split'),
    'j.ts': shout('constructor'),
    'k.ts': shout('k', 'version: 0,', 'output: {},'),
    'l.ts': shout('l', 'with: z.object({ text: z.string() }),'),
    'm.ts': shout('m', "with: { text: 'string' } as never,"),
    'n.ts': shout('n', "outputs: { text: 'string', at: z.date() } as never,"),
    'o.ts': shout('o', "effect: 'source',"),
    'p.ts': shout('p', 'resolve: () => 1,'),
  });
  expect(problems).toEqual([
    'lib/thrower.ts:3:9: no such lexicon',
    'b.ts: has no default export; write export default defineStep({ ... })',
    'c.ts: has no default export; write export default loud',
    'd.ts: the default export is 7; expected what defineStep({ ... }) gives, or a list of those',
    'e.ts: item 0 of the default export is a map; expected what defineStep({ ... }) gives, or a list of those',
    'f.ts: the default export is an empty list; put a step into it',
    `g.ts:${AT}: 'kind' is 'Loud Text', a string; expected lower-case words with hyphens, such as clean-text`,
    `g.ts:${AT}: 'version' is missing; expected an integer of at least 1`,
    `g.ts:${AT}: 'effect' is missing; expected one of pure, source, external`,
    `g.ts:${AT}: 'role' is missing; expected one of work, train`,
    `g.ts:${AT}: 'summary' is missing; expected a string that is not empty`,
    `g.ts:${AT}: 'with' is missing; expected z.strictObject({ ... }), with z of 'retune/steps'`,
    `g.ts:${AT}: 'outputs' is a list of 0; expected schemas by name, such as { rows: z.int() }`,
    `g.ts:${AT}: 'run' is missing; expected async run(context, inputs) { ... }`,
    `h.ts:${AT}: 'kind' is 'subset', which is one of Retune's own; choose another, such as my-subset`,
    `i.ts:${AT}: 'kind' is 'split', which is one of Retune's own; choose another, such as my-split`,
    `j.ts:${AT}: 'kind' is 'constructor', which is a reserved word; choose another, such as my-constructor`,
    `k.ts:${AT}: 'version' is 0; expected an integer of at least 1`,
    `k.ts:${AT}: unknown key 'output'; did you mean 'outputs'?`,
    `l.ts:${AT}: kind 'l@1': 'with' ignores unknown inputs; declare it by z.strictObject`,
    `m.ts:${AT}: 'with' is a map; expected z.strictObject({ ... }), with z of 'retune/steps'`,
    `n.ts:${AT}: 'outputs.text' is 'string', a string; expected a schema such as z.int(), with z of 'retune/steps'`,
    `n.ts:${AT}: 'outputs.at' has no JSON form (date cannot be represented in JSON Schema); declare what JSON holds, and convert it in run`,
    `o.ts:${AT}: effect 'source' needs 'resolve'; add async resolve(context, inputs) { ... }, or make it 'pure'`,
    `p.ts:${AT}: 'resolve' is for effect 'source', and this is 'pure'; remove one of them`,
  ]);
});

test('a file that waits for what never comes ends the command, which has not done its work', async () => {
  await written('endless.ts', 'await new Promise(() => {});\nexport default [];\n');
  expect(await retune('check', 'loud.yaml', '--steps', 'endless.ts')).toEqual({
    ...{ code: 2, signal: null, stdout: '' },
    stderr:
      'error: the command waits for what never comes; does a --steps file await something without an end?\n',
  });
});

test('a file that sets a timer without an end does not keep the command', async () => {
  await written('ticking.ts', `setInterval(() => undefined, 1000);\n${shout('shout')}`);
  expect(await retune('check', 'loud.yaml', '--steps', 'ticking.ts')).toMatchObject({ code: 0 });
});

test('an option that there is not: exit code 2 of every command', async () => {
  for (const command of ['kinds', 'schema', 'print', 'list', 'nonsense']) {
    expect((await retune(command, '--nonsense')).code).toBe(2);
  }
});

test('one kind declared twice', async () => {
  await written('again.ts', shout('shout'));
  const steps = ['--steps', 'shout.ts', '--steps', 'again.ts'];
  expect((await retune('kinds', ...steps)).stderr).toBe(
    'error: again.ts:2:16: shout@1 is declared at shout.ts:2:16 already; give one of them another kind or version\n',
  );
});

test.each([
  ['retune run', 'cli/main.ts', ['run', 'loud.yaml', '--steps', 'none.ts'], 2],
  ['retune dev', 'cli/main.ts', ['dev', '--steps', 'none.ts'], 2],
  ['a worker', 'worker.ts', ['--steps', 'none.ts'], 1],
])('%s does not start with a file that cannot be read', async (_, program, args, expected) => {
  const env = { INIT_CWD: folder, TEMPORAL_ADDRESS: '127.0.0.1:1' };
  const { code, stderr } = await runProgram(program, args, { env });
  expect(code).toBe(expected);
  expect(stderr).toContain("cannot read 'none.ts', which --steps names: there is no such file");
});
