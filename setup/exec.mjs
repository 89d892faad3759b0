// @ts-check
// node setup/exec.mjs FILE [ARGS...]
// Runs a TypeScript file of the project in this process, so that signals reach it directly. What it needs
// is installed first.
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { orExit } from './console.mjs';
import { PROJECT_ROOT, ensureDependencies } from './dependencies.mjs';

const [node = process.execPath, , file, ...fileArgs] = process.argv;
if (file === undefined) throw new Error('usage: node setup/exec.mjs FILE [ARGS...]');

await orExit(ensureDependencies);

const { register } = await import('tsx/esm/api');
register({ tsconfig: resolve(PROJECT_ROOT, 'tsconfig.json') });
const entry = resolve(PROJECT_ROOT, file);
process.argv = [node, entry, ...fileArgs];
await import(pathToFileURL(entry).href);
