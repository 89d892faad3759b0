import koffi, { type LibraryHandle } from 'koffi';
import { Failure } from '../../plan/failures.ts';
import { LIBRARY_VARIABLE } from './library.ts';

/** An address that ONNX Runtime gave out. */
export type Pointer = bigint;
/** `OrtStatus*`: null when the call succeeded. */
export type StatusPointer = Pointer | null;
/** Where a function writes the pointer that it returns: element 0. */
export type PointerOut = [Pointer | null];

const VOID = 'void*';
const STRING = 'const char*';
const OUT = koffi.out(koffi.pointer(VOID));

/**
 * The functions of `struct OrtApi` that we call: position in the struct, result, arguments.
 * The struct only ever grows at its end, so a position never changes.
 * Source: onnxruntime_c_api.h of ONNX Runtime, counting the members of OrtApi from 0.
 */
const FUNCTIONS = {
  GetErrorCode: [1, 'int', [VOID]],
  GetErrorMessage: [2, STRING, [VOID]],
  CreateEnv: [3, VOID, ['int', STRING, OUT]],
  CreateSessionFromArray: [8, VOID, [VOID, VOID, 'size_t', VOID, OUT]],
  Run: [9, VOID, [VOID, VOID, VOID, VOID, 'size_t', VOID, 'size_t', VOID]],
  CreateSessionOptions: [10, VOID, [OUT]],
  EnableProfiling: [14, VOID, [VOID, STRING]],
  DisableMemPattern: [17, VOID, [VOID]],
  DisableCpuMemArena: [19, VOID, [VOID]],
  SetSessionGraphOptimizationLevel: [23, VOID, [VOID, 'int']],
  SetIntraOpNumThreads: [24, VOID, [VOID, 'int']],
  CreateRunOptions: [39, VOID, [OUT]],
  CreateTensorAsOrtValue: [48, VOID, [VOID, VOID, 'size_t', 'int', OUT]],
  CreateTensorWithDataAsOrtValue: [49, VOID, [VOID, VOID, 'size_t', VOID, 'size_t', 'int', OUT]],
  CreateMemoryInfo: [68, VOID, [STRING, 'int', 'int', 'int', OUT]],
  CreateCpuMemoryInfo: [69, VOID, ['int', 'int', OUT]],
  ReleaseStatus: [93, 'void', [VOID]],
  ReleaseMemoryInfo: [94, 'void', [VOID]],
  ReleaseSession: [95, 'void', [VOID]],
  ReleaseValue: [96, 'void', [VOID]],
  ReleaseRunOptions: [97, 'void', [VOID]],
  ReleaseSessionOptions: [100, 'void', [VOID]],
  GetAvailableProviders: [125, VOID, [OUT, koffi.out(koffi.pointer('int'))]],
  ReleaseAvailableProviders: [126, VOID, [VOID, 'int']],
  AddSessionConfigEntry: [130, VOID, [VOID, STRING, STRING]],
  CreateAllocator: [131, VOID, [VOID, VOID, OUT]],
  ReleaseAllocator: [132, 'void', [VOID]],
  RunWithBinding: [133, VOID, [VOID, VOID, VOID]],
  CreateIoBinding: [134, VOID, [VOID, OUT]],
  ReleaseIoBinding: [135, 'void', [VOID]],
  BindInput: [136, VOID, [VOID, VOID, VOID]],
  BindOutput: [137, VOID, [VOID, VOID, VOID]],
  ClearBoundInputs: [141, 'void', [VOID]],
  ClearBoundOutputs: [142, 'void', [VOID]],
  SynchronizeBoundInputs: [202, VOID, [VOID]],
  SynchronizeBoundOutputs: [203, VOID, [VOID]],
  SessionOptionsAppendExecutionProvider_CUDA_V2: [204, VOID, [VOID, VOID]],
  CreateCUDAProviderOptions: [205, VOID, [OUT]],
  UpdateCUDAProviderOptions: [206, VOID, [VOID, VOID, VOID, 'size_t']],
  ReleaseCUDAProviderOptions: [208, 'void', [VOID]],
  SessionOptionsAppendExecutionProvider: [216, VOID, [VOID, STRING, VOID, VOID, 'size_t']],
  SetDeterministicCompute: [273, VOID, [VOID, 'bool']],
} as const;

