import { hostname } from 'node:os';
import type { NativeConnection } from '@temporalio/worker';
import type { Logger } from 'pino';
import { openLater } from '../../store/open.ts';
import { checkStore } from '../../store/store-check.ts';
import type { Store } from '../../store/store.ts';
import { DEVICES } from '../../training/devices/device.ts';
import { runJob } from '../../training/process.ts';
import { CommandError } from '../command-error.ts';
import { Condition } from './condition.ts';

const EVERY_MS = 10_000;
const RETRY_MS = 5_000;
/** A device is asked by a process of its own. */
const DEVICE_RETRY_MS = 30_000;
const SERVER_DEADLINE_MS = 5_000;

export interface WatchedStore {
  readonly condition: Condition;
  /** The store, once it was well. */
  opened(): Store;
}

/** @throws InvalidInput for a URL of no store */
export function watchStore(url: string, log: Logger): WatchedStore {
  const open = openLater(url);
  const id = `${hostname()}-${process.pid}`;
  let store: Store | undefined;
  const check = async (): Promise<void> => {
    store ??= await open();
    await checkStore(store, id);
  };
  return {
    condition: new Condition({ name: 'store', check, everyMs: EVERY_MS, retryMs: RETRY_MS, log }),
    opened() {
      if (store === undefined) throw new Error('internal: the store was not opened yet');
      return store;
    },
  };
}

/**
 * That a label's steps can be computed here: ONNX Runtime loads, and where the label is the name of
 * a device, that computes. Looked at once, and again after a step has found otherwise.
 */
export function watchDevice(label: string, log: Logger): Condition {
  const device = DEVICES.find((known) => known === label) ?? 'cpu';
  const check = async (): Promise<void> => {
    await runJob({ kind: 'probe', device, precision: 'float32' });
  };
  const name = `device of label ${label}`;
  return new Condition({ name, check, retryMs: DEVICE_RETRY_MS, log });
}

/** That the Temporal server answers; Temporal's own client connects again by itself. */
export function watchServer(
  { connection, address }: { connection: NativeConnection; address: string },
  log: Logger,
): Condition {
  const check = async (): Promise<void> => {
    try {
      await connection.withDeadline(Date.now() + SERVER_DEADLINE_MS, () =>
        connection.workflowService.getSystemInfo({}),
      );
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      throw new CommandError(`the Temporal server at ${address} does not answer (${reason})`, {
        cause: error,
      });
    }
  };
  return new Condition({ name: 'server', check, everyMs: EVERY_MS, retryMs: RETRY_MS, log });
}
