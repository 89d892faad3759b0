import { readdir, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { catalog } from '../../activities/catalog.ts';
import { PipelineSite } from '../activities/preview/pipeline-worker.ts';
import { temporaryFolder } from '../setup/folders.ts';
import { runProgram, type ProgramResult } from '../setup/processes.ts';

const FILE = `name: rows
params: { take: 2 }
steps:
  data:
    uses: download-dataset@1
    with: { source: 'file:rows.csv', label: label }
  few:
    uses: subset@1
    with: { dataset: '\${{ steps.data.outputs.dataset }}', take: '\${{ params.take }}' }
  fewer:
    uses: subset@1
    with: { dataset: '\${{ steps.few.outputs.dataset }}', take: 1 }
`;

let site: PipelineSite;

beforeAll(async () => {
  site = await PipelineSite.open();
  await writeFile(join(site.dataRoot, 'rows.csv'), 'text,label\na,x\nb,y\nc,x\n');
  await writeFile(join(site.dataRoot, 'rows.yaml'), FILE);
  await writeFile(join(site.dataRoot, 'bad.yaml'), FILE.replace('subset@1', 'subst@1'));
  const state = await site.serving(catalog, [], () => site.run('before', FILE, {}));
  expect(state.status).toBe('completed');
});

/** `retune plan` where no server can be reached. */
function plan(args: readonly string[], store = site.store.url): Promise<ProgramResult> {
  const { dataRoot } = site;
  const env = { INIT_CWD: dataRoot, RETUNE_DATA_ROOT: dataRoot, RETUNE_STORE: store };
  const home = { RETUNE_HOME: join(dataRoot, 'home'), TEMPORAL_ADDRESS: '127.0.0.1:1' };
  return runProgram('cli/main.ts', ['plan', ...args], { env: { ...env, ...home } });
}

/** Times are those of this machine. */
function untimed({ stdout }: ProgramResult): string {
  return stdout.replaceAll(/about \d+ s/g, 'about 1 s').replaceAll(/up to \d+ s/g, 'up to 1 s');
}

/** Every file below a folder, with its size and the time of its last change. */
async function contents(folder: string): Promise<readonly string[]> {
  const names = await readdir(folder, { recursive: true });
  const found = await Promise.all(
    names.map(async (name) => {
      const { size, ctimeMs } = await stat(join(folder, name));
      return `${name} ${size} ${ctimeMs}`;
    }),
  );
  return found.toSorted();
}

test('what would run and why, and what it reads stays as it is', async () => {
  const before = await contents(site.dataRoot);
  const planned = await plan(['rows.yaml', '-p', 'take=3']);
  expect([planned.code, planned.stderr]).toEqual([0, '']);
  const rows = untimed(planned).replaceAll(/about 1 s +/g, 'about 1 s  ');
  expect(rows).toBe(`\
plan of rows, compared with run before
step                      time       why
data   hit
few    would run          about 1 s  take: 2 -> 3 (param take)
fewer  unknown until few  about 1 s  dataset from step 'few'
1 hit, 1 would run (about 1 s), 1 unknown (up to 1 s more)
`);
  expect(await contents(site.dataRoot)).toEqual(before);
});

test('without a file: what a resumption of the run would do', async () => {
  const resumed = await plan(['--since', 'before']);
  expect([resumed.code, resumed.stderr]).toEqual([0, '']);
  expect(resumed.stdout.split('\n').at(-2)).toBe('3 hits, 0 would run, 0 unknown');
});

test('--json', async () => {
  const { code, stdout } = await plan(['rows.yaml', '--from', 'fewer', '--json']);
  const document = JSON.parse(stdout) as { steps: object[] };
  expect([code, document]).toMatchObject([
    0,
    {
      ok: true,
      name: 'rows',
      since: 'before',
      steps: [
        { id: 'data', uses: 'download-dataset@1', outcome: 'hit' },
        { id: 'few', uses: 'subset@1', outcome: 'hit' },
        { id: 'fewer', outcome: 'run', reasons: ['asked for by --from fewer'] },
      ],
      totals: { hit: { steps: 2 }, run: { steps: 1, isComplete: true }, unknown: { steps: 0 } },
    },
  ]);
});

test('a store that is not there is not made', async () => {
  const folder = await temporaryFolder();
  const planned = await plan(['rows.yaml'], `file:${join(folder, 'none')}`);
  expect(planned.stdout).toContain('plan of rows, no earlier run\n');
  expect(planned.stdout).toContain(
    '\n0 hits, 1 would run (time unknown), 2 unknown (time unknown)\n',
  );
  expect(await readdir(folder)).toEqual([]);
});

test('a source that is not there: the run would fail', async () => {
  await writeFile(join(site.dataRoot, 'lost.yaml'), FILE.replace('file:rows.csv', 'file:lost.csv'));
  const { code, stdout } = await plan(['lost.yaml']);
  expect(code).toBe(1);
  expect(stdout).toMatch(/\ndata +would fail +"file:lost.csv" does not exist below the data root/);
  expect(stdout).toMatch(/\nfew +would be skipped +step 'data' failed\n/);
  expect(stdout).toContain('\n0 hits, 0 would run, 0 unknown, 2 would be skipped, 1 would fail\n');
});

test.each<[string, readonly string[], number, RegExp]>([
  ['errors of the file', ['bad.yaml'], 1, /^bad\.yaml:8:11: unknown step kind 'subst@1'/],
  ['no such file', ['none.yaml'], 2, /^error: cannot read 'none.yaml': there is no such file/],
  ['nothing to plan', [], 2, /^error: nothing to plan: name a pipeline FILE, or with --since RUN /],
  ['no such run', ['--since', 'x'], 2, /^error: no run 'x' in the store file:/],
  [
    'no such step',
    ['rows.yaml', '--from', 'x'],
    2,
    /^error: option 'from' names the unknown step 'x'/,
  ],
  [
    'an option of a submission without one',
    ['--since', 'before', '--force'],
    2,
    /^error: --force without FILE: a run is resumed with its own input; name the file to change it/,
  ],
])('%s', async (_, args, code, message) => {
  const { stdout, stderr, ...exit } = await plan(args);
  expect([exit.code, stdout]).toEqual([code, '']);
  expect(stderr).toMatch(message);
});
