import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { temporaryFolder } from '../setup/folders.ts';
import { runProgram, type ProgramResult } from '../setup/processes.ts';

const GOOD = `name: good
params:
  rows: { type: integer, default: 10 }
steps:
  data: { uses: download-dataset@1, with: { source: 'file:rows.csv' } }
  some:
    uses: subset@1
    with: { dataset: '\${{ steps.data.outputs.dataset }}', split: train, take: '\${{ params.rows }}' }
`;

let folder: string;

beforeAll(async () => {
  folder = await temporaryFolder();
  await writeFile(join(folder, 'good.yaml'), GOOD);
  await writeFile(join(folder, 'bad.yaml'), GOOD.replace('steps.data.', 'steps.date.'));
  await writeFile(join(folder, 'not.yaml'), 'name: [good\nsteps: }\n');
  await mkdir(join(folder, 'folder.yaml'));
});

/** Runs `retune check ARGS...` where the person's files are, with nothing to reach but them. */
function check(...args: readonly string[]): Promise<ProgramResult> {
  // `npm run` starts it in the project's folder and says here where the person is.
  const env = { INIT_CWD: folder, TEMPORAL_ADDRESS: '127.0.0.1:1', RETUNE_STORE: 'file:/dev/null' };
  return runProgram('cli/main.ts', ['check', ...args], { env });
}

const BAD = [
  "bad.yaml:8:33: unknown step 'date'; did you mean 'data'? [reference]",
  "    with: { dataset: '${{ steps.date.outputs.dataset }}', split: train, take: '${{ params.rows }}' }",
  `${' '.repeat(32)}^~~~`,
].join('\n');
const MISSING = "cannot read 'none.yaml': there is no such file; pipelines/ has some to start from";

test.each([
  ['a good file', ['good.yaml'], 0, 'good.yaml: no errors\n', ''],
  ['params', ['-p', 'rows=5', 'good.yaml'], 0, 'good.yaml: no errors\n', ''],
  ['findings', ['bad.yaml'], 1, `${BAD}\n`, ''],
  [
    'a param of the wrong type',
    ['good.yaml', '-p', 'rows=many'],
    1,
    '',
    "error: param 'rows' is 'many', a string; expected an integer\n",
  ],
  [
    '-p without a value',
    ['good.yaml', '-p', 'rows'],
    1,
    '',
    'error: -p rows: expected name=value, such as -p rows=500\n',
  ],
  ['a missing file', ['none.yaml'], 2, '', `error: ${MISSING}\n`],
  [
    'a folder',
    ['folder.yaml'],
    2,
    '',
    "error: cannot read 'folder.yaml': it is a folder; name the YAML file in it\n",
  ],
  ['no file', [], 1, '', "error: missing required argument 'file'\n"],
])('%s', async (_, args, code, stdout, stderr) => {
  expect(await check(...args)).toEqual({ code, signal: null, stdout, stderr });
});

test('YAML that is not YAML', async () => {
  const { code, stdout } = await check('not.yaml');
  expect([code, stdout.split('\n')[0]]).toEqual([
    1,
    "not.yaml:1:7: '[' is not closed; add ']' [yaml]",
  ]);
});

test.each([
  ['a good file', ['good.yaml'], 0, { ok: true, diagnostics: [] }],
  ['a missing file', ['none.yaml'], 2, { ok: false, error: { type: 'Error', message: MISSING } }],
  [
    'an unknown option',
    ['good.yaml', '--jsn'],
    1,
    { error: { type: 'Error', message: "unknown option '--jsn'\n(Did you mean --json?)" } },
  ],
])('--json, %s: one document', async (_, args, code, document) => {
  const result = await check(...args, '--json');
  expect([result.code, JSON.parse(result.stdout)]).toEqual([code, document]);
});
