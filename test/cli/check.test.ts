import { execFileSync, spawnSync } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { PROJECT_ROOT } from '../../setup/dependencies.mjs';
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
  await writeFile(join(folder, 'hints.yaml'), GOOD.replace("'${{ params.rows }}'", '5'));
  await writeFile(join(folder, 'empty.yaml'), '');
  await mkdir(join(folder, 'folder.yaml'));
});

/** Runs `retune check ARGS...` where the person's files are, with nothing to reach but them. */
function check(...args: readonly string[]): Promise<ProgramResult> {
  // `npm run` starts it in the project's folder and says here where the person is.
  const env = {
    GITHUB_WORKSPACE: folder,
    INIT_CWD: folder,
    TEMPORAL_ADDRESS: '127.0.0.1:1',
    RETUNE_STORE: 'file:/dev/null',
  };
  return runProgram('cli/main.ts', ['check', ...args], { env });
}

const BAD = [
  "bad.yaml:8:33: unknown step 'date'; did you mean 'data'? [reference]",
  "    with: { dataset: '${{ steps.date.outputs.dataset }}', split: train, take: '${{ params.rows }}' }",
  `${' '.repeat(32)}^~~~`,
].join('\n');
const HINT = [
  "hints.yaml:3:3: hint: param 'rows' is never read; remove it, or read it as ${{ params.rows }} [unused-param]",
  '  rows: { type: integer, default: 10 }',
  '  ^~~~',
].join('\n');
const EMPTY = [
  'empty.yaml:1:1: the file is empty; a pipeline has at least name: NAME and steps: { ... } [source]',
  '',
  '^',
].join('\n');
const MISSING = "cannot read 'none.yaml': there is no such file; pipelines/ has some to start from";

