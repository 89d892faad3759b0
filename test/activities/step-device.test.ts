import { beforeEach, expect, test } from 'vitest';
import { catalog } from '../../activities/catalog.ts';
import { parseInputs } from '../../activities/declaration.ts';
import { fingerprint } from '../../activities/fingerprint.ts';
import { resolveDevice, settledInputs, workerDevices } from '../../activities/step-device.ts';
import type { JsonObject } from '../../plan/json.ts';
import { openStore } from '../../store/open.ts';
import type { Store } from '../../store/store.ts';
import { liveWorkers, registerWorker, unregisterWorker } from '../../store/workers.ts';
import { deviceProblem } from '../../training/devices/device-probe.ts';
import { loadRuntime } from '../../training/runtime/runtime.ts';
import { temporaryFolder } from '../setup/folders.ts';

const DIGEST = `sha256:${'0'.repeat(64)}`;
const step = catalog.find(({ kind }) => kind === 'train')!;
const AUTO = { task: 'text-classification', model: DIGEST, train_dataset: DIGEST, device: 'auto' };
const LIFETIME_MS = 15 * 60_000;

let store: Store;
beforeEach(async () => {
  store = await openStore(`file:${await temporaryFolder()}/store`);
});

function register(id: string, devices: readonly string[], seenAt = Date.now()): Promise<void> {
  return registerWorker(store, 'gpu', id, { devices, seenAt });
}

async function resolved(given: JsonObject = AUTO): Promise<unknown> {
  return (await resolveDevice(store, step, parseInputs(step, given), { label: 'gpu' }))['device'];
}

test('auto is cuda when every worker of the label has it', async () => {
  expect(await resolved()).toBe('cpu');
  await register('a', ['cpu', 'cuda']);
  expect(await resolved()).toBe('cuda');
  await register('b', ['cpu']);
  expect(await resolved()).toBe('cpu');
  await unregisterWorker(store, 'gpu', 'b');
  expect(await resolved()).toBe('cuda');
  await registerWorker(store, 'cpu', 'c', { devices: ['cpu'], seenAt: Date.now() });
  expect(await resolved()).toBe('cuda');
});

test('a worker that has not been heard of for long does not count', async () => {
  await register('a', ['cpu', 'cuda']);
  await register('gone', ['cpu'], Date.now() - LIFETIME_MS);
  expect(await resolved()).toBe('cuda');
  expect(await liveWorkers(store, 'gpu', Date.now() + LIFETIME_MS)).toEqual([]);
});

test('a device that is named stays, whatever has registered', async () => {
  await register('a', ['cpu', 'cuda']);
  expect(await resolved({ ...AUTO, device: 'cpu' })).toBe('cpu');
  expect(await resolved({ ...AUTO, device: 'webgpu' })).toBe('webgpu');
});

test('inputs that do not go with what auto becomes are refused', async () => {
  const given = { ...AUTO, args: { bf16: true } };
  await expect(resolved(given)).rejects.toThrow(
    "'args.bf16' is true; a CPU computes in float32 here, where half precision is no faster: remove it, or set device to a GPU",
  );
  await register('a', ['cpu', 'cuda']);
  expect(await resolved(given)).toBe('cuda');
});

test.each(['cpu', 'cuda'])(
  'who runs the step takes the device of its fingerprint: %s',
  async (device) => {
    const { kind, version, revision } = step;
    const inputs = parseInputs(step, { ...AUTO, device });
    const input = {
      ...{ kind, version, revision, inputs: AUTO, stepId: 'tune', label: 'gpu', force: false },
      fingerprint: fingerprint(step, { kind, version, revision, inputs }),
      run: { workflowId: 'run', executionRunId: 'execution' },
      retry: { maxAttempts: 1, backoffMs: 1, maxBackoffMs: 1 },
    };
    expect(await settledInputs(store, step, input, AUTO)).toEqual(inputs);
  },
);

test('a fingerprint that ignores the device: whoever runs the step takes what the workers have', async () => {
  const { kind, version, revision } = step;
  const cache = { enabled: true, ignore: [['device']] };
  const { device: _, ...inputs } = parseInputs(step, AUTO);
  const input = {
    ...{
      kind,
      version,
      revision,
      inputs: AUTO,
      stepId: 'tune',
      label: 'idle',
      force: false,
      cache,
    },
    fingerprint: fingerprint(step, { kind, version, revision, inputs }),
    run: { workflowId: 'run', executionRunId: 'execution' },
    retry: { maxAttempts: 1, backoffMs: 1, maxBackoffMs: 1 },
  };
  const settled = async (): Promise<unknown> =>
    (await settledInputs(store, step, input, AUTO))['device'];
  expect(await settled()).toBe('cpu');
  await registerWorker(store, 'idle', 'z', { devices: ['cpu', 'cuda'], seenAt: Date.now() });
  expect(await settled()).toBe('cuda');
});

test('a worker without the library for CUDA has the CPU, without a look', async () => {
  expect(await workerDevices(() => false)).toEqual(['cpu']);
});

test('a worker whose library may know CUDA has what computes here', async () => {
  const problem = await deviceProblem(loadRuntime(), 'cuda');
  const expected = problem === undefined ? ['cpu', 'cuda'] : ['cpu'];
  expect(await workerDevices(() => true)).toEqual(expected);
}, 60_000);
