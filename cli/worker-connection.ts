import { NativeConnection } from '@temporalio/worker';
import {
  connectionError,
  requireNamespace,
  serverConfiguration,
  type ServerConfiguration,
} from './connection.ts';

export interface WorkerConnection {
  readonly connection: NativeConnection;
  readonly namespace: string;
  readonly address: string;
}

/** @throws CommandError when the server does not answer, or has no such namespace */
export async function connectWorker(
  configuration: ServerConfiguration = serverConfiguration(),
): Promise<WorkerConnection> {
  const { connectionOptions, namespace } = configuration;
  const { address } = connectionOptions;
  try {
    const connection = await NativeConnection.connect(connectionOptions);
    await requireNamespace(connection.workflowService, namespace, address);
    return { connection, namespace, address };
  } catch (error) {
    throw connectionError(error, address);
  }
}