test.each([
  ['a good file', ['good.yaml'], 0, 'good.yaml: no errors\n', ''],
  ['params', ['-p', 'rows=5', 'good.yaml'], 0, 'good.yaml: no errors\n', ''],
  ['findings', ['bad.yaml'], 1, `${BAD}\n`, ''],
  ['hints alone', ['hints.yaml'], 0, `${HINT}\nhints.yaml: no errors\n`, ''],
  ['an empty file', ['empty.yaml'], 1, `${EMPTY}\n`, ''],
  [
    'several files',
    ['good.yaml', 'bad.yaml', 'hints.yaml'],
    1,
    `good.yaml: no errors\n${BAD}\n${HINT}\nhints.yaml: no errors\n`,
    '',
  ],
  [
    'several files, one of them missing',
    ['bad.yaml', 'none.yaml', 'good.yaml'],
    2,
    `${BAD}\ngood.yaml: no errors\n`,
    `error: ${MISSING}\n`,
  ],
  [
    'a param of the wrong type',
    ['good.yaml', '-p', 'rows=many'],
    2,
    '',
    "error: param 'rows' is 'many', a string; expected an integer\n",
  ],
  [
    '-p without a value',
    ['good.yaml', '-p', 'rows'],
    2,
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
  [
    'standard input, twice',
    ['-', 'good.yaml', '-'],
    2,
    '',
    "error: '-' is given twice, and standard input is read once; give it once\n",
  ],
  ['no file', [], 2, '', "error: missing required argument 'file'\n"],
  ['an unknown option', ['good.yaml', '--strict'], 2, '', "error: unknown option '--strict'\n"],
])('%s', async (_, args, code, stdout, stderr) => {
  expect(await check(...args)).toEqual({ code, signal: null, stdout, stderr });
});

test.each([
  [
    'a file that is not text',
    ['bytes.yaml'],
    'bytes.yaml:1:1: byte 0 is not UTF-8; save the file as UTF-8 [source]',
  ],
  [
    'nothing',
    ['/dev/null'],
    '/dev/null:1:1: the file is empty; a pipeline has at least name: NAME and steps: { ... } [source]',
  ],
  [
    'a device without an end',
    ['/dev/zero'],
    '/dev/zero:1:1: the file has more than 1048576 bytes; split the pipeline [source]',
  ],
])('%s is refused', async (_, args, message) => {
  await writeFile(join(folder, 'bytes.yaml'), Uint8Array.of(0xff, 0x00, 0xfe));
  const { code, stdout } = await check(...args);
  expect([code, stdout.split('\n')[0]]).toEqual([1, message]);
});

test('a named pipe is read to its end', async () => {
  const pipe = join(folder, 'pipe.yaml');
  execFileSync('mkfifo', [pipe]);
  const [result] = await Promise.all([check('pipe.yaml'), writeFile(pipe, GOOD)]);
  expect(result).toMatchObject({ code: 0, stdout: 'pipe.yaml: no errors\n' });
});

function checkedStdin(input: string): readonly string[] {
  const program = ['setup/exec.mjs', 'cli/main.ts', 'check', '-'];
  const { status, stdout } = spawnSync(process.execPath, program, { cwd: PROJECT_ROOT, input });
  return [String(status), stdout.toString().split('\n')[0] ?? ''];
}

test('- is standard input', () => {
  expect(checkedStdin(GOOD)).toEqual(['0', '<stdin>: no errors']);
  expect(checkedStdin(GOOD.replace('steps.data.', 'steps.date.'))).toEqual([
    '1',
    "<stdin>:8:33: unknown step 'date'; did you mean 'data'? [reference]",
  ]);
  expect(checkedStdin(`# ${'x'.repeat(2 ** 21)}`)[1]).toBe(
    '<stdin>:1:1: the file has more than 1048576 bytes; split the pipeline [source]',
  );
});

test('a schedule from standard input: the command names a file to save it in', () => {
  const data = "{ uses: download-dataset@1, with: { source: 'file:a.csv' } }";
  const source = `name: good\nsteps: { data: ${data} }\non: { schedule: [{ cron: '@daily' }] }\n`;
  expect(checkedStdin(source)).toEqual([
    '0',
    "<stdin>:3:26: hint: a submission runs once; save this text as FILE; 'retune schedule apply FILE' makes the schedule 'good'; without retune it is created with: temporal schedule create --schedule-id good --cron '@daily' --catchup-window 5m --workflow-id good --type pipeline --task-queue retune --input-file FILE --input-meta encoding=binary/plain [schedule]",
  ]);
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
  [
    'a missing file',
    ['none.yaml'],
    2,
    { ok: false, diagnostics: [], error: { type: 'Error', message: MISSING } },
  ],
  [
    'an unknown option',
    ['good.yaml', '--jsn'],
    2,
    { error: { type: 'Error', message: "unknown option '--jsn'\n(Did you mean --json?)" } },
  ],
])('--json, %s: one document', async (_, args, code, document) => {
  const result = await check(...args, '--json');
  expect([result.code, JSON.parse(result.stdout)]).toEqual([code, document]);
});

test('--format github: an annotation a finding, with its place and escapes', async () => {
  await writeFile(join(folder, 'two, 50%.yaml'), GOOD.replaceAll('params.rows', 'params.row'));
  const { code, stdout } = await check('two, 50%.yaml', '--format', 'github');
  expect(code).toBe(1);
  expect(stdout).toBe(
    '::notice file=two%2C 50%25.yaml,line=3,endLine=3,col=3,endColumn=7,title=retune%3A unused-param' +
      "::param 'rows' is never read; did you mean it by 'params.row' in line 8?\n" +
      '::error file=two%2C 50%25.yaml,line=8,endLine=8,col=91,endColumn=94,title=retune%3A reference' +
      "::unknown param 'row'; did you mean 'rows'?\n",
  );
  expect(await check('good.yaml', '--format', 'github')).toMatchObject({ code: 0, stdout: '' });
});

test('--format sarif: a log that code scanners read', async () => {
  const { code, stdout } = await check('bad.yaml', '--format', 'sarif');
  expect(code).toBe(1);
  const log = JSON.parse(stdout) as {
    version: string;
    runs: [{ tool: { driver: { rules: { id: string }[] } }; results: { ruleIndex: number }[] }];
  };
  const [run] = log.runs;
  expect(log.version).toBe('2.1.0');
  expect(run.results).toMatchObject([
    {
      ruleId: 'reference',
      level: 'error',
      message: { text: "unknown step 'date'; did you mean 'data'?" },
      locations: [
        {
          physicalLocation: {
            artifactLocation: { uri: 'bad.yaml' },
            region: { startLine: 8, startColumn: 33, endColumn: 37 },
          },
        },
      ],
    },
  ]);
  expect(run.tool.driver.rules[run.results[0]!.ruleIndex]).toEqual({
    id: 'reference',
    shortDescription: {
      text: 'What an expression or `needs` names is there; a word compared with can occur.',
    },
    help: {
      text: 'What an expression or `needs` names is there; a word compared with can occur. Examples: docs/diagnostics.md#reference',
    },
  });
  const none = await check('good.yaml', '--format', 'sarif');
  expect([none.code, (JSON.parse(none.stdout) as typeof log).runs[0].results]).toEqual([0, []]);
});

test('--format sarif: a message has neither placeholders nor links', async () => {
  const source = `name: p
params: { word: { default: b, pattern: '^[a](b|[c](d)){2}$' } }
steps:
  data: { uses: download-dataset@1, with: { source: 'file:\${{ params.word }}' } }
  some: { uses: subset@1, with: { take: 5 } }
`;
  await writeFile(join(folder, 'braces.yaml'), source);
  const { stdout } = await check('braces.yaml', '--format', 'sarif');
  const log = JSON.parse(stdout) as { runs: [{ results: { message: { text: string } }[] }] };
  expect(log.runs[0].results.map(({ message }) => message.text)).toEqual([
    "'default' is 'b', a string; expected a string that matches ^\\[a\\](b|\\[c\\](d)){{2}}$",
    "step 'some' has no 'dataset', which subset@1 needs; add dataset: \"${{ steps.data.outputs.dataset }}\"",
  ]);
});

test('a format that there is not', async () => {
  const { code, stderr } = await check('good.yaml', '--format', 'xml');
  expect([code, stderr]).toEqual([
    2,
    "error: option '--format <format>' argument 'xml' is invalid. Allowed choices are text, json, github, sarif.\n",
  ]);
});

test.each([
  ['github', '::error title=retune::cannot read'],
  ['sarif', '"executionSuccessful": false'],
])('--format %s of a file that cannot be read says so there too', async (format, text) => {
  const { code, stdout } = await check('none.yaml', '--format', format);
  expect([code, stdout]).toEqual([2, expect.stringContaining(text)]);
});

test('--format json answers errors of the command as --json does', async () => {
  const [short, long] = await Promise.all([
    check('good.yaml', '-p', 'nope', '--json'),
    check('good.yaml', '-p', 'nope', '--format', 'json'),
  ]);
  expect(long).toEqual(short);
  expect(JSON.parse(long.stdout)).toHaveProperty('error');
  const both = await check('good.yaml', '--json', '--format', 'sarif');
  expect(both.code).toBe(2);
  expect(both.stdout + both.stderr).toContain('cannot be used with');
});
