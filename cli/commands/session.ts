import { openStore, storeUrlFromEnvironment } from '../../store/open.ts';
import type { Store } from '../../store/store.ts';
import { connect, type Connected } from '../connection.ts';
import { encryptedError } from '../payload-codec.ts';

export function openUserStore(): Promise<Store> {
  return openStore(storeUrlFromEnvironment(process.env));
}

/** Runs `use` with a server and the store, and closes the connection whatever happens. */
export async function withServer<T>(
  use: (connected: Connected, store: Store) => Promise<T>,
): Promise<T> {
  const store = await openUserStore();
  return withConnection((connected) => use(connected, store));
}

/** Runs `use` with a server alone, and closes the connection whatever happens. */
export async function withConnection<T>(use: (connected: Connected) => Promise<T>): Promise<T> {
  const connected = await connect();
  try {
    return await use(connected);
  } catch (error) {
    throw encryptedError(error) ?? error;
  } finally {
    await connected.close();
  }
}
