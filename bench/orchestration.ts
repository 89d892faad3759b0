/**
 * What Retune adds to Temporal: 40 sequential steps that do nothing beside a workflow written by hand
 * with as many activities, in turn, on one embedded server with a file database; the same pipeline
 * again from the cache; and a matrix of 1,000 entries. Beside it: orchestration.md, which it writes.
 *
 *     node setup/exec.mjs bench/orchestration.ts
 */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client, Connection } from '@temporalio/client';
import { startLocalStack } from '../cli/local-stack.ts';
import { CONTROL_QUEUE, PIPELINE_WORKFLOW } from '../plan/names.ts';
import { readAttempts } from '../store/ledger.ts';
import { openStore } from '../store/open.ts';

const STEPS = 40;
const TURNS = 7;
const MATRIX_TURNS = 1;

const STEP_FILE = join(import.meta.dirname, 'orchestration-steps.ts');
const BARE = join(import.meta.dirname, 'orchestration-bare.ts');

const home = mkdtempSync(join(tmpdir(), 'retune-bench-'));
process.env['RETUNE_HOME'] = home;
const stack = await startLocalStack(
  { port: 'free', steps: [{ path: STEP_FILE, name: STEP_FILE }] },
  new AbortController().signal,
);
const bareWorker = fork(BARE, [stack.server.address], {
  execArgv: ['--import', import.meta.resolve('tsx')],
});
try {
  await once(bareWorker, 'message');
  const connection = await Connection.connect({ address: stack.server.address });
  report(await measure(new Client({ connection })));
  await connection.close();
} finally {
  bareWorker.disconnect();
  await stack.stop();
  rmSync(home, { recursive: true });
}

interface Times {
  readonly bare: number[];
  readonly steps: number[];
  readonly cached: number[];
  readonly matrix: number[];
}

async function measure(client: Client): Promise<Times> {
  const times: Times = { bare: [], steps: [], cached: [], matrix: [] };
  // The first turn fills caches of both sides.
  for (let turn = 0; turn <= TURNS; turn += 1) {
    const run = `turn-${turn}`;
    const id = { workflowId: `sequence-${run}` };
    const bare = await timed(() =>
      client.workflow.execute('bare', {
        ...{ taskQueue: 'bare', workflowId: `bare-${run}`, args: [{ steps: STEPS, run }] },
      }),
    );
    const steps = await timed(() => submit(client, id, sequence(run)));
    await expectExecutions(id, STEPS);
    const cached = await timed(() => submit(client, id, sequence(run)));
    await expectExecutions(id, STEPS);
    if (turn === 0) continue;
    times.bare.push(bare);
    times.steps.push(steps);
    times.cached.push(cached);
  }
  for (let turn = 0; turn < MATRIX_TURNS; turn += 1) {
    const id = { workflowId: `matrix-${turn}` };
    times.matrix.push(await timed(() => submit(client, id, matrix(String(turn)))));
    await expectExecutions(id, 1_000);
  }
  return times;
}

function submit(client: Client, id: { workflowId: string }, pipeline: object): Promise<unknown> {
  return client.workflow.execute(PIPELINE_WORKFLOW, {
    ...{ taskQueue: CONTROL_QUEUE, args: [pipeline] },
    ...id,
  });
}

/** By the store's ledger: what was measured is what was done. */
async function expectExecutions(id: { workflowId: string }, wanted: number): Promise<void> {
  const attempts = await readAttempts(await openStore(`file:${join(home, 'store')}`), id);
  if (attempts.length === wanted) return;
  throw new Error(`${id.workflowId} ran ${attempts.length} steps, expected ${wanted}`);
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await work();
  return performance.now() - start;
}

/** @param run makes the steps of each turn other ones */
function sequence(run: string): object {
  const step = (number: number): object => ({
    uses: 'noop@1',
    with: { after: number === 0 ? 0 : `\${{ steps.s${number - 1}.outputs.number }}`, run },
  });
  const steps = Array.from({ length: STEPS }, (_, number) => [`s${number}`, step(number)] as const);
  return { name: 'sequence', steps: Object.fromEntries(steps) };
}

function matrix(run: string): object {
  const digits = Array.from({ length: 10 }, (_, digit) => digit);
  const entry = { after: 0, run: `${run}-\${{ matrix.a }}\${{ matrix.b }}\${{ matrix.c }}` };
  const strategy = { matrix: { a: digits, b: digits, c: digits } };
  return { name: 'matrix', steps: { each: { uses: 'noop@1', strategy, with: entry } } };
}

function report(times: Times): void {
  const ratios = times.steps.map((ms, turn) => ms / (times.bare[turn] ?? NaN));
  const perEntry = times.matrix.map((ms) => ms / 1_000);
  const row = (name: string, values: readonly number[], shown: (value: number) => string): string =>
    `| ${name} | ${median(values, shown)} |`;
  const ms = (value: number): string => `${value.toFixed(value < 100 ? 1 : 0)} ms`;
  const [cpu] = cpus();
  const page = `# Time that Retune adds to Temporal

\`node setup/exec.mjs bench/orchestration.ts\`: the server and worker of \`npm run dev\` (a file database, the poll rates of
[temporal-server.ts](../cli/temporal-server.ts)), and beside them a worker with a workflow of ${STEPS} activities, each
with the result of the one before. Both do nothing. In turn, ${TURNS} times (the matrix ${MATRIX_TURNS}); wall time, from the
client's call to the result. The ledger has each step once.

Measured on ${cpu?.model.trim() ?? 'unknown processor'}, ${cpus().length} cores, Node ${process.versions.node}; load average ${loadavg()[0]?.toFixed(1)}.

| what | median | least | most |
| --- | --- | --- | --- |
${[
  row(`a workflow by hand, ${STEPS} activities`, times.bare, ms),
  row(`a pipeline, ${STEPS} steps`, times.steps, ms),
  row('the pipeline, times the workflow of the same turn', ratios, (value) => value.toFixed(2)),
  row('the pipeline again, all from the cache', times.cached, ms),
  row('a matrix of 1,000 entries, an entry', perEntry, ms),
].join('\n')}
`;
  writeFileSync(join(import.meta.dirname, 'orchestration.md'), page);
  console.log(page);
}

function median(values: readonly number[], shown: (value: number) => string): string {
  const sorted = values.toSorted((a, b) => a - b);
  const cells = [sorted[Math.floor(sorted.length / 2)], sorted[0], sorted.at(-1)];
  return cells.map((value) => shown(value ?? NaN)).join(' | ');
}
