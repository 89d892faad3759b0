/* Starts a Temporal server that logs to a file, says so and stays: temporal-server-process.ts LOG */
import { startTemporalServer } from '../../cli/temporal-server.ts';
import { ensureTemporalCli } from '../../setup/temporal-cli.mjs';

const [, , logFile = ''] = process.argv;
const server = await startTemporalServer({ cliPath: await ensureTemporalCli(), logFile });
console.log('serving');
await server.exited;
