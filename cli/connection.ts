import { Client, Connection, isGrpcServiceError, type WorkflowService } from '@temporalio/client';
import { loadClientConnectConfig, type ClientConnectConfig } from '@temporalio/envconfig';
import { CommandError } from './command-error.ts';
import { dataConverterOf } from './payload-codec.ts';

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
    const converter = dataConverterOf(process.env);
    const client = new Client({
      ...{ connection, namespace },
      ...(converter && { dataConverter: converter.dataConverter }),
    });
    return { client, namespace, address, close: () => connection.close() };
  } catch (error) {
    const isSecure = Boolean(connectionOptions.tls ?? connectionOptions.apiKey);
    throw connectionError(error, address, isSecure);
  }
}

/**
 * One sentence that says which server did not answer, why, and what to do.
 * @param isSecure whether the connection was to use TLS
 */
export function connectionError(error: unknown, address: string, isSecure = false): CommandError {
  if (error instanceof CommandError) return error;
  const reason = reasonOf(error);
  const message = /UNAUTHENTICATED|PERMISSION_DENIED/.test(reason)
    ? `the Temporal server at ${address} refuses this client (${reason}): check TEMPORAL_API_KEY, ` +
      'or the client certificate of TEMPORAL_TLS_CLIENT_CERT_PATH'
    : /InvalidContentType|certificate|SSL|TLS|wrong version number/i.test(reason)
      ? `no secure connection to the Temporal server at ${address} (${reason}): check ` +
        'TEMPORAL_TLS and the TEMPORAL_TLS_ variables'
      : `no Temporal server answers at ${address} (${reason}): ` +
        `start one with 'npm run dev', or set TEMPORAL_ADDRESS to yours` +
        (isSecure
          ? '; TLS was asked for, by TEMPORAL_TLS or an API key: see that it serves TLS'
          : '');
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

/** The first line, with that of the cause, which says why a call failed. */
function reasonOf(error: unknown): string {
  const cause = error instanceof Error ? error.cause : undefined;
  return cause instanceof Error && !firstLine(error).includes(firstLine(cause))
    ? `${firstLine(error)}: ${firstLine(cause)}`
    : firstLine(error);
}

function firstLine(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).split('\n')[0] ?? '';
}
