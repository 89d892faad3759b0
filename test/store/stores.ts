import { mkdtemp, open, rm, truncate } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import type { Failure } from '../../plan/failures.ts';
import { openStore } from '../../store/open.ts';
import type { BlobDigest, Store } from '../../store/store.ts';

/** A driver, as the behavioural suites use it. */
export interface StoreDriver {
  readonly name: string;
  /** An empty store, removed when the test ends. */
  readonly open: () => Promise<Store>;
  /** Damages a blob behind the store's back. */
  readonly damage: Readonly<Record<Damage, (store: Store, digest: BlobDigest) => Promise<void>>>;
}

export type Damage = 'a flipped bit' | 'a lost end' | 'appended bytes';

export const STORE_DRIVERS: readonly StoreDriver[] = [
  {
    name: 'file',
    open: async () => openStore(`file:${join(await temporaryFolder(), 'store')}`),
    damage: {
      'a flipped bit': async (store, digest) => {
        const file = await open(blobPath(store, digest), 'r+');
        const byte = Buffer.alloc(1);
        await file.read(byte, 0, 1, 2);
        byte[0] = (byte[0] ?? 0) ^ 1;
        await file.write(byte, 0, 1, 2);
        await file.close();
      },
      'a lost end': (store, digest) => truncate(blobPath(store, digest), 3),
      'appended bytes': async (store, digest) => {
        const file = await open(blobPath(store, digest), 'a');
        await file.write('more');
        await file.close();
      },
    },
  },
];

/** A store for tests that look at what is built on one. */
export async function temporaryStore(): Promise<Store> {
  return openStore(`file:${join(await temporaryFolder(), 'store')}`);
}

/** A new folder, removed when the test ends. */
export async function temporaryFolder(): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'retune-store-'));
  onTestFinished(() => rm(path, { recursive: true, force: true }));
  return path;
}

/** Folder of a file store. */
export function rootOf(store: Store): string {
  return store.url.slice('file:'.length);
}

/** Where a file store keeps a blob. */
export function blobPath(store: Store, digest: BlobDigest): string {
  const hex = digest.slice('sha256:'.length);
  return join(rootOf(store), 'blobs', 'sha256', hex.slice(0, 2), hex);
}

/** Type and message of the failure that `promise` ends with. */
export async function failureOf(promise: Promise<unknown>): Promise<string> {
  try {
    await promise;
  } catch (error) {
    const { type, message } = error as Failure;
    return `${type}: ${message}`;
  }
  return 'no failure';
}
