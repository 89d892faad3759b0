import koffi from 'koffi';
import type { OrtApi, Pointer } from './ort-api.ts';
import { checkStatus, pointerFrom } from './ort-status.ts';
import type { Tensor } from './tensor.ts';

export interface SessionOptions {
  /** Threads of one run, the calling one included. */
  readonly threads: number;
  /** How far ONNX Runtime rewrites the graph; `all` when left out. */
  readonly optimization?: 'none' | 'basic' | 'extended' | 'all';
}

export type NamedTensors = { readonly [name: string]: Tensor };

/** A compiled graph. */
export interface Session {
  /**
   * Computes `outputs` in their own memory from `inputs`. It runs on a thread of Node's pool, so
   * the event loop stays free. Several runs of one session may be under way at once.
   * @throws OutOfMemory, or Internal when ONNX Runtime refuses a name, a type or a shape
   */
  run(inputs: NamedTensors, outputs: NamedTensors): Promise<void>;
  /** Frees the session. No run may be under way. */
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
  const names = new NameTable();
  let isReleased = false;
  return {
    run: (inputs, outputs) => runSession(api, pointer, names, inputs, outputs),
    release: () => {
      if (isReleased) return;
      isReleased = true;
      api.ReleaseSession(pointer);
    },
  };
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
    return use(pointer);
  } finally {
    api.ReleaseSessionOptions(pointer);
  }
}

async function runSession(
  api: OrtApi,
  session: Pointer,
  names: NameTable,
  inputs: NamedTensors,
  outputs: NamedTensors,
): Promise<void> {
  const inputNames = names.addresses(Object.keys(inputs));
  const outputNames = names.addresses(Object.keys(outputs));
  const inputValues = addresses(Object.values(inputs).map((tensor) => tensor.pointer));
  const outputValues = addresses(Object.values(outputs).map((tensor) => tensor.pointer));
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

/** C strings of the names that a session was run with, kept as long as the session. */
class NameTable {
  readonly #strings = new Map<string, { readonly bytes: Uint8Array; readonly address: bigint }>();

  addresses(names: readonly string[]): BigUint64Array {
    return addresses(names.map((name) => this.#address(name)));
  }

  #address(name: string): bigint {
    const known = this.#strings.get(name);
    if (known !== undefined) return known.address;
    const encoded = Buffer.from(`${name}\0`);
    const bytes = new Uint8Array(new SharedArrayBuffer(encoded.length));
    bytes.set(encoded);
    const address = koffi.address(bytes);
    this.#strings.set(name, { bytes, address });
    return address;
  }
}

/** An array of addresses in memory that does not move while a run reads it. */
function addresses(pointers: readonly Pointer[]): BigUint64Array {
  const array = new BigUint64Array(new SharedArrayBuffer(Math.max(pointers.length, 1) * 8), 0);
  const exact = array.subarray(0, pointers.length);
  exact.set(pointers);
  return exact;
}
