import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestProject } from 'vitest/node';
import { LOOPBACK } from '../../cli/port.ts';
import { startTemporalServer } from '../../cli/temporal-server.ts';
import type { TemporalServer } from '../../cli/temporal-server.ts';
import { ensureTemporalCli } from '../../setup/temporal-cli.mjs';

declare module 'vitest' {
  interface ProvidedContext {
    /** Answers with the address of the run's Temporal server, started by the first test that asks. */
    readonly sharedServerUrl: string;
  }
}

/** One Temporal server for the whole run, for the tests that ask for it (./temporal.ts). */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const folder = await mkdtemp(join(tmpdir(), 'retune-test-server-'));
  let server: Promise<TemporalServer> | null = null;
  const broker = createServer((_, response) => {
    server ??= start(join(folder, 'server.log'));
    server.then(
      ({ address }) => response.end(address),
      (error: Error) => response.writeHead(500).end(error.message),
    );
  });
  await new Promise<void>((resolve) => broker.listen(0, LOOPBACK, resolve));
  const { port } = broker.address() as AddressInfo;
  project.provide('sharedServerUrl', `http://${LOOPBACK}:${port}`);

  return async () => {
    broker.closeAllConnections();
    broker.close();
    await (await server?.catch(() => null))?.stop();
    await rm(folder, { recursive: true });
  };
}

async function start(logFile: string): Promise<TemporalServer> {
  return startTemporalServer({ cliPath: await ensureTemporalCli(), logFile });
}
