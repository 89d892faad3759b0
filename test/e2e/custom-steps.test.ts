import { cp, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { stringify } from 'yaml';
import type { JsonObject } from '../../plan/json.ts';
import type { RunState, StepStatus } from '../../plan/plan.ts';
import { PROJECT_ROOT } from '../../setup/dependencies.mjs';
import { temporaryFolder } from '../setup/folders.ts';
import { type ProgramResult, retune, startWorker, type TestProcess } from '../setup/processes.ts';
import { testSite, type TestSite } from '../setup/temporal.ts';
import { submit, until } from './observed-run.ts';

const EXAMPLE = join(PROJECT_ROOT, 'pipelines/custom');
const PIPELINE = join(EXAMPLE, 'clean-text.yaml');
const FEW = { rows: 48 };

/** Kinds that end in every way; in a folder of their own, without anything installed. */
const KINDS = `import { defineStep, Failure, z } from 'retune/steps';
import { broken } from './lib/broken.ts';

const shared = { version: 1, effect: 'pure', role: 'work', summary: 'Tries.' } as const;
const none = z.strictObject({});

export default [
  defineStep({ ...shared, kind: 'breaks', with: none, outputs: {}, run: () => broken() }),
  defineStep({
    ...shared, kind: 'fails', with: none, outputs: {},
    run() {
      throw new Failure('NotFound', 'no such word: add it to the list');
    },
  }),
  defineStep({
    ...shared, kind: 'lies', with: none, outputs: { rows: z.int() },
    run: () => ({ rows: 'many' }) as never,
  }),
  defineStep({ ...shared, kind: 'forgets', with: none, outputs: { rows: z.int() }, run: () => undefined as never }),
  defineStep({
    ...shared, kind: 'looks', effect: 'source',
    with: z.strictObject({ at: z.string() }),
    outputs: { found: z.string() },
    resolve: (_context, { at }) => ({ revision: at.length }),
    run: (context) => ({ found: JSON.stringify(context.upstream) }),
  }),
  defineStep({
    ...shared, kind: 'learns', role: 'train', with: none, outputs: { by: z.string() },
    run: (context) => ({ by: context.run.stepId }),
  }),
  defineStep({
    ...shared, kind: 'waits', with: none, outputs: {},
    async run(context) {
      context.progress({ phase: 'waiting' });
      await new Promise((_, reject) => context.signal.addEventListener('abort', () => reject(new Error('stopped'))));
      return {};
    },
  }),
  ...['drops', 'ticks'].map((kind) =>
    defineStep({
      ...shared, kind, with: none, outputs: {},
      async run() {
        if (kind === 'drops') void Promise.reject(new Error('dropped'));
        else setTimeout(() => { throw new Error('too late'); }, 10);
        await new Promise((resolve) => setTimeout(resolve, 60_000));
        return {};
      },
    }),
  ),
  defineStep({
    ...shared, kind: 'sleeps', with: z.strictObject({ ms: z.int() }), outputs: {},
    async run(_, { ms }) {
      await new Promise((resolve) => setTimeout(resolve, ms));
      return {};
    },
  }),
  defineStep({
    ...shared, kind: 'mistypes', with: none, outputs: {},
    run() {
      throw new Failure('Bogus' as never, 'no such type');
    },
  }),
  defineStep({
    ...shared, kind: 'fills', with: none, outputs: { text: z.string() },
    run: () => ({ text: 'x'.repeat(2 ** 20) }),
  }),
];
`;
const BROKEN = `/** Fails. */
export function broken(): never {
  throw new RangeError('the word list is empty');
}
`;

let site: TestSite;
let folder: string;
let worker: TestProcess;
let first: RunState;

const inFolder = (name: string): string => join(folder, name);
const serve = (...files: readonly string[]): Promise<TestProcess> =>
  startWorker(
    site,
    files.flatMap((file) => ['--steps', inFolder(file)]),
  );

beforeAll(async () => {
  site = await testSite();
  folder = await temporaryFolder();
  await cp(EXAMPLE, folder, { recursive: true });
  await cp(EXAMPLE, inFolder('other'), { recursive: true });
  await mkdir(inFolder('lib'));
  await writeFile(inFolder('kinds.ts'), KINDS);
  await writeFile(inFolder('lib/broken.ts'), BROKEN);
  worker = await serve('clean-text.ts', 'kinds.ts');
  first = await run('first');
});

async function run(id: string): Promise<RunState> {
  return (await submit(site, id, PIPELINE, FEW)).ended();
}

function statuses({ steps }: RunState): Readonly<Record<string, StepStatus>> {
  return Object.fromEntries(Object.entries(steps).map(([id, { status }]) => [id, status]));
}

/** Every step of the example cached, but for some. */
function allCachedBut(others: Readonly<Record<string, StepStatus>>): object {
  const cached = Object.keys(first.steps).map((id): [string, StepStatus] => [id, 'cached']);
  return { ...Object.fromEntries(cached), ...others };
}

async function runOf(id: string, steps: JsonObject): Promise<RunState> {
  const file = inFolder(`${id}.yaml`);
  const defaults = { retry: { max_attempts: 2, backoff: '1s' } };
  await writeFile(file, stringify({ name: id, defaults, steps }));
  return (await submit(site, id, file)).ended();
}

test('the example runs, and its second submission does nothing', async () => {
  expect(new Set(Object.values(statuses(first)))).toEqual(new Set(['completed']));
  expect(first.steps['clean']).toMatchObject({
    outputs: { changed: 1571 },
    note: '1571 texts changed',
  });
  expect(first.outputs).toMatchObject({ changed: 1571 });
  expect(statuses(await run('second'))).toEqual(allCachedBut({}));
});

test('kinds that fail: with type, message and place', async () => {
  const uses = (kind: string): JsonObject => ({ uses: `${kind}@1` });
  const { steps } = await runOf('failing', {
    breaks: uses('breaks'),
    fails: uses('fails'),
    lies: uses('lies'),
    forgets: uses('forgets'),
  });
  const at = (line: number): string => `${inFolder('kinds.ts')}:${line}`;
  const errors = Object.entries(steps).map(([id, { error, attempt }]) => [id, attempt, error]);
  expect(errors).toEqual([
    [
      ...['breaks', 2],
      {
        type: 'Internal',
        message: `the word list is empty (${inFolder('lib/broken.ts')}:3:9) (2 of 2 attempts)`,
      },
    ],
    ['fails', 1, { type: 'NotFound', message: 'no such word: add it to the list' }],
    [
      ...['lies', 1],
      {
        type: 'InvalidInput',
        message:
          `lies@1 (${at(15)}:3): what run returned does not fit its outputs: ` +
          "'rows' is 'many', a string; expected an integer",
      },
    ],
    [
      ...['forgets', 1],
      {
        type: 'InvalidInput',
        message: `forgets@1 (${at(19)}:3): run returned undefined; expected an object with rows`,
      },
    ],
  ]);
});

test('kinds with errors that nobody waits for fail their step, and not the worker', async () => {
  const uses = (kind: string): JsonObject => ({ uses: `${kind}@1`, retry: { max_attempts: 1 } });
  const { steps } = await runOf('stray', {
    drops: uses('drops'),
    ticks: uses('ticks'),
    mistypes: uses('mistypes'),
    fills: uses('fills'),
  });
  const place = expect.stringMatching(/ \(.*kinds\.ts:\d+:\d+\)$/) as string;
  expect(steps).toMatchObject({
    drops: { attempt: 1, error: { type: 'Internal', message: place } },
    ticks: { attempt: 1, error: { type: 'Internal', message: place } },
    mistypes: { attempt: 1, error: { type: 'Internal', message: place } },
  });
  expect(steps['drops']?.error?.message).toMatch(/^dropped /);
  expect(steps['ticks']?.error?.message).toMatch(/^too late /);
  expect(steps['mistypes']?.error?.message).toMatch(
    /^"Bogus" is no type of failure; expected one of InvalidInput, NotFound, /,
  );
  expect(steps['fills']?.error).toEqual({
    type: 'InvalidInput',
    message:
      'the outputs of the step hold 1048587 bytes; expected at most 262144: put what is large into an artifact, as a dataset or a file',
  });
  expect(statuses(await run('afterwards'))).toEqual(allCachedBut({}));
});

test('a kind that does not listen to its signal fails past its timeout, whether it ends or not', async () => {
  const sleeps = (ms: number): JsonObject => ({
    ...{ uses: 'sleeps@1', with: { ms }, timeout: '500ms', retry: { max_attempts: 1 } },
  });
  const { steps } = await runOf('sleeping', { late: sleeps(1_000), never: sleeps(600_000) });
  for (const id of ['late', 'never']) {
    expect(steps[id]?.error).toEqual({
      type: 'Internal',
      message: `the attempt ran past its timeout of 500 ms: raise 'timeout' of step '${id}'`,
    });
  }
});

test('a source kind is a hit while its revision stays, and a training kind runs on its queue', async () => {
  const steps = (at: string): JsonObject => ({
    looks: { uses: 'looks@1', with: { at } },
    learns: { uses: 'learns@1' },
  });
  const once = await runOf('looking', steps('here'));
  expect(once.steps).toMatchObject({
    looks: { status: 'completed', outputs: { found: '{"revision":4}' } },
    learns: { status: 'completed', outputs: { by: 'learns' } },
  });
  expect(statuses(await runOf('looking', steps('here')))).toEqual({
    ...{ looks: 'cached', learns: 'cached' },
  });
});

test('a cancelled run ends a kind that waits for its signal', async () => {
  await writeFile(
    inFolder('wait.yaml'),
    stringify({ name: 'w', steps: { w: { uses: 'waits@1' } } }),
  );
  const waiting = await submit(site, 'waiting', inFolder('wait.yaml'));
  await until('the step to wait', async () => {
    const { stdout } = await retune(site, ['show', 'waiting', '--json']);
    return stdout.includes('"phase":"waiting"') ? true : undefined;
  });
  expect((await retune(site, ['cancel', 'waiting'])).code).toBe(0);
  expect((await waiting.ended()).steps['w']).toMatchObject({ status: 'cancelled' });
});

test('a run with a file that the worker has not loaded as it is now is refused, and resumes with the old', async () => {
  const changed = `${await readFile(inFolder('clean-text.ts'), 'utf8')}// newer\n`;
  await mkdir(inFolder('newer'));
  await cp(EXAMPLE, inFolder('newer'), { recursive: true });
  await writeFile(inFolder('newer/clean-text.ts'), changed);
  const params = ['-p', 'rows=48'];
  const runWith = (file: string): Promise<ProgramResult> =>
    retune(site, ['run', PIPELINE, ...params, '--id', 'stale', '--steps', inFolder(file)]);
  const refused = await runWith('newer/clean-text.ts');
  expect(refused.code).toBe(1);
  expect(refused.stdout).toContain(
    'the worker has other code of clean-text@1 than the file given here: ' +
      'start every worker again with the same --steps files, then submit again',
  );
  expect((await retune(site, ['resume', 'stale'])).code).toBe(0);
  expect((await runWith('clean-text.ts')).code).toBe(0);
});

test('a worker without the file, or with another, says so, and one with it goes on', async () => {
  await worker.end('SIGTERM');
  const changed = `${await readFile(inFolder('clean-text.ts'), 'utf8')}// changed\n`;
  await writeFile(inFolder('other/clean-text.ts'), changed);
  const roles = (list: string, ...args: readonly string[]): Promise<TestProcess> =>
    startWorker(site, ['--roles', list, ...args]);
  const control = await roles('control', '--steps', inFolder('other/clean-text.ts'));
  const without = await roles('work,train');
  const mixed = await submit(site, 'mixed', PIPELINE, FEW);
  const said = async (what: RegExp): Promise<string> =>
    until(`the failure ${what}`, async () => {
      const { lastFailure } = await mixed.pending('clean');
      return lastFailure !== undefined && what.test(lastFailure) ? lastFailure : undefined;
    });
  const compiled = /^the run was compiled with clean-text@1 revision 1 of source [0-9a-f]{12}, /;
  const remedy =
    'start every worker with the same --steps files; ' +
    'to run with a changed file, cancel the run and submit it again';
  expect((await said(/does not have it/)).replace(compiled, '')).toBe(
    `this worker does not have it: ${remedy}`,
  );
  await without.end('SIGTERM');
  const before = await roles('work,train', '--steps', inFolder('clean-text.ts'));
  expect((await said(/of source [^,]+, this worker has/)).replace(compiled, '')).toMatch(
    /^this worker has revision 1 of source [0-9a-f]{12}: start every worker/,
  );
  await before.end('SIGTERM');
  await control.end('SIGTERM');
  worker = await serve('other/clean-text.ts');

  // The source is another, so the step runs again; it gives the same rows, so nothing else does.
  expect(statuses(await mixed.ended())).toEqual(allCachedBut({ clean: 'completed' }));
  expect(statuses(await run('third'))).toEqual(allCachedBut({}));
});
