import koffi from 'koffi';
import { Failure } from '../../plan/failures.ts';
import type { OrtApi, Pointer } from './ort-api.ts';
import { pointerFrom } from './ort-status.ts';

/** Element types of tensors: ONNX's number (onnx.proto, TensorProto.DataType) and view. */
const ELEMENTS = {
  float32: { code: 1, view: Float32Array },
  int32: { code: 6, view: Int32Array },
  int64: { code: 7, view: BigInt64Array },
  bool: { code: 9, view: Uint8Array },
  uint32: { code: 12, view: Uint32Array },
} as const;

export type ElementType = keyof typeof ELEMENTS;

interface TensorViews {
  readonly float32: Float32Array;
  readonly int32: Int32Array;
  readonly int64: BigInt64Array;
  readonly bool: Uint8Array;
  readonly uint32: Uint32Array;
}

/** The view that holds a tensor's elements. */
export type TensorData<E extends ElementType = ElementType> = TensorViews[E];

/**
 * Bytes to which tensor memory is aligned: one cache line, one AVX-512 register. Vectorised sums may
 * start at an aligned element, so the bits are only the same where the alignment is.
 */
const TENSOR_ALIGNMENT = 64;

/** A tensor wherever it lies. */
export interface TensorValue {
  readonly elementType: ElementType;
  readonly shape: readonly number[];
  /** Undefined in the memory of a device. */
  readonly data?: TensorData | undefined;
  /** `OrtValue*`, for Session.run. */
  readonly pointer: Pointer;
  /** Gives the value back, with its memory unless that is the caller's. */
  release(): void;
}

/** A tensor over the caller's memory: ONNX Runtime reads and writes `data` in place. */
export interface Tensor<E extends ElementType = ElementType> extends TensorValue {
  readonly elementType: E;
  readonly data: TensorData<E>;
}

/** A float32 tensor in the memory of a device. */
export interface DeviceTensor extends TensorValue {
  readonly elementType: 'float32';
  readonly data?: undefined;
}

export type NamedTensors = { readonly [name: string]: Tensor };
export type NamedValues = { readonly [name: string]: TensorValue };

export interface TensorInput<E extends ElementType> {
  readonly elementType: E;
  readonly shape: readonly number[];
  /** Elements in row-major order; it must hold exactly the shape's number of them. */
  readonly data: TensorData<E>;
}

/**
 * Zeroed, aligned memory for a tensor that neither moves nor is freed while a view of it lives.
 * @throws OutOfMemory
 */
export function allocateTensorData<E extends ElementType>(
  elementType: E,
  elements: number,
): TensorData<E> {
  const { view: View } = ELEMENTS[elementType];
  const byteLength = Math.max(elements, 1) * View.BYTES_PER_ELEMENT;
  // Small ArrayBuffers may live on the JavaScript heap, which moves; shared memory never does.
  const memory = allocate(byteLength + TENSOR_ALIGNMENT);
  const misaligned = Number(koffi.address(new Uint8Array(memory)) % BigInt(TENSOR_ALIGNMENT));
  const start = (TENSOR_ALIGNMENT - misaligned) % TENSOR_ALIGNMENT;
  return new View(memory as unknown as ArrayBuffer, start, elements) as TensorData<E>;
}

function allocate(byteLength: number): SharedArrayBuffer {
  try {
    return new SharedArrayBuffer(byteLength);
  } catch (cause) {
    const gibibytes = (byteLength / 2 ** 30).toFixed(1);
    throw new Failure(
      'OutOfMemory',
      `a tensor needs ${gibibytes} GiB, and the system refused them; use a worker with more ` +
        'memory or a smaller model',
      { cause },
    );
  }
}

/** Wraps memory as a tensor. The tensor keeps the memory alive until it is released. */
export function createTensor<E extends ElementType>(
  api: OrtApi,
  memoryInfo: Pointer,
  input: TensorInput<E>,
): Tensor<E> {
  const { elementType, shape, data } = input;
  const elements = shape.reduce((product, length) => product * length, 1);
  if (data.length !== elements) {
    throw new Error(
      `internal: a tensor [${shape.join(',')}] holds ${elements} elements, its memory ${data.length}`,
    );
  }
  // Reading .buffer moves a view that still lives on the JavaScript heap out of it, for good.
  if (data.buffer.byteLength < data.byteLength) throw new Error('internal: detached tensor memory');
  const pointer = pointerFrom(api, 'creating a tensor', (out) =>
    api.CreateTensorWithDataAsOrtValue(
      memoryInfo,
      data,
      data.byteLength,
      BigInt64Array.from(shape, BigInt),
      shape.length,
      ELEMENTS[elementType].code,
      out,
    ),
  );
  return { elementType, shape, data, pointer, release: releaseOnce(api, pointer) };
}

/** Takes memory of an allocator for a tensor of float32. @throws OutOfMemory */
export function createDeviceTensor(
  api: OrtApi,
  allocator: Pointer,
  shape: readonly number[],
): DeviceTensor {
  const elementType = 'float32';
  const pointer = pointerFrom(api, 'taking memory of a device', (out) =>
    api.CreateTensorAsOrtValue(
      allocator,
      BigInt64Array.from(shape, BigInt),
      shape.length,
      ELEMENTS[elementType].code,
      out,
    ),
  );
  return { elementType, shape, pointer, release: releaseOnce(api, pointer) };
}

function releaseOnce(api: OrtApi, pointer: Pointer): () => void {
  let isReleased = false;
  return () => {
    if (isReleased) return;
    isReleased = true;
    api.ReleaseValue(pointer);
  };
}
