/** Worker of the workflow that bench/orchestration.ts compares with: `orchestration-bare.ts ADDRESS`. */
import { fileURLToPath } from 'node:url';
import { NativeConnection, Worker } from '@temporalio/worker';

const [, , address = ''] = process.argv;
const worker = await Worker.create({
  connection: await NativeConnection.connect({ address }),
  taskQueue: 'bare',
  workflowsPath: fileURLToPath(new URL('./orchestration-bare-workflow.ts', import.meta.url)),
  activities: {
    noop: ({ after }: { after: number }) => Promise.resolve({ number: after + 1 }),
  },
});
process.once('disconnect', () => worker.shutdown());
const running = worker.run();
process.send?.('ready');
await running;
process.exit();
