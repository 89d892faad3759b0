import { createServer } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export type Handler = (request: IncomingMessage, response: ServerResponse) => void;

export interface FileServer {
  readonly url: string;
  /** `METHOD /path` of every request so far. */
  readonly requests: readonly string[];
  /** Answers requests for a path; one that nobody answers gets a 404. */
  on(path: string, handler: Handler): void;
  close(): Promise<void>;
}

/** A plain web server on this machine. */
export async function startFileServer(): Promise<FileServer> {
  const handlers = new Map<string, Handler>();
  const requests: string[] = [];
  const server = createServer((request, response) => {
    const path = new URL(request.url ?? '', 'http://server').pathname;
    requests.push(`${request.method} ${path}`);
    const handler = handlers.get(path);
    if (handler === undefined) response.writeHead(404).end('no such file');
    else handler(request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    requests,
    on: (path, handler) => void handlers.set(path, handler),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
