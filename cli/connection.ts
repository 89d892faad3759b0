import { Client, Connection, isGrpcServiceError, type WorkflowService } from '@temporalio/client';
import { loadClientConnectConfig, type ClientConnectConfig } from '@temporalio/envconfig';
import { CommandError } from './command-error.ts';

const DEFAULT_ADDRESS = 'localhost:7233';
export const DEFAULT_NAMESPACE = 'default';
/** https://grpc.github.io/grpc/core/md_doc_statuscodes.html */
const GRPC_NOT_FOUND = 5;

export interface Connected {
  readonly client: Client;
  readonly namespace: string;
  readonly address: string;
  close(): Promise<void>;
}

export interface ServerConfiguration {
  readonly connectionOptions: ClientConnectConfig['connectionOptions'] & { address: string };
  readonly namespace: string;
}

/**
 * Which server to use, by Temporal's standard environment configuration: TEMPORAL_ADDRESS,
 * TEMPORAL_NAMESPACE, TEMPORAL_API_KEY, TEMPORAL_TLS_*, or a profile of temporal.toml.
 *
 * @throws CommandError when that cannot be read
 */
export function serverConfiguration(): ServerConfiguration {
  try {
    const { connectionOptions, namespace = DEFAULT_NAMESPACE } = loadClientConnectConfig();
    const address = connectionOptions.address ?? DEFAULT_ADDRESS;
    return { connectionOptions: { ...connectionOptions, address }, namespace };
  } catch (error) {
    throw new CommandError(
      `Temporal's client configuration cannot be used: ${firstLine(error)}: ` +
        'check the TEMPORAL_ variables and the file that TEMPORAL_CONFIG_FILE names',
      { cause: error },
    );
  }
}

/** @throws CommandError when the server does not answer, or has no such namespace */
export async function connect(
  { connectionOptions, namespace }: ServerConfiguration = serverConfiguration(),
): Promise<Connected> {
  const { address } = connectionOptions;
  try {
    const connection = await Connection.connect({ ...connectionOptions, connectTimeout: '5s' });
    await requireNamespace(connection.workflowService, namespace, address);
    const client = new Client({ connection, namespace });
    return { client, namespace, address, close: () => connection.close() };
  } catch (error) {
    throw connectionError(error, address);
  }
}

/** One sentence that says which server did not answer, why, and what to do. */
export function connectionError(error: unknown, address: string): CommandError {
  if (error instanceof CommandError) return error;
  const message =
    `no Temporal server answers at ${address} (${firstLine(error)}): ` +
    "start one with 'npm run dev', or set TEMPORAL_ADDRESS to yours";
  return new CommandError(message, { cause: error });
}

/**
 * Asks for the namespace: without it a run would be refused, and a worker would end, in words that
 * say nothing of how to go on.
 */
export async function requireNamespace(
  service: WorkflowService,
  namespace: string,
  address: string,
): Promise<void> {
  try {
    await service.describeNamespace({ namespace });
  } catch (error) {
    // Who may use a namespace may not always describe it.
    if (!isGrpcServiceError(error) || error.code !== GRPC_NOT_FOUND) return;
    throw new CommandError(
      `the Temporal server at ${address} has no namespace '${namespace}': set TEMPORAL_NAMESPACE ` +
        `to one it has, or make it: temporal operator namespace create -n ${namespace}`,
      { cause: error },
    );
  }
}

function firstLine(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).split('\n')[0] ?? '';
}
