import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { storeTest } from './temporary-store.ts';

/** Real data and models, beside the project: no part of it, and not everywhere. */
export const SHARED =
  process.env['RETUNE_SHARED'] ?? resolve(fileURLToPath(import.meta.url), '../../../../shared');

/** A test on a shared file; skipped, and saying so in its name, where the file is not. */
export function sharedTest(file: string): typeof storeTest | typeof storeTest.skip {
  return existsSync(join(SHARED, file)) ? storeTest : storeTest.skip;
}
