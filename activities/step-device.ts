import { Failure } from '../plan/failures.ts';
import type { JsonObject } from '../plan/json.ts';
import type { Store } from '../store/store.ts';
import { liveWorkers } from '../store/workers.ts';
import type { Device } from '../training/devices/device.ts';
import { runJob } from '../training/process.ts';
import { withoutIgnored } from './cache-policy.ts';
import type { AnyStep } from './catalog.ts';
import type { PrepareRequest, RunStepInput } from './contract.ts';
import { parseInputs, parseStandIns } from './declaration.ts';
import { fingerprint } from './fingerprint.ts';
import type { StepContext } from './step-context.ts';
import type { Precision } from '../training/models/precision.ts';

/** What `auto` may become. WebGPU is used where it is asked for only: see docs/decisions/0031-devices.md. */
const AUTO_DEVICES = ['cuda', 'cpu'] as const satisfies readonly Device[];

/**
 * Inputs whose `device: auto` is resolved, for the fingerprint: to cuda when every worker that has
 * registered with the label has it, so that whichever takes the step computes the same; else, also
 * when none has registered yet, to cpu.
 * @throws InvalidInput when the inputs do not go with the device
 */
export async function resolveDevice(
  store: Store,
  step: AnyStep,
  inputs: JsonObject,
  { label, secrets = [] }: Pick<PrepareRequest, 'label' | 'secrets'>,
): Promise<JsonObject> {
  if (step.role !== 'train' || inputs['device'] !== 'auto') return inputs;
  const workers = await liveWorkers(store, label, Date.now());
  const device = AUTO_DEVICES.find(
    (candidate) =>
      workers.length > 0 && workers.every(({ devices }) => devices.includes(candidate)),
  );
  return parseStandIns(step, { inputs: { ...inputs, device: device ?? 'cpu' }, secrets });
}

/**
 * A step's own inputs, whose `device: auto` is what its fingerprint was computed with; where that
 * ignores the device, what the workers have now.
 *
 * @param bound those of `input`, with its secrets
 */
export async function settledInputs(
  store: Store,
  step: AnyStep,
  input: RunStepInput,
  bound: JsonObject,
): Promise<JsonObject> {
  const inputs = parseInputs(step, bound, input.secrets);
  if (step.role !== 'train' || inputs['device'] !== 'auto') return inputs;
  const prepared = parseStandIns(step, input);
  const { secrets } = input;
  const fitting = AUTO_DEVICES.filter((device) => {
    const all = { inputs: { ...prepared, device }, ...(secrets !== undefined && { secrets }) };
    const { secrets: _, search: __, ...parts } = input;
    const considered = withoutIgnored(all, input.cache);
    return fingerprint(step, { ...parts, ...considered }) === input.fingerprint;
  });
  const [device] = fitting;
  if (fitting.length > 1) return resolveDevice(store, step, inputs, input);
  if (device !== undefined) return { ...inputs, device };
  throw new Error(`internal: the fingerprint of ${input.stepId} is that of no device`);
}

/**
 * The device for a job, undefined for the CPU; looked for before anything is read for it.
 * @throws DeviceUnavailable
 */
export async function jobDevice(
  { signal }: StepContext,
  device: Device | 'auto',
  precision: Precision = 'float32',
): Promise<Device | undefined> {
  if (device === 'auto') throw new Error('internal: device auto was not resolved');
  if (device === 'cpu') return undefined;
  await runJob({ kind: 'probe', device, precision }, { signal });
  return device;
}

/** What this machine computes on: the CPU, and CUDA where it does. */
export async function workerDevices(isWorthProbing: () => boolean): Promise<readonly Device[]> {
  if (!isWorthProbing()) return ['cpu'];
  try {
    await runJob({ kind: 'probe', device: 'cuda', precision: 'float32' });
    return ['cpu', 'cuda'];
  } catch (error) {
    if (error instanceof Failure) return ['cpu'];
    throw error;
  }
}
