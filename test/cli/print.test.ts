import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { temporaryFolder } from '../setup/folders.ts';
import { runProgram, type ProgramResult } from '../setup/processes.ts';

const GOOD = `name: good # as it is
params: { file: a.csv }
steps:
  data:
    uses: download-dataset@1
    with: { source: 'file:\${{ params.file }}' }
`;

const PRINTED = `name: good # as it is
params:
  file:
    type: string # default
    default: a.csv
defaults:
  retry: { max_attempts: 5, backoff: 2s, max_backoff: 5m } # default
  on_failure: fail # default
  max_parallel: 16 # default
  runs_on: cpu # default
steps:
  data:
    uses: download-dataset@1
    with:
      source: 'file:\${{ params.file }}'
      format: auto # default
      label_kind: auto # default
    retry: { max_attempts: 5, backoff: 2s, max_backoff: 5m } # default
    on_failure: fail # default
    cache: { enabled: true } # default
`;

let folder: string;

beforeAll(async () => {
  folder = await temporaryFolder();
  await writeFile(join(folder, 'good.yaml'), GOOD);
  await writeFile(join(folder, 'bad.yaml'), GOOD.replace('params.file', 'params.fil'));
});

/** Runs `retune print ARGS...` where the person's files are, with nothing to reach but them. */
function print(...args: readonly string[]): Promise<ProgramResult> {
  const env = { INIT_CWD: folder, TEMPORAL_ADDRESS: '127.0.0.1:1', RETUNE_STORE: 'file:/dev/null' };
  return runProgram('cli/main.ts', ['print', ...args], { env });
}

test('a file is printed with every default', async () => {
  expect(await print('good.yaml')).toMatchObject({ code: 0, stdout: PRINTED, stderr: '' });
});

test('-p becomes the default of its param', async () => {
  const { code, stdout } = await print('good.yaml', '-p', 'file=b.csv');
  expect([code, stdout]).toEqual([0, PRINTED.replace('default: a.csv', 'default: b.csv # given')]);
});

test('a file with errors is not printed, nor one that is not there', async () => {
  const { code, stdout, stderr } = await print('bad.yaml');
  expect([code, stdout]).toEqual([1, '']);
  expect(stderr).toContain("bad.yaml:6:38: unknown param 'fil'; did you mean 'file'? [reference]");
  expect(await print('none.yaml')).toMatchObject({
    ...{ code: 2, stdout: '' },
    stderr:
      "error: cannot read 'none.yaml': there is no such file; pipelines/ has some to start from\n",
  });
});
