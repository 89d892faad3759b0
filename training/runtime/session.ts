import type { Device } from '../devices/device.ts';
import { addressArray, StringTable } from './c-strings.ts';
import { appendProvider, PROVIDERS } from './execution-provider.ts';
import { IoBinding } from './io-binding.ts';
import type { OrtApi, Pointer } from './ort-api.ts';
import { checkStatus, pointerFrom } from './ort-status.ts';
import { createDeviceTensor, type DeviceTensor, type NamedValues } from './tensor.ts';

export interface SessionOptions {
  /** Threads of one run, the calling one included. */
  readonly threads: number;
  /** How far ONNX Runtime rewrites the graph; `all` when left out. */
  readonly optimization?: 'none' | 'basic' | 'extended' | 'all';
  /**
   * Where it computes. With one given, also the CPU, inputs and outputs may lie in the device's
   * memory, and one run is under way at a time.
   */
  readonly device?: Device;
  /** Start of the path of a file to write the times of every node to, as Chrome's trace viewer reads it. */
  readonly profile?: string;
}

/** A compiled graph. */
export interface Session {
  /**
   * Computes `outputs` in their own memory from `inputs`. It runs on a thread of Node's pool, so
   * the event loop stays free. Several runs of one session may be under way at once.
   * @throws OutOfMemory, or Internal when ONNX Runtime refuses a name, a type or a shape
   */
  run(inputs: NamedValues, outputs: NamedValues): Promise<void>;
  /** Opens the memory of the session's device; it is to be released before the session. */
  openMemory(): SessionMemory;
  /** Frees the session. No run may be under way. */
  release(): void;
}

/** Memory of a device, as a session takes it. */
export interface SessionMemory {
  /** Not initialized; released before this memory is. @throws OutOfMemory */
  allocate(shape: readonly number[]): DeviceTensor;
  release(): void;
}

const OPTIMIZATION_LEVELS = { none: 0, basic: 1, extended: 2, all: 99 } as const;

/** Compiles a model. @throws OutOfMemory, or Internal when the model is not valid */
export function createSession(
  api: OrtApi,
  env: Pointer,
  model: Uint8Array,
  options: SessionOptions,
): Session {
  const pointer = withSessionOptions(api, options, (sessionOptions) =>
    pointerFrom(api, 'compiling a graph', (out) =>
      api.CreateSessionFromArray(env, model, model.byteLength, sessionOptions, out),
    ),
  );
  const { device } = options;
  const names = new StringTable();
  const binding = device === undefined ? undefined : new IoBinding(api, pointer);
  let isReleased = false;
  return {
    run: (inputs, outputs) =>
      binding?.run(inputs, outputs) ?? runSession(api, pointer, names, inputs, outputs),
    openMemory: () => openMemory(api, pointer, device ?? 'cpu', binding),
    release: () => {
      if (isReleased) return;
      isReleased = true;
      binding?.release();
      api.ReleaseSession(pointer);
    },
  };
}

/** OrtDeviceAllocator and OrtMemTypeDefault of onnxruntime_c_api.h; the first device. */
const DEVICE_ALLOCATOR = 0;
const DEFAULT_MEMORY = 0;
const FIRST_DEVICE = 0;

function openMemory(
  api: OrtApi,
  session: Pointer,
  device: Device,
  binding: IoBinding | undefined,
): SessionMemory {
  const what = `opening the memory of the device ${device}`;
  const memoryInfo = pointerFrom(api, what, (out) =>
    api.CreateMemoryInfo(
      PROVIDERS[device].memory,
      DEVICE_ALLOCATOR,
      FIRST_DEVICE,
      DEFAULT_MEMORY,
      out,
    ),
  );
  try {
    const allocator = pointerFrom(api, what, (out) =>
      api.CreateAllocator(session, memoryInfo, out),
    );
    return {
      allocate: (shape) => createDeviceTensor(api, allocator, shape),
      release: () => {
        // A bound tensor lives as long as the binding, and its memory needs the allocator.
        binding?.clear();
        api.ReleaseAllocator(allocator);
      },
    };
  } finally {
    api.ReleaseMemoryInfo(memoryInfo);
  }
}

function withSessionOptions<T>(
  api: OrtApi,
  options: SessionOptions,
  use: (sessionOptions: Pointer) => T,
): T {
  const what = 'setting session options';
  const pointer = pointerFrom(api, what, (out) => api.CreateSessionOptions(out));
  const check = (status: Pointer | null): void => checkStatus(api, status, what);
  try {
    check(api.SetIntraOpNumThreads(pointer, options.threads));
    const level = OPTIMIZATION_LEVELS[options.optimization ?? 'all'];
    check(api.SetSessionGraphOptimizationLevel(pointer, level));
    // A pattern is kept for every shape ever seen, and packed batches hardly repeat one.
    check(api.DisableMemPattern(pointer));
    // Threads that spin after a run would take the cores from the optimizer.
    check(api.AddSessionConfigEntry(pointer, 'session.force_spinning_stop', '1'));
    if (options.profile !== undefined) check(api.EnableProfiling(pointer, options.profile));
    if (options.device !== undefined) appendProvider(api, pointer, options.device);
    return use(pointer);
  } finally {
    api.ReleaseSessionOptions(pointer);
  }
}

async function runSession(
  api: OrtApi,
  session: Pointer,
  names: StringTable,
  inputs: NamedValues,
  outputs: NamedValues,
): Promise<void> {
  const inputNames = names.addresses(Object.keys(inputs));
  const outputNames = names.addresses(Object.keys(outputs));
  const inputValues = addressArray(Object.values(inputs).map((tensor) => tensor.pointer));
  const outputValues = addressArray(Object.values(outputs).map((tensor) => tensor.pointer));
  const status = await new Promise<Pointer | null>((resolve, reject) => {
    api.Run.async(
      session,
      null,
      inputNames,
      inputValues,
      inputValues.length,
      outputNames,
      outputValues.length,
      outputValues,
      (error, result) => (error === null ? resolve(result) : reject(error)),
    );
  });
  checkStatus(api, status, 'running a graph');
}
