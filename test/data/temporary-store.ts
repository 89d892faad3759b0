import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'vitest';
import { openStore } from '../../store/open.ts';
import type { Store } from '../../store/store.ts';

interface Places {
  /** A folder of this test alone. */
  readonly folder: string;
  /** A store of this test alone. */
  readonly store: Store;
}

/** `test` with a folder and a store, both gone afterwards. */
export const storeTest = test.extend<Places>({
  // Vitest wants a destructured parameter here.
  // oxlint-disable-next-line no-empty-pattern
  folder: async ({}, use) => {
    const folder = await mkdtemp(join(tmpdir(), 'retune-test-'));
    await use(folder);
    await rm(folder, { recursive: true, force: true });
  },
  store: async ({ folder }, use) => {
    await use(await openStore(`file:${join(folder, 'store')}`));
  },
});
