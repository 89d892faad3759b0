import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { hostname } from 'node:os';
import { dirname, join } from 'node:path';
import type { Logger } from 'pino';
import { workerDevices } from '../activities/step-device.ts';
import type { Store } from '../store/store.ts';
import { REGISTRATION_MS, registerWorker, unregisterWorker } from '../store/workers.ts';
import { runtimeLibraryPath } from '../training/runtime/library.ts';

/**
 * Says in the store which devices this worker computes on for a label, until it is taken back: what
 * `device: auto` becomes follows from it.
 * @returns what takes the registration back
 */
export async function registerDevices(
  store: Store,
  label: string,
  log: Logger,
): Promise<() => Promise<void>> {
  const devices = await workerDevices(hasCudaLibrary);
  const id = `${hostname()}-${process.pid}-${randomUUID().slice(0, 8)}`;
  const register = (): Promise<void> =>
    registerWorker(store, label, id, { devices, seenAt: Date.now() });
  await register();
  log.info({ label, devices }, 'what this worker computes on');
  const timer = setInterval(() => {
    register().catch((error: unknown) => log.warn({ error }, 'the worker could not be registered'));
  }, REGISTRATION_MS);
  timer.unref();
  return async () => {
    clearInterval(timer);
    await unregisterWorker(store, label, id).catch(() => undefined);
  };
}

/** Whether the library could compute on CUDA: only then it is worth a process to try. */
function hasCudaLibrary(): boolean {
  try {
    return existsSync(join(dirname(runtimeLibraryPath()), 'libonnxruntime_providers_cuda.so'));
  } catch {
    return false;
  }
}
