import koffi from 'koffi';
import { runtimeLibraryDigest, runtimeLibraryPath } from './library.ts';
import { loadOrtLibrary, type OrtApi } from './ort-api.ts';
import { checkStatus, pointerFrom } from './ort-status.ts';
import { createSession, type Session, type SessionOptions } from './session.ts';
import { createTensor, type ElementType, type Tensor, type TensorInput } from './tensor.ts';

export type { Session, SessionOptions } from './session.ts';
export {
  allocateTensorData,
  type DeviceTensor,
  type ElementType,
  type NamedTensors,
  type NamedValues,
  type Tensor,
  type TensorData,
} from './tensor.ts';

/** ONNX Runtime in this process, through its C API. */
export interface Runtime {
  /** As `1.30.0`. */
  readonly version: string;
  readonly libraryPath: string;
  /** `sha256:...` of the library. @see runtimeLibraryDigest */
  libraryDigest(): Promise<string>;
  /** Names of what the library was built to compute on, as `CPUExecutionProvider`. */
  providers(): readonly string[];
  /** Compiles ONNX ModelProto bytes. @throws OutOfMemory or Internal */
  createSession(model: Uint8Array, options: SessionOptions): Session;
  /** Wraps the caller's memory, without a copy. */
  createTensor<E extends ElementType>(input: TensorInput<E>): Tensor<E>;
}

/** Only what ends the process: every error comes back as a status. */
const LOG_LEVEL_FATAL = 4;
/** OrtArenaAllocator and OrtMemTypeDefault of onnxruntime_c_api.h. */
const ARENA_ALLOCATOR = 1;
const DEFAULT_MEMORY = 0;

let loaded: Runtime | undefined;

/**
 * The process's ONNX Runtime, loaded at the first call.
 * @throws DeviceUnavailable when the library is missing or does not load
 */
export function loadRuntime(): Runtime {
  loaded ??= openRuntime(runtimeLibraryPath());
  return loaded;
}

function openRuntime(libraryPath: string): Runtime {
  const { api, version } = loadOrtLibrary(libraryPath);
  // Both live as long as the process: ONNX Runtime has one environment a process.
  const env = pointerFrom(api, 'starting', (out) => api.CreateEnv(LOG_LEVEL_FATAL, 'retune', out));
  const memoryInfo = pointerFrom(api, 'describing memory', (out) =>
    api.CreateCpuMemoryInfo(ARENA_ALLOCATOR, DEFAULT_MEMORY, out),
  );
  let digest: Promise<string> | undefined;
  return {
    version,
    libraryPath,
    libraryDigest: () => (digest ??= runtimeLibraryDigest(libraryPath)),
    providers: () => availableProviders(api),
    createSession: (model, options) => createSession(api, env, model, options),
    createTensor: (input) => createTensor(api, memoryInfo, input),
  };
}

function availableProviders(api: OrtApi): readonly string[] {
  const what = 'listing what it can compute on';
  const count: [number] = [0];
  const list = pointerFrom(api, what, (out) => api.GetAvailableProviders(out, count));
  const names = koffi.decode(list, koffi.array('const char*', count[0])) as readonly string[];
  checkStatus(api, api.ReleaseAvailableProviders(list, count[0]), what);
  return names;
}
