import { createServer, type Server } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import type { Logger } from 'pino';
import { CommandError } from '../command-error.ts';
import type { HostAndPort } from '../worker-options.ts';
import type { Condition } from './condition.ts';
import type { ServedQueue } from './served-queue.ts';

/** What `/readyz` answers. */
export interface WorkerHealth {
  readonly status: 'ready' | 'not ready' | 'stopping';
  readonly queues: readonly {
    readonly queue: string;
    readonly role: string;
    /** Whether the worker takes work from it. */
    readonly polls: boolean;
  }[];
  /** What the worker needs, each with what is wrong with it, or null. */
  readonly conditions: Readonly<Record<string, string | null>>;
}

export interface Observed {
  readonly queues: readonly ServedQueue[];
  readonly conditions: readonly Condition[];
  readonly stopping: AbortSignal;
}

/** Ready is who takes work from every queue that it was started for. */
function workerHealth({ queues, conditions, stopping }: Observed): WorkerHealth {
  const isWell =
    queues.every(({ polls }) => polls) && conditions.every(({ problem }) => problem === undefined);
  return {
    status: stopping.aborted ? 'stopping' : isWell ? 'ready' : 'not ready',
    queues: queues.map(({ queue, role, polls }) => ({ queue, role, polls })),
    conditions: Object.fromEntries(conditions.map(({ name, problem }) => [name, problem ?? null])),
  };
}

/**
 * Serves `/livez`, which answers 200 as long as the process does, and `/readyz`: 200, or 503 with
 * what is wrong. The paths are those of Kubernetes' own components.
 *
 * @throws CommandError when the address cannot be listened on
 */
export async function serveHealth(
  { host, port }: HostAndPort,
  observed: Observed,
  log: Logger,
): Promise<Server> {
  const server = createServer((request, response) => {
    const path = (request.url ?? '').split('?')[0];
    const answer = (code: number, body: object): void => {
      response.writeHead(code, { 'content-type': 'application/json' });
      response.end(request.method === 'HEAD' ? undefined : `${JSON.stringify(body)}\n`);
    };
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      answer(405, { error: 'expected GET' });
    } else if (path === '/livez') answer(200, { status: 'alive' });
    else if (path === '/readyz') {
      const health = workerHealth(observed);
      answer(health.status === 'ready' ? 200 : 503, health);
    } else answer(404, { error: 'expected /livez or /readyz' });
  });
  server.listen(port, host);
  try {
    await once(server, 'listening');
  } catch (error) {
    const reason = (error as Error).message;
    throw new CommandError(
      `health cannot be served at ${host}:${port} (${reason}): give --health another address`,
      { cause: error },
    );
  }
  const address = server.address() as AddressInfo;
  log.info({ health: `${address.address}:${address.port}` }, 'serving /livez and /readyz');
  return server;
}
