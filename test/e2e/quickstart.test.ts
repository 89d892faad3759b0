import { readdirSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { stripVTControlCharacters } from 'node:util';
import { beforeAll, expect, test } from 'vitest';
import { freePort, LOOPBACK } from '../../cli/port.ts';
import { findOnPath } from '../../setup/child-process.mjs';
import { readAttempts } from '../../store/ledger.ts';
import { openStore } from '../../store/open.ts';
import { cleanUp } from '../setup/cleanup.ts';
import { temporaryFolder } from '../setup/folders.ts';
import { startProgram, TestProcess } from '../setup/processes.ts';
import { until } from './observed-run.ts';

/** $RETUNE_HOME of all tests here, which go on where the one before stopped. */
let home: string;

beforeAll(async () => {
  home = await temporaryFolder();
  for (const port of [7233, 8233]) await occupy(port);
});

/** Listens on a port, so that nobody else can; one that is taken stays so. */
async function occupy(port: number): Promise<void> {
  const server = createServer((socket) => socket.destroy());
  await new Promise<void>((resolve) => {
    server.once('error', () => resolve()).listen(port, LOOPBACK, resolve);
  });
  cleanUp(async () => void server.close());
}

function npm(args: readonly string[], env: Readonly<Record<string, string>> = {}): TestProcess {
  return new TestProcess('npm', args, { env: { RETUNE_HOME: home, ...env } });
}

function quickstart(env: Readonly<Record<string, string>> = {}): TestProcess {
  return startProgram('cli/quickstart.ts', [], { env: { RETUNE_HOME: home, ...env } });
}

async function untilGone(program: TestProcess): Promise<void> {
  await until(
    'the end of all that it started',
    async () => (program.remaining().length === 0 ? true : undefined),
    30,
  );
}

test('Ctrl-C in the middle: it ends in order, and nothing is left running', async () => {
  const program = quickstart();
  await program.untilPrinted(/tune: step \d+\/225, loss/);
  expect(await program.end('SIGINT')).toEqual({ code: 130, signal: null });
  expect(program.remaining()).toEqual([]);
  expect(program.stdout).toContain("\nstopping: the run continues at the next 'npm start'\n");
  expect(program.stdout).not.toContain('accuracy  ');
});

test('killed in the middle: nothing is left running', async () => {
  const program = quickstart();
  await program.untilPrinted(/tune: running/);
  await program.end('SIGKILL');
  await untilGone(program);
  expect(program.stdout).toContain(
    "run 'quickstart' was interrupted: it continues where it stopped\n",
  );
});

test('the next call continues the training, and shows what came of it', async () => {
  // Settings for another server are not for the one that it starts.
  const env = {
    TEMPORAL_ADDRESS: 'elsewhere:7233',
    TEMPORAL_NAMESPACE: 'theirs',
    TEMPORAL_API_KEY: 'k',
  };
  const program = quickstart(env);
  expect(await program.exited).toEqual({ code: 0, signal: null });
  expect([program.stderr, program.remaining()]).toEqual(['', []]);
  expect(program.stdout).not.toContain('\u001B');

  const report = program.stdout.slice(program.stdout.indexOf('\naccuracy') + 1).split('\n');
  const [accuracy, baseline] = percentages(report[0]!);
  expect(report[0]).toBe(
    `accuracy  ${accuracy} % on 330 held-out messages ` +
      `(always answering the most frequent label: ${baseline} %)`,
  );
  expect(Number(accuracy) - Number(baseline)).toBeGreaterThanOrEqual(25);
  const files = join(home, 'models/quickstart/v1');
  expect(report.slice(1, 4)).toEqual([
    'model     quickstart v1, registered as v1',
    `files     ${files}`,
    expect.stringMatching(/^steps {5}0 of 11 from the cache, \d+ s in all$/),
  ]);
  expect(report.slice(5, 7)).toEqual([
    'try next:',
    '  npm run --silent retune -- predict quickstart "the new phone is great, I love it"',
  ]);
  expect(readdirSync(files).sort()).toEqual([
    ...['config.json', 'model.safetensors', 'tokenizer.json', 'tokenizer_config.json'],
  ]);

  const store = await openStore(`file:${home}/store`);
  const attempts = await readAttempts(store, { workflowId: 'quickstart' });
  const resumed = attempts.filter(({ step }) => step === 'tune').map((at) => at.resumedFromStep);
  expect(resumed[0]).toBe(0);
  expect(resumed.at(-1)).toBeGreaterThan(0);
});

function percentages(line: string): readonly string[] {
  return [...line.matchAll(/([\d.]+) %/g)].map(([, number]) => number!);
}

test('the second call: everything is in the cache, and the model is the one of before', async () => {
  const program = npm(['start']);
  expect((await program.exited).code).toBe(0);
  expect(program.stdout).toContain(
    'run quickstart (quickstart): completed, 10 of 11 steps from the cache, nothing was trained\n',
  );
  expect(program.stdout).toContain(
    'model     quickstart v1, the same model was registered before, as v1\n',
  );
  expect(program.stdout).toMatch(/\nsteps {5}10 of 11 from the cache, \d+ s in all\n/);
  expect(program.remaining()).toEqual([]);
});

test.skipIf(findOnPath('script', process.env['PATH']).length === 0)(
  'on a terminal: a live table',
  async () => {
    const program = new TestProcess(
      'script',
      ['-qec', 'stty rows 40 cols 100; npm start', '/dev/null'],
      {
        env: { RETUNE_HOME: home, TERM: 'xterm' },
      },
    );
    expect((await program.exited).code).toBe(0);
    // Drawn over what was drawn before.
    expect(program.stdout).toContain('\u001B[2K');
    expect(stripVTControlCharacters(program.stdout)).toMatch(
      /\ntune +cached +\d+\.\ds +train_loss/,
    );
  },
);

test('npm run dev ends with the npm that was killed', async () => {
  const [port, uiPort] = [await freePort(), await freePort()];
  const dev = npm(['run', 'dev'], { RETUNE_PORT: String(port), RETUNE_UI_PORT: String(uiPort) });
  await dev.untilPrinted(/Ctrl-C stops all of it/);
  await dev.end('SIGKILL');
  await untilGone(dev);
  expect(dev.stdout).toContain('stopping: running steps checkpoint first');
});

test('npm run dev: up until Ctrl-C, with Temporal’s web UI', async () => {
  const [port, uiPort] = [await freePort(), await freePort()];
  const env = { RETUNE_HOME: home, RETUNE_PORT: String(port), RETUNE_UI_PORT: String(uiPort) };
  const dev = startProgram('cli/main.ts', ['dev'], { env });
  await dev.untilPrinted(/Ctrl-C stops all of it/);
  expect(dev.stdout).toContain(`Temporal server  ${LOOPBACK}:${port}  (namespace default)\n`);
  expect(dev.stdout).toContain(`web UI           http://${LOOPBACK}:${uiPort}\n`);
  expect(dev.stdout).toContain(`workflow start --address ${LOOPBACK}:${port} --type pipeline`);
  expect((await fetch(`http://${LOOPBACK}:${uiPort}`)).status).toBe(200);

  const second = startProgram('cli/main.ts', ['dev'], { env });
  expect((await second.exited).code).toBe(1);
  expect(second.stderr.replace(/process \d+/, 'process PID')).toBe(
    `error: port ${port} is taken by process PID (temporal), a Temporal server. Use that server with ` +
      `TEMPORAL_ADDRESS=${LOOPBACK}:${port}, stop it, or choose another port. ` +
      "(RETUNE_PORT and RETUNE_UI_PORT set the ports of 'npm run dev'.)\n",
  );

  expect(await dev.end('SIGINT')).toEqual({ code: 0, signal: null });
  expect(dev.remaining()).toEqual([]);
  expect(dev.stdout).toContain('\nstopping: running steps checkpoint first\n');
});
