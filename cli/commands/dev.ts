import { CommandError } from '../command-error.ts';
import { LOOPBACK } from '../port.ts';
import { interrupted, interruption, startLocalStack, type LocalStack } from '../local-stack.ts';
import type { StepFile } from '../../activities/custom/step-source.ts';
import { printLines } from '../output.ts';
import { TemporalServerError } from '../temporal-server.ts';
import { catalogOf } from './step-catalog.ts';

/** Where Temporal's own tools look when they are told nothing. */
const DEFAULT_PORT = 7233;
const DEFAULT_UI_PORT = 8233;

/** `npm run dev`: server on the Temporal CLI's default port, its web UI and a worker. */
export async function dev({ steps = [] }: { steps?: readonly StepFile[] }): Promise<number> {
  const signal = interruption();
  // Before a server starts: what is wrong with the files is said here, not in the worker's log.
  await catalogOf(steps);
  const stack = await start(signal, steps);
  const { server, temporalCli } = stack;
  const isDefault = server.address === `${LOOPBACK}:${DEFAULT_PORT}`;
  const address = isDefault ? '' : ` --address ${server.address}`;
  printLines([
    '',
    `Temporal server  ${server.address}  (namespace default)`,
    `web UI           ${server.uiUrl ?? ''}`,
    `worker           pid ${stack.workerPid()}, queues retune, retune-work, retune-train-cpu`,
    `state            ${stack.home}`,
    '',
    'submit a pipeline from another terminal:',
    `  ${temporalCli} workflow start${address} --type pipeline --task-queue retune --workflow-id quickstart \\`,
    '    --input-file pipelines/quickstart.yaml --input-meta encoding=binary/plain',
    'Ctrl-C stops all of it; runs continue at the next start.',
  ]);
  try {
    await Promise.race([interrupted(signal), stack.failed]);
    printLines(['', 'stopping: running steps checkpoint first']);
    return 0;
  } finally {
    await stack.stop();
  }
}

async function start(signal: AbortSignal, steps: readonly StepFile[]): Promise<LocalStack> {
  const port = portOf('RETUNE_PORT', DEFAULT_PORT);
  const uiPort = portOf('RETUNE_UI_PORT', DEFAULT_UI_PORT);
  const onStep = (text: string): void => printLines([`${text} ...`]);
  try {
    return await startLocalStack({ port, uiPort, onStep, steps }, signal);
  } catch (error) {
    if (!(error instanceof TemporalServerError) || error.problem !== 'port-taken') throw error;
    throw new CommandError(
      `${error.message} (RETUNE_PORT and RETUNE_UI_PORT set the ports of 'npm run dev'.)`,
      { cause: error },
    );
  }
}

function portOf(variable: string, otherwise: number): number {
  const text = process.env[variable];
  if (text === undefined || text === '') return otherwise;
  const port = Number(text);
  if (Number.isInteger(port) && port >= 1 && port <= 65_535) return port;
  throw new CommandError(`${variable} is '${text}': expected a port, from 1 to 65535`);
}
