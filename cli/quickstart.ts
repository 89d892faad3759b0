import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { colors } from './colors.ts';
import type { ArtifactDigest, RunState } from '../plan/plan.ts';
import { exportArtifact } from '../store/artifacts.ts';
import type { Store } from '../store/store.ts';
import { openUserStore } from './commands/session.ts';
import { INTERRUPTED_EXIT_CODE } from './command-error.ts';
import { connect, DEFAULT_NAMESPACE, type Connected } from './connection.ts';
import { reportError } from './error-report.ts';
import { exitCodeOf, followRun } from './follow.ts';
import { interruption, startLocalStack } from './local-stack.ts';
import { formatNumber, printLines } from './output.ts';
import { isRunning, submit } from './submission.ts';
import { userPath } from './user-path.ts';

/** What pipelines/quickstart.yaml gives as its outputs. */
interface QuickstartOutputs {
  readonly accuracy: number;
  readonly majority_baseline: number;
  readonly examples: number;
  readonly model: ArtifactDigest;
  readonly name: string;
  readonly version: number;
}

const PIPELINE = 'pipelines/quickstart.yaml';
const RUN_ID = 'quickstart';

/** `npm start`: server, worker, the quickstart pipeline with live progress, what came of it. */
async function quickstart(): Promise<number> {
  const startedAt = Date.now();
  const signal = interruption();
  const say = (text: string): void => printLines([colors.dim(`${text} ...`)]);
  const stack = await startLocalStack({ port: 'free', onStep: say }, signal);
  try {
    const store = await openUserStore();
    const connected = await connect({
      connectionOptions: { address: stack.server.address },
      namespace: DEFAULT_NAMESPACE,
    });
    try {
      const run = runPipeline(connected, store, { home: stack.home, startedAt, signal });
      // When the stack fails first, what the run then meets is no news.
      run.catch(() => undefined);
      return await Promise.race([run, stack.failed]);
    } finally {
      await connected.close();
    }
  } finally {
    await stack.stop();
  }
}

async function runPipeline(
  connected: Connected,
  store: Store,
  { home, startedAt, signal }: { home: string; startedAt: number; signal: AbortSignal },
): Promise<number> {
  signal.throwIfAborted();
  if (await isRunning(connected, RUN_ID)) {
    printLines([`run '${RUN_ID}' was interrupted: it continues where it stopped`]);
  } else {
    const source = await readFile(fileURLToPath(new URL(`../${PIPELINE}`, import.meta.url)));
    await submit(connected, { id: RUN_ID, source, options: { source_name: PIPELINE } });
  }
  const { state } = await followRun(connected, store, RUN_ID, { signal });
  if (signal.aborted) {
    printLines(['', "stopping: the run continues at the next 'npm start'"]);
    return INTERRUPTED_EXIT_CODE;
  }
  if (state.status === 'completed') await report(store, home, state, startedAt);
  else printLines(['', colors.red(`the run ${state.status}`), state.error?.message ?? '']);
  return exitCodeOf(state.status);
}

async function report(
  store: Store,
  home: string,
  state: RunState,
  startedAt: number,
): Promise<void> {
  const outputs = state.outputs as unknown as QuickstartOutputs;
  const files = join(home, 'models', outputs.name, `v${outputs.version}`);
  if (!existsSync(files)) await exportArtifact(store, outputs.model, files);
  const steps = Object.values(state.steps);
  const cached = steps.filter(({ status }) => status === 'cached').length;
  const registered = Object.values(state.steps).find(
    ({ outputs: o }) => o?.['version'] !== undefined,
  );
  const seconds = ((Date.now() - startedAt) / 1000).toFixed(0);
  printLines([
    '',
    `accuracy  ${colors.bold(percent(outputs.accuracy))} on ${formatNumber(outputs.examples)} held-out messages ` +
      `(always answering the most frequent label: ${percent(outputs.majority_baseline)})`,
    `model     ${colors.bold(`${outputs.name} v${outputs.version}`)}${registered?.note ? `, ${registered.note}` : ''}`,
    `files     ${shownPath(files)}`,
    `steps     ${cached} of ${steps.length} from the cache, ${seconds} s in all`,
    '',
    'try next:',
    `  npm run --silent retune -- predict ${outputs.name} "the new phone is great, I love it"`,
    '  npm run dev        # server, web UI and worker until Ctrl-C; then submit your own pipeline:',
    '  npm run --silent retune -- run pipelines/quickstart.yaml -p learning_rate=5e-4',
  ]);
}

/** Relative to where the person is, unless that leads out of it. */
function shownPath(path: string): string {
  const fromUser = relative(userPath('.'), path);
  return fromUser.startsWith('..') ? path : fromUser;
}

function percent(share: number): string {
  return `${(share * 100).toFixed(1)} %`;
}

process.exitCode = await quickstart().catch(reportError);
