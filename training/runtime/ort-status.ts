import { Failure, type FailureType } from '../../plan/failures.ts';
import type { OrtApi, Pointer, PointerOut, StatusPointer } from './ort-api.ts';

/** OrtErrorCode by number. Source: onnxruntime_c_api.h. */
const CODES = [
  'OK',
  'FAIL',
  'INVALID_ARGUMENT',
  'NO_SUCHFILE',
  'NO_MODEL',
  'ENGINE_ERROR',
  'RUNTIME_EXCEPTION',
  'INVALID_PROTOBUF',
  'MODEL_LOADED',
  'NOT_IMPLEMENTED',
  'INVALID_GRAPH',
  'EP_FAIL',
];

/** What the arena and C++'s allocator say when there is no memory left. */
const OUT_OF_MEMORY = /failed to allocate memory|bad_alloc|out of memory/i;

/**
 * Releases the status and throws what it says.
 * @param what what was being done, as `running the training graph`
 * @throws OutOfMemory, or Internal for everything else
 */
export function checkStatus(api: OrtApi, status: StatusPointer, what: string): void {
  if (status === null) return;
  const code = api.GetErrorCode(status);
  const message = api.GetErrorMessage(status);
  api.ReleaseStatus(status);
  throw statusFailure(CODES[code] ?? String(code), message, what);
}

/** The failure for an error that ONNX Runtime reports. */
export function statusFailure(code: string, message: string, what: string): Failure {
  const type: FailureType = OUT_OF_MEMORY.test(message) ? 'OutOfMemory' : 'Internal';
  const remedy =
    type === 'OutOfMemory'
      ? '; lower per_device_train_batch_size or max_length, or use a worker with more memory'
      : '';
  return new Failure(type, `ONNX Runtime failed ${what}: ${message} [${code}]${remedy}`);
}

/** Calls a function that returns a status and writes a pointer. */
export function pointerFrom(
  api: OrtApi,
  what: string,
  call: (out: PointerOut) => StatusPointer,
): Pointer {
  const out: PointerOut = [null];
  checkStatus(api, call(out), what);
  const [pointer] = out;
  if (pointer === null) throw new Error(`internal: no pointer came back ${what}`);
  return pointer;
}
