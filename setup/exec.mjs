// @ts-check
// node setup/exec.mjs FILE [ARGS...]
// Runs a TypeScript file of the project in this process, so that signals reach it directly. What it needs
// is installed first.
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { findBundle, isBundled, makeBundle } from './command-bundle.mjs';

const [node = process.execPath, , file, ...fileArgs] = process.argv;
if (file === undefined) throw new Error('usage: node setup/exec.mjs FILE [ARGS...]');
const bundled = isBundled(file, fileArgs);

const run = (bundled ? findBundle() : null) ?? (await prepare());
process.argv = [node, resolve(import.meta.dirname, '..', file), ...fileArgs];
await run();

/** @returns {Promise<() => unknown>} */
async function prepare() {
  const { orExit } = await import('./console.mjs');
  const { PROJECT_ROOT, ensureDependencies } = await import('./dependencies.mjs');
  await orExit(ensureDependencies);
  const made = bundled ? await makeBundle() : null;
  if (made !== null) return made;
  const { register } = await import('tsx/esm/api');
  register({ tsconfig: resolve(PROJECT_ROOT, 'tsconfig.json') });
  return () => import(pathToFileURL(/** @type {string} */ (process.argv[1])).href);
}
