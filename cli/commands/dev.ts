import { interrupted, interruption, startLocalStack } from '../local-stack.ts';
import { printLines } from '../output.ts';

const DEFAULT_PORT = 7233;
const DEFAULT_UI_PORT = 8233;

/** `npm run dev`: server on the Temporal CLI's default port, its web UI and a worker. */
export async function dev(): Promise<number> {
  const signal = interruption();
  const stack = await startLocalStack(
    {
      port: Number(process.env['RETUNE_PORT'] ?? DEFAULT_PORT),
      uiPort: Number(process.env['RETUNE_UI_PORT'] ?? DEFAULT_UI_PORT),
      onStep: (text) => printLines([`${text} ...`]),
    },
    signal,
  );
  printLines([
    '',
    `Temporal server  ${stack.server.address}  (namespace default)`,
    `web UI           ${stack.server.uiUrl ?? ''}`,
    `worker           pid ${stack.workerPid()}, queues retune, retune-work, retune-train-cpu`,
    `state            ${stack.home}`,
    '',
    'submit a pipeline from another terminal:',
    '  temporal workflow start --type pipeline --task-queue retune --workflow-id quickstart \\',
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
