import type { Device } from '../devices/device.ts';
import { StringTable } from './c-strings.ts';
import type { OrtApi, Pointer } from './ort-api.ts';
import { checkStatus, pointerFrom } from './ort-status.ts';

interface ExecutionProvider {
  /** ONNX Runtime's name of what computes on the device. */
  readonly name: string;
  /** ONNX Runtime's name of the device's memory. Source: core/framework/allocator.h. */
  readonly memory: string;
}

/** What computes on each device. */
export const PROVIDERS: { readonly [device in Device]: ExecutionProvider } = {
  cpu: { name: 'CPUExecutionProvider', memory: 'Cpu' },
  cuda: { name: 'CUDAExecutionProvider', memory: 'Cuda' },
  webgpu: { name: 'WebGpuExecutionProvider', memory: 'WebGPU_Buf' },
};

/**
 * float32 is computed as float32, as torch does: not in TensorFloat-32. Memory is taken as it is
 * asked for, not in powers of two. Source: cuda_execution_provider_info.cc.
 */
const CUDA_OPTIONS = {
  use_tf32: '0',
  arena_extend_strategy: 'kSameAsRequested',
} as const;

/** Lets a session compute on a device; what the device cannot, the CPU does. */
export function appendProvider(api: OrtApi, sessionOptions: Pointer, device: Device): void {
  const check = (status: Pointer | null): void =>
    checkStatus(api, status, `opening the device ${device}`);
  if (device === 'cpu') return;
  // Where a kernel has a variant whose sums have a fixed order, that one is taken.
  check(api.SetDeterministicCompute(sessionOptions, true));
  const strings = new StringTable();
  if (device === 'webgpu') {
    const none = strings.addresses([]);
    check(api.SessionOptionsAppendExecutionProvider(sessionOptions, 'WebGPU', none, none, 0));
    return;
  }
  const cuda = pointerFrom(api, `opening the device ${device}`, (out) =>
    api.CreateCUDAProviderOptions(out),
  );
  try {
    const keys = strings.addresses(Object.keys(CUDA_OPTIONS));
    const values = strings.addresses(Object.values(CUDA_OPTIONS));
    check(api.UpdateCUDAProviderOptions(cuda, keys, values, keys.length));
    check(api.SessionOptionsAppendExecutionProvider_CUDA_V2(sessionOptions, cuda));
  } finally {
    api.ReleaseCUDAProviderOptions(cuda);
  }
}