/** Oldest version of the C API that has every function above. */
const API_VERSION = 17;

/** The functions of FUNCTIONS with their types. Buffers are passed as views, without a copy. */
export interface OrtApi {
  GetErrorCode(status: Pointer): number;
  GetErrorMessage(status: Pointer): string;
  CreateEnv(logLevel: number, id: string, out: PointerOut): StatusPointer;
  CreateSessionFromArray(
    env: Pointer,
    model: Uint8Array,
    length: number,
    options: Pointer,
    out: PointerOut,
  ): StatusPointer;
  Run: { async(...args: RunArguments): void };
  CreateSessionOptions(out: PointerOut): StatusPointer;
  EnableProfiling(options: Pointer, pathStart: string): StatusPointer;
  DisableMemPattern(options: Pointer): StatusPointer;
  DisableCpuMemArena(options: Pointer): StatusPointer;
  SetSessionGraphOptimizationLevel(options: Pointer, level: number): StatusPointer;
  SetIntraOpNumThreads(options: Pointer, threads: number): StatusPointer;
  CreateRunOptions(out: PointerOut): StatusPointer;
  CreateTensorAsOrtValue(
    allocator: Pointer,
    shape: BigInt64Array,
    rank: number,
    elementType: number,
    out: PointerOut,
  ): StatusPointer;
  CreateTensorWithDataAsOrtValue(
    memoryInfo: Pointer,
    data: NodeJS.TypedArray,
    byteLength: number,
    shape: BigInt64Array,
    rank: number,
    elementType: number,
    out: PointerOut,
  ): StatusPointer;
  CreateMemoryInfo(
    name: string,
    allocator: number,
    deviceId: number,
    memory: number,
    out: PointerOut,
  ): StatusPointer;
  CreateCpuMemoryInfo(allocator: number, memory: number, out: PointerOut): StatusPointer;
  ReleaseStatus(status: Pointer): void;
  ReleaseMemoryInfo(memoryInfo: Pointer): void;
  ReleaseSession(session: Pointer): void;
  ReleaseValue(value: Pointer): void;
  ReleaseRunOptions(options: Pointer): void;
  ReleaseSessionOptions(options: Pointer): void;
  /** The count goes into element 0 of `count`. */
  GetAvailableProviders(out: PointerOut, count: [number]): StatusPointer;
  ReleaseAvailableProviders(providers: Pointer, count: number): StatusPointer;
  AddSessionConfigEntry(options: Pointer, key: string, value: string): StatusPointer;
  CreateAllocator(session: Pointer, memoryInfo: Pointer, out: PointerOut): StatusPointer;
  ReleaseAllocator(allocator: Pointer): void;
  RunWithBinding: {
    async(session: Pointer, runOptions: Pointer, binding: Pointer, callback: Callback): void;
  };
  CreateIoBinding(session: Pointer, out: PointerOut): StatusPointer;
  ReleaseIoBinding(binding: Pointer): void;
  BindInput: {
    async(binding: Pointer, name: Pointer, value: Pointer, callback: Callback): void;
  } & ((binding: Pointer, name: Pointer, value: Pointer) => StatusPointer);
  BindOutput(binding: Pointer, name: Pointer, value: Pointer): StatusPointer;
  ClearBoundInputs(binding: Pointer): void;
  ClearBoundOutputs(binding: Pointer): void;
  SynchronizeBoundInputs(binding: Pointer): StatusPointer;
  SynchronizeBoundOutputs(binding: Pointer): StatusPointer;
  SessionOptionsAppendExecutionProvider_CUDA_V2(options: Pointer, cuda: Pointer): StatusPointer;
  CreateCUDAProviderOptions(out: PointerOut): StatusPointer;
  UpdateCUDAProviderOptions(
    cuda: Pointer,
    keys: BigUint64Array,
    values: BigUint64Array,
    count: number,
  ): StatusPointer;
  ReleaseCUDAProviderOptions(cuda: Pointer): void;
  SessionOptionsAppendExecutionProvider(
    options: Pointer,
    provider: string,
    keys: BigUint64Array,
    values: BigUint64Array,
    count: number,
  ): StatusPointer;
  SetDeterministicCompute(options: Pointer, isDeterministic: boolean): StatusPointer;
}

