// @ts-check
// node setup/exec.mjs [--temporal-cli] FILE [ARGS...]
// Runs a TypeScript file of the project in this process, so that signals reach it directly. What it needs
// is installed first; with --temporal-cli that is the Temporal CLI too, handed over as $TEMPORAL_CLI.
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { orExit } from './console.mjs';
import { PROJECT_ROOT, ensureDependencies } from './dependencies.mjs';

const [node = process.execPath, , ...args] = process.argv;
const withTemporalCli = args[0] === '--temporal-cli';
if (withTemporalCli) args.shift();
const [file, ...fileArgs] = args;
if (file === undefined)
  throw new Error('usage: node setup/exec.mjs [--temporal-cli] FILE [ARGS...]');

await orExit(async () => {
  await ensureDependencies();
  if (!withTemporalCli) return;
  const { ensureTemporalCli } = await import('./temporal-cli.mjs');
  process.env['TEMPORAL_CLI'] = await ensureTemporalCli();
});

const { register } = await import('tsx/esm/api');
register({ tsconfig: resolve(PROJECT_ROOT, 'tsconfig.json') });
const entry = resolve(PROJECT_ROOT, file);
process.argv = [node, entry, ...fileArgs];
await import(pathToFileURL(entry).href);
