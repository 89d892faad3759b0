import { readFileSync, readdirSync, readlinkSync } from 'node:fs';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';

export const LOOPBACK = '127.0.0.1';

/** A TCP port of this machine that nobody listens on; another program may take it before it is used. */
export async function freePort(): Promise<number> {
  const port = await tryToListen(0);
  if (port === null) throw new Error('internal: no free port');
  return port;
}

/** Whether a server could listen on `port` of this machine now. */
export async function isPortFree(port: number): Promise<boolean> {
  return (await tryToListen(port)) !== null;
}

function tryToListen(port: number): Promise<number | null> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EADDRINUSE') resolve(null);
      else reject(error);
    });
    server.listen({ port, host: LOOPBACK, exclusive: true }, () => {
      // Listening on TCP, so the address is neither null nor a path.
      const found = (server.address() as AddressInfo).port;
      server.close(() => resolve(found));
    });
  });
}

/**
 * The process that listens on a port, such as `process 4711 (temporal)`; null where that cannot be told:
 * other systems than Linux, and processes of other users.
 */
export function portOwner(port: number): string | null {
  const sockets = new Set(['/proc/net/tcp', '/proc/net/tcp6'].flatMap((f) => listeners(f, port)));
  if (sockets.size === 0) return null;
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    if (openFiles(pid).some((target) => sockets.has(target))) {
      return `process ${pid} (${readFileSync(`/proc/${pid}/comm`, 'utf8').trim()})`;
    }
  }
  return null;
}

/** Listening sockets as /proc/PID/fd shows them; columns of /proc/net/tcp as in proc(5). */
function listeners(table: string, port: number): string[] {
  const LISTEN = '0A';
  const wanted = `:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  return readLines(table)
    .map((line) => line.trim().split(/\s+/))
    .filter(([, local, , state]) => local?.endsWith(wanted) === true && state === LISTEN)
    .map((columns) => `socket:[${columns[9]}]`);
}

function readLines(file: string): string[] {
  try {
    return readFileSync(file, 'utf8').split('\n');
  } catch {
    return [];
  }
}

function openFiles(pid: string): string[] {
  try {
    return readdirSync(`/proc/${pid}/fd`).map((fd) => linkTarget(`/proc/${pid}/fd/${fd}`));
  } catch {
    return [];
  }
}

function linkTarget(link: string): string {
  try {
    return readlinkSync(link);
  } catch {
    return '';
  }
}