/** Called on the event loop. */
type Callback = (error: Error | null, status: StatusPointer) => void;

/** Names and values are arrays of addresses; the callback comes on the event loop. */
type RunArguments = [
  session: Pointer,
  runOptions: null,
  inputNames: BigUint64Array,
  inputs: BigUint64Array,
  inputCount: number,
  outputNames: BigUint64Array,
  outputCount: number,
  outputs: BigUint64Array,
  callback: Callback,
];

export interface OrtLibrary {
  readonly api: OrtApi;
  /** As `1.30.0`. */
  readonly version: string;
}

/**
 * Loads the library and finds the functions. Loading it twice gives the same one.
 * @throws DeviceUnavailable when it does not load or is too old
 */
export function loadOrtLibrary(path: string): OrtLibrary {
  const base = apiBase(path);
  const [getApi, getVersion] = pointers(base, 2);
  const version = String(call(getVersion, STRING, []));
  const api = call(getApi, VOID, ['uint32_t'], API_VERSION);
  if (typeof api !== 'bigint') {
    throw new Failure(
      'DeviceUnavailable',
      `ONNX Runtime ${version} at ${path} has no C API version ${API_VERSION}; expected ONNX ` +
        'Runtime 1.17 or newer: ' +
        remedy(),
    );
  }
  const last = Math.max(...Object.values(FUNCTIONS).map(([index]) => index));
  const table = pointers(api, last + 1);
  const functions = Object.entries(FUNCTIONS).map(([name, [index, result, args]]) => [
    name,
    koffi.decode(table[index], koffi.proto(result, [...args])) as unknown,
  ]);
  return { api: Object.fromEntries(functions) as OrtApi, version };
}

function remedy(): string {
  return process.env[LIBRARY_VARIABLE] === undefined
    ? 'run "npm ci" again'
    : `let ${LIBRARY_VARIABLE} name another library, or unset it`;
}

/** Koffi unloads a library whose handle is collected, with its functions still in use. */
const loadedLibraries: LibraryHandle[] = [];

/** Bytes of a call's stack: compilers of shaders recurse deeper than koffi's 128 KiB. */
const STACK_BYTES = 8 * 2 ** 20;

function apiBase(path: string): Pointer {
  try {
    if (loadedLibraries.length === 0) {
      koffi.config({ sync_stack_size: STACK_BYTES, async_stack_size: STACK_BYTES });
    }
    const library = koffi.load(path);
    loadedLibraries.push(library);
    return library.func('OrtGetApiBase', VOID, [])() as Pointer;
  } catch (error) {
    throw new Failure(
      'DeviceUnavailable',
      `ONNX Runtime does not load from ${path}: ${error instanceof Error ? error.message : String(error)}; ` +
        `on a system with glibc 2.28 or newer, ${remedy()}`,
      { cause: error },
    );
  }
}

function pointers(address: Pointer, count: number): readonly Pointer[] {
  return koffi.decode(address, koffi.array(VOID, count)) as Pointer[];
}

function call(
  address: Pointer | undefined,
  result: string,
  args: readonly string[],
  ...values: readonly unknown[]
): unknown {
  const decoded = koffi.decode(address, koffi.proto(result, [...args])) as (
    ...values: readonly unknown[]
  ) => unknown;
  return decoded(...values);
}
