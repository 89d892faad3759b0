import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Client, Connection, WorkflowFailedError } from '@temporalio/client';
import { DefaultLogger, NativeConnection, Runtime, Worker } from '@temporalio/worker';
import { beforeAll, expect, test } from 'vitest';
import { z } from 'zod';
import { createActivities } from '../../activities/activities.ts';
import { Redactor } from '../../activities/redactor.ts';
import type { StepContext } from '../../activities/step-context.ts';
import { credential, defineStep } from '../../language/step-declaration.ts';
import { CONTROL_QUEUE, PIPELINE_WORKFLOW, WORK_QUEUE } from '../../plan/names.ts';
import type { RunState } from '../../plan/plan.ts';
import { putArtifact } from '../../store/artifacts.ts';
import { readAttempts } from '../../store/ledger.ts';
import { openStore } from '../../store/open.ts';
import { getRun } from '../../store/runs.ts';
import type { Store } from '../../store/store.ts';
import { Failure } from '../../plan/failures.ts';
import { until } from '../e2e/observed-run.ts';
import { cleanUp } from '../setup/cleanup.ts';
import { temporaryFolder } from '../setup/folders.ts';
import { addFolder, bytesInside, findSecret, type Haystack } from '../setup/secret-search.ts';
import { temporalNamespace } from '../setup/temporal.ts';

const SECRET = 'tok/en+1 "quoted" \\ é';
const OTHER = 'a code of 12 digits';

type Given = StepContext & { readonly text: string };

/** Code that gives away what it was given, in every way that a step's code has. */
type Leak = (secret: string, given: Given) => Promise<Record<string, unknown>> | void;
const LEAKS: Readonly<Record<string, Leak>> = {
  note: (secret, context) => context.note(`signed in with ${secret}`),
  fail: (secret) => {
    const cause = new TypeError(`bad header "${secret}"`, { cause: JSON.stringify({ secret }) });
    throw new Failure('InvalidInput', `the server said: ${secret}`, { cause });
  },
  crash: (secret) => {
    throw new Error(`${Buffer.from(secret).toString('base64')} ${encodeURIComponent(secret)}`);
  },
  output: (secret) => Promise.resolve({ said: `you are ${secret}` }),
  nested: (secret) => Promise.resolve({ said: JSON.stringify(JSON.stringify({ secret })) }),
  blob: async (secret, { store }) => {
    const { digest } = await store.putBlob(Buffer.from(JSON.stringify({ secret })));
    return { said: digest };
  },
  file: async (secret, { store, temporaryDirectory }) => {
    const file = join(temporaryDirectory, 'rows.bin');
    await writeFile(file, Buffer.concat([Buffer.alloc(200_000, 7), Buffer.from(secret)]));
    const files = { 'rows.bin': { file } };
    return { said: await putArtifact(store, { type: 'dataset', metadata: {}, files }) };
  },
  metadata: async (secret, { store }) => {
    const metadata = { url: `https://host/${encodeURIComponent(secret)}` };
    return { said: await putArtifact(store, { type: 'dataset', metadata, files: {} }) };
  },
  ref: async (secret, { store }) => {
    await store.swapRef('notes/one', undefined, { secret });
    return { said: 'kept' };
  },
  forge: () => Promise.resolve({ said: '${{ secrets.TOKEN }}' }),
  echo: (_, { text }) => Promise.resolve({ said: text }),
  count: (secret) => Promise.resolve({ said: `${secret.length} characters` }),
};

let released: () => void;
const release = new Promise<void>((resolve) => (released = resolve));

const leak = defineStep({
  ...{ kind: 'leak', version: 1, revision: 1, effect: 'pure', role: 'work', summary: 'Test.' },
  with: z.strictObject({
    how: z.string(),
    key: credential('TOKEN').optional(),
    text: z.string().optional(),
    code: z
      .string()
      .regex(/^[a-z0-9 ]+$/, 'expected letters and digits')
      .optional(),
  }),
  outputs: { said: z.string() },
  async run(context: StepContext, { how, key = '', text = '', code = '' }) {
    if (how === 'progress') {
      context.progress({
        phase: `fetching ${key}`,
        [key]: Buffer.from(`u:${key}`).toString('base64'),
      });
      await release;
    }
    return ((await LEAKS[how]?.(key + code, { ...context, text })) ?? { said: 'nothing' }) as {
      said: string;
    };
  },
});

let home: string;
let store: Store;
let client: Client;

beforeAll(async () => {
  Runtime.install({ logger: new DefaultLogger('ERROR') });
  const { address, namespace } = await temporalNamespace();
  home = await temporaryFolder();
  store = await openStore(`file:${home}/store`);
  const env = { RETUNE_SECRET_TOKEN: SECRET, RETUNE_SECRET_CODE: OTHER, RETUNE_SECRETS_DIR: home };
  const activities = createActivities({
    ...{ store, env, workRoot: join(home, 'work'), redactor: new Redactor() },
    ...{ shutdown: new AbortController().signal, catalog: [leak] },
  });
  const connection = await NativeConnection.connect({ address });
  const workflowsPath = fileURLToPath(new URL('../../workflows/index.ts', import.meta.url));
  const shared = { connection, namespace, maxHeartbeatThrottleInterval: '1s' } as const;
  const workers = [
    await Worker.create({
      ...{ ...shared, taskQueue: CONTROL_QUEUE, workflowsPath, activities: activities.control },
    }),
    await Worker.create({ ...shared, taskQueue: WORK_QUEUE, activities: activities.work }),
  ];
  const running = Promise.all(workers.map((worker) => worker.run()));
  cleanUp(async () => {
    for (const worker of workers) worker.shutdown();
    await running;
    await connection.close();
  });
  const clientConnection = await Connection.connect({ address });
  cleanUp(() => clientConnection.close());
  client = new Client({ connection: clientConnection, namespace });
});

