// node setup/exec.mjs test/replay/record-histories.ts [NAME...]
// Records the histories that replay.test.ts replays, or those named, with a server, a worker and a
// store of its own.
import { spawnSync } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { setup } from '../../cli/commands/setup.ts';
import { connect } from '../../cli/connection.ts';
import { startTemporalServer } from '../../cli/temporal-server.ts';
import { startWorker } from '../../cli/worker-process.ts';
import { ensureTemporalCli } from '../../setup/temporal-cli.mjs';
import {
  APPROVE_UPDATE,
  PIPELINE_WORKFLOW,
  CONTROL_QUEUE,
  PAUSE_SIGNAL,
  RESUME_SIGNAL,
  RETRY_UPDATE,
  searchWorkflow,
  SET_PARAMS_UPDATE,
  SKIP_UPDATE,
  STATE_QUERY,
  trialWorkflow,
} from '../../plan/names.ts';
import type { RunState } from '../../plan/plan.ts';

const names = process.argv.slice(2);
const HISTORIES = fileURLToPath(new URL('histories', import.meta.url));
const home = await mkdtemp(join(tmpdir(), 'retune-histories-'));
const cliPath = await ensureTemporalCli();
const server = await startTemporalServer({ cliPath, logFile: join(home, 'temporal.log') });
process.env['TEMPORAL_ADDRESS'] = server.address;
await setup({ json: true });
const worker = await startWorker({
  logFile: join(home, 'worker.log'),
  env: { ...process.env, RETUNE_HOME: home },
});
const { client, close } = await connect();

const source = await readFile(new URL('tiny.yaml', import.meta.url));
const matrix = await readFile(new URL('matrix.yaml', import.meta.url));
const search = await readFile(new URL('search.yaml', import.meta.url));
const paused = await readFile(new URL('paused.yaml', import.meta.url));
const large = { params: { n_embd: 256, max_steps: 1 } };
await record('completed', {});
await record('cached', {});
await record('failed', { params: { text: 'no-such-column' } });
await record('cancelled', { params: { max_steps: 100_000 } }, async (id) => {
  await untilTraining(id);
  await client.workflow.getHandle(id).cancel();
});
// A model too large to be verified in passing; the first of the two runs is not kept.
await record('verified', large);
await record('verified', large);
await record('matrix', {}, undefined, matrix);
await record('visible', { params: { max_steps: 3 } });
await record('matrix-failed', { params: { splits: ['train', 'none', 'test'] } }, undefined, matrix);
// Held, other params, another try, a step left out, and a decision.
await record('paused', {}, intervene, paused);
// With its children: the search, and one of its trials.
await record('search', {}, undefined, search);
await save('search-child', searchWorkflow('search', 'tune'));
await save('trial', trialWorkflow(searchWorkflow('search', 'tune'), 0, 0));

await close();
await worker.stop();
await server.stop();
await rm(home, { recursive: true });

async function record(
  name: string,
  options: object,
  whileRunning: (id: string) => Promise<void> = () => Promise.resolve(),
  pipeline: Uint8Array = source,
): Promise<void> {
  const handle = await client.workflow.start(PIPELINE_WORKFLOW, {
    taskQueue: CONTROL_QUEUE,
    workflowId: name,
    args: [pipeline, options],
  });
  await whileRunning(name);
  await handle.result().catch(() => undefined);
  await save(name, name);
}

/** Writes the history of a workflow that has ended, if it was asked for. */
async function save(name: string, id: string): Promise<void> {
  if (names.length > 0 && !names.includes(name)) return;
  const file = join(HISTORIES, `${name}.json`);
  const args = ['workflow', 'show', '--workflow-id', id, '--output', 'json'];
  const shown = spawnSync(cliPath, [...args, '--address', server.address], { encoding: 'utf8' });
  if (shown.status !== 0) throw new Error(shown.stderr);
  await writeFile(file, withoutPlaces(shown.stdout));
}

async function intervene(id: string): Promise<void> {
  const handle = client.workflow.getHandle(id);
  const until = async (isSo: (state: RunState) => boolean): Promise<void> => {
    while (!isSo(await handle.query<RunState>(STATE_QUERY))) continue;
  };
  const isPaused = ({ status, steps }: RunState): boolean =>
    status === 'paused' && steps['others']?.status === 'paused';
  await until(isPaused);
  await handle.signal(PAUSE_SIGNAL);
  await handle.executeUpdate(SET_PARAMS_UPDATE, { args: [{ params: { split: 'train' } }] });
  await handle.signal(RESUME_SIGNAL);
  await until(({ steps }) => steps['gate']?.question !== undefined);
  await handle.executeUpdate(RETRY_UPDATE, { args: [{ step: 'others' }] });
  await until(isPaused);
  await handle.executeUpdate(SKIP_UPDATE, { args: [{ step: 'others' }] });
  const decision = { step: 'gate', decision: 'approved', by: 'ada' };
  await handle.executeUpdate(APPROVE_UPDATE, { args: [decision] });
}

/** A history as it would be on any machine: no host, process or folder. */
function withoutPlaces(history: string): string {
  return history
    .replaceAll(/"identity": "[^"]*"/g, '"identity": "worker"')
    .replaceAll(/"stackTrace": "(?:[^"\\]|\\.)*"/g, '"stackTrace": ""');
}

async function untilTraining(id: string): Promise<void> {
  for (;;) {
    const { steps } = await client.workflow.getHandle(id).query<RunState>(STATE_QUERY);
    if (steps['tune']?.status === 'running') return;
  }
}
