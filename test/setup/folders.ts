import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { cleanUp } from './cleanup.ts';

/** An empty folder that is removed with its test, or with its file when it is made in beforeAll. */
export async function temporaryFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'retune-test-'));
  cleanUp(() => rm(folder, { recursive: true, force: true }));
  return folder;
}