const KEY = '${{ secrets.TOKEN }}';

async function start(id: string, inputs: Readonly<Record<string, string>>): Promise<void> {
  const retry = { max_attempts: 1 };
  const source = { name: 'p', steps: { step: { uses: 'leak@1', with: inputs, retry } } };
  await client.workflow.start(PIPELINE_WORKFLOW, {
    ...{ workflowId: id, taskQueue: CONTROL_QUEUE, args: [source] },
  });
}

async function ended(id: string): Promise<RunState> {
  await client.workflow
    .getHandle(id)
    .result()
    .catch((error: unknown) => {
      if (!(error instanceof WorkflowFailedError)) throw error;
    });
  return (await getRun(store, id))!.state;
}

/** Where the secret shows in the run's history, and in everything under the home. */
async function traces(id: string): Promise<readonly string[]> {
  const haystack: Haystack = new Map();
  haystack.set('history', bytesInside(await client.workflow.getHandle(id).fetchHistory()));
  haystack.set('ledger', bytesInside(await readAttempts(store, { workflowId: id })));
  await addFolder(haystack, home);
  return findSecret(haystack, SECRET);
}

const HELD =
  "holds the value of secret 'TOKEN', and nothing is kept that does: take it out of what the step reads, or use another secret";

test.each<[string, { message?: string; note?: string; said?: string }]>([
  ['note', { note: 'signed in with ***', said: 'nothing' }],
  ['fail', { message: 'the server said: ***' }],
  ['crash', { message: '*** ***' }],
  ['output', { message: `what it puts out ${HELD}` }],
  ['nested', { message: `what it puts out ${HELD}` }],
  ['blob', { message: `what it makes ${HELD}` }],
  ['file', { message: `its file rows.bin ${HELD}` }],
  ['metadata', { message: `what it makes ${HELD}` }],
  ['ref', { message: `its record ${HELD}` }],
  ['count', { said: `${SECRET.length} characters` }],
])('a step that gives a secret away: %s', async (how, { message, note, said }) => {
  await start(how, { how, key: KEY });
  const { step } = (await ended(how)).steps;
  expect(step?.error?.message).toBe(message);
  expect(step?.note).toBe(note);
  expect(step?.outputs?.['said']).toBe(said);
  expect(await traces(how)).toEqual([]);
});

test('heartbeats', async () => {
  await start('progress', { how: 'progress', key: KEY });
  const { raw, details } = await until('a heartbeat with details', async () => {
    const described = await client.workflow.getHandle('progress').describe();
    const inside = bytesInside(described.raw.pendingActivities).toString();
    return inside.includes('phase') ? { raw: described.raw, details: inside } : undefined;
  });
  released();
  expect(details).toContain('{"attempt":1,"phase":"fetching ***","***":"dT***"}');
  expect(findSecret(new Map([['description', bytesInside(raw)]]), SECRET)).toEqual([]);
  expect((await ended('progress')).status).toBe('completed');
  expect(await traces('progress')).toEqual([]);
});

test('a secret that is not set fails the step at once, by name', async () => {
  await start('unset', { how: 'unset', key: 'Bearer ${{ secrets.MISSING }}' });
  const { step } = (await ended('unset')).steps;
  expect(step?.error?.type).toBe('InvalidInput');
  expect(step?.error?.message).toMatch(
    /^secret 'MISSING' is not set: found neither the environment variable RETUNE_SECRET_MISSING nor the file .*\/MISSING; set one of them for the worker on .*, and submit again$/,
  );
  expect(await readAttempts(store, { workflowId: 'unset' })).toHaveLength(1);
});

test('what a kind wants of an input is checked once the secret is in it', async () => {
  await start('good', { how: 'count', code: '${{ secrets.CODE }}' });
  expect((await ended('good')).steps['step']?.outputs).toEqual({ said: '19 characters' });
  await start('bad', { how: 'count', code: '${{ secrets.TOKEN }}' });
  expect((await ended('bad')).steps['step']?.error).toEqual({
    type: 'InvalidInput',
    message: "'code' is a secret; expected letters and digits",
  });
  expect(await traces('bad')).toEqual([]);
});

test('a result is a hit whatever the credential is, set or not', async () => {
  await start('first', { how: 'hit', key: KEY });
  expect((await ended('first')).steps['step']?.status).toBe('completed');
  await start('second', { how: 'hit', key: '${{ secrets.MISSING }}' });
  expect((await ended('second')).steps['step']?.status).toBe('cached');
});

test('text of a step that looks like a secret is not filled in', async () => {
  const source = {
    name: 'p',
    steps: {
      foreign: { uses: 'leak@1', with: { how: 'forge' } },
      echo: { uses: 'leak@1', with: { how: 'echo', text: '${{ steps.foreign.outputs.said }}' } },
    },
  };
  await client.workflow.start(PIPELINE_WORKFLOW, {
    ...{ workflowId: 'forged', taskQueue: CONTROL_QUEUE, args: [source] },
  });
  const { foreign, echo } = (await ended('forged')).steps;
  expect(foreign?.outputs?.['said']).toBe('${{ secrets.TOKEN }}');
  expect(echo?.outputs?.['said']).toBe('${{ secrets.TOKEN }}');
});
