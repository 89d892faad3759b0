import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { Connection } from '@temporalio/client';
import { msToTs } from '@temporalio/common/lib/time.js';
import { inject } from 'vitest';
import { startTemporalServer } from '../../cli/temporal-server.ts';
import type { TemporalServer, TemporalServerOptions } from '../../cli/temporal-server.ts';
import { ensureTemporalCli } from '../../setup/temporal-cli.mjs';
import { cleanUp } from './cleanup.ts';
import { temporaryFolder } from './folders.ts';

export interface TestNamespace {
  readonly address: string;
  readonly namespace: string;
  /** $TEMPORAL_ADDRESS and $TEMPORAL_NAMESPACE, for child processes. */
  readonly env: Readonly<Record<'TEMPORAL_ADDRESS' | 'TEMPORAL_NAMESPACE', string>>;
}

/**
 * A fresh namespace on the run's real Temporal server: its queues, workflow ids and schedules are the
 * caller's alone, so files may run side by side.
 */
export async function temporalNamespace(): Promise<TestNamespace> {
  const address = await sharedServerAddress();
  const namespace = `test-${randomUUID()}`;
  const connection = await Connection.connect({ address });
  await connection.workflowService.registerNamespace({
    namespace,
    workflowExecutionRetentionPeriod: msToTs('1 day'),
  });
  await connection.close();
  return { address, namespace, env: { TEMPORAL_ADDRESS: address, TEMPORAL_NAMESPACE: namespace } };
}

export interface TestSite {
  readonly address: string;
  readonly namespace: string;
  /** $RETUNE_HOME: the store and all else that is kept; removed with its test. */
  readonly home: string;
  /** What child processes need to find all that. */
  readonly env: Readonly<Record<string, string>>;
}

/** A fresh namespace and a fresh home: what workers and `retune` commands of one test share. */
export async function testSite(): Promise<TestSite> {
  const { address, namespace, env } = await temporalNamespace();
  const home = await temporaryFolder();
  return { address, namespace, home, env: { ...env, RETUNE_HOME: home } };
}

async function sharedServerAddress(): Promise<string> {
  const response = await fetch(inject('sharedServerUrl'));
  const text = await response.text();
  if (!response.ok) throw new Error(text);
  return text;
}

/**
 * A Temporal server of this test alone, for tests that stop, kill or restart it. It ends with its test, or
 * with its file when it is started in beforeAll.
 */
export async function ownTemporalServer(
  options: Partial<TemporalServerOptions> = {},
): Promise<TemporalServer> {
  const server = await startTemporalServer({
    cliPath: await ensureTemporalCli(),
    logFile: join(await temporaryFolder(), 'temporal.log'),
    ...options,
  });
  cleanUp(() => server.stop());
  return server;
}
