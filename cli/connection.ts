import { Client, Connection } from '@temporalio/client';
import { loadClientConnectConfig } from '@temporalio/envconfig';

/** A person's error: shown as its message alone, with exit code 1. */
export class CommandError extends Error {
  override readonly name = 'CommandError';
}

export interface Connected {
  readonly client: Client;
  readonly namespace: string;
  readonly address: string;
  close(): Promise<void>;
}

/**
 * Connects as Temporal's standard environment configuration says (TEMPORAL_ADDRESS,
 * TEMPORAL_NAMESPACE, TEMPORAL_API_KEY, TEMPORAL_TLS_*, or a profile of temporal.toml).
 *
 * @throws CommandError when the server does not answer
 */
export async function connect(): Promise<Connected> {
  const { connectionOptions, namespace = 'default' } = loadClientConnectConfig();
  const address = connectionOptions.address ?? 'localhost:7233';
  try {
    const connection = await Connection.connect({ ...connectionOptions, connectTimeout: '5s' });
    const client = new Client({ connection, namespace });
    return { client, namespace, address, close: () => connection.close() };
  } catch (error) {
    throw new CommandError(explainConnectionError(error, address), { cause: error });
  }
}

/** One sentence that says which server did not answer, why, and what to do. */
export function explainConnectionError(error: unknown, address = 'localhost:7233'): string {
  const reason = error instanceof Error ? error.message : String(error);
  return (
    `no Temporal server answers at ${address} (${reason.split('\n')[0] ?? ''}): ` +
    "start one with 'npm run dev', or set TEMPORAL_ADDRESS to yours"
  );
}
