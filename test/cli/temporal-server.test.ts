import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { Client, Connection } from '@temporalio/client';
import { expect, test } from 'vitest';
import { LOOPBACK } from '../../cli/port.ts';
import { isAlive } from '../../setup/lock.mjs';
import { startTemporalServer } from '../../cli/temporal-server.ts';
import { cleanUp } from '../setup/cleanup.ts';
import { temporaryFolder } from '../setup/folders.ts';
import { startProgram } from '../setup/processes.ts';
import { ownTemporalServer, temporalNamespace } from '../setup/temporal.ts';

test('serves when it is started, keeps its runs in the database file, and stops', async () => {
  const databaseFile = join(await temporaryFolder(), 'runs', 'temporal.db');
  const first = await ownTemporalServer({ databaseFile, uiPort: 'free' });
  await submit(first.address, 'kept');
  const page = await fetch(first.uiUrl ?? '');
  expect(page.status).toBe(200);
  await first.stop();
  expect(await first.exited).toEqual({ code: 0, signal: null });
  expect(isAlive(first.pid)).toBe(false);

  const second = await ownTemporalServer({ databaseFile });
  expect(second.uiUrl).toBeNull();
  expect(await status(second.address, 'kept')).toBe('RUNNING');
});

test('a second server of one database is refused, and one after a crash is not', async () => {
  const databaseFile = join(await temporaryFolder(), 'temporal.db');
  const first = await ownTemporalServer({ databaseFile });
  await expect(ownTemporalServer({ databaseFile })).rejects.toThrow(
    `another Temporal server, on ${first.address}, uses ${databaseFile}. ` +
      `Stop it, or use it: TEMPORAL_ADDRESS=${first.address}.`,
  );
  await submit(first.address, 'before');
  await first.kill();
  const second = await ownTemporalServer({ databaseFile });
  expect(await status(second.address, 'before')).toBe('RUNNING');
});

test('a taken port is refused, naming its process', async () => {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, LOOPBACK, resolve));
  cleanUp(async () => void server.close());
  const { port } = server.address() as AddressInfo;
  await expect(ownTemporalServer({ port })).rejects.toThrow(
    new RegExp(
      `^port ${port} is taken by (process ${process.pid} \\(.+\\)|another program)\\. Stop it, or choose another port\\.$`,
    ),
  );
  await expect(ownTemporalServer({ uiPort: port })).rejects.toThrow(`port ${port} is taken by`);
});

test('a port that a Temporal server has is refused with the way to use that server', async () => {
  const { address } = await temporalNamespace();
  const port = Number(address.split(':')[1]);
  await expect(ownTemporalServer({ port })).rejects.toThrow(
    `a Temporal server. Use that server with TEMPORAL_ADDRESS=${address}, stop it, or choose another port.`,
  );
});

test('a server that ends before it serves is reported with its log', async () => {
  const logFile = join(await temporaryFolder(), 'temporal.log');
  await expect(startTemporalServer({ cliPath: '/no/temporal', logFile })).rejects.toThrow(
    'the Temporal server (/no/temporal) exited with code 127 before it served.\n' +
      `Log, ${logFile}:\n  spawn /no/temporal ENOENT`,
  );
  await expect(startTemporalServer({ cliPath: process.execPath, logFile })).rejects.toThrow(
    /exited with code \d+ before it served\.\nLog, .+\n(.*\n)*.*Cannot find module '.*server'/,
  );
});

test('the server ends when the process that started it is killed', async () => {
  const parent = startProgram('test/cli/temporal-server-process.ts', [
    join(await temporaryFolder(), 'temporal.log'),
  ]);
  await parent.untilPrinted(/^serving$/m);
  expect(parent.remaining()).toContainEqual(expect.stringContaining('start-dev'));
  await parent.end('SIGKILL');
  await expect.poll(() => parent.remaining(), { timeout: 10_000 }).toEqual([]);
});

async function submit(address: string, workflowId: string): Promise<void> {
  const connection = await Connection.connect({ address });
  await new Client({ connection }).workflow.start('any', { taskQueue: 'none', workflowId });
  await connection.close();
}

async function status(address: string, workflowId: string): Promise<string> {
  const connection = await Connection.connect({ address });
  const description = await new Client({ connection }).workflow.getHandle(workflowId).describe();
  await connection.close();
  return description.status.name;
}
