import { execFile } from 'node:child_process';
import { createRequire } from 'node:module';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import type { Device } from '../../../training/devices/device.ts';
import {
  deviceProblem,
  plainReason,
  requireDevice,
} from '../../../training/devices/device-probe.ts';
import { loadRuntime } from '../../../training/runtime/runtime.ts';
import { deviceRun, type DeviceRun, type DeviceRunOptions } from './device-run.ts';
import { softwareVulkan } from './software-vulkan.ts';

/** The same run in a process of its own, where SwiftShader is found. */
async function runApart(device: Device, options: DeviceRunOptions): Promise<DeviceRun> {
  const loader = createRequire(import.meta.url).resolve('tsx');
  const entry = fileURLToPath(new URL('./device-run-entry.ts', import.meta.url));
  const { stdout } = await promisify(execFile)(
    process.execPath,
    ['--import', pathToFileURL(loader).href, entry, device, JSON.stringify(options)],
    { env: { ...process.env, ...softwareVulkan() }, maxBuffer: 2 ** 26 },
  );
  return JSON.parse(stdout) as DeviceRun;
}

/** The largest difference of two runs, relative to the largest number. */
function difference(a: readonly number[], b: readonly number[]): number {
  if (a.length !== b.length) return Infinity;
  const largest = a.reduce((most, number) => Math.max(most, Math.abs(number)), 1e-30);
  return a.reduce((most, x, i) => Math.max(most, Math.abs(x - (b[i] ?? NaN))), 0) / largest;
}

/** What of two runs differs by more than rounding explains. */
function differences(found: DeviceRun, expected: DeviceRun): readonly string[] {
  const bounds = { losses: 1e-6, norms: 1e-6, parameters: 2e-6, moments: 1e-6 } as const;
  const parts = Object.keys(bounds) as (keyof DeviceRun)[];
  return parts.flatMap((part) => {
    const worst = difference(expected[part], found[part]);
    return worst < bounds[part] ? [] : [`${part}: ${worst}`];
  });
}

test.each([
  { optimizer: 'adamw' },
  { optimizer: 'sgd' },
  { optimizer: 'sgd_momentum' },
  { optimizer: 'sgd_nesterov' },
  { optimizer: 'adamw', freeze: ['transformer.wte.weight', 'transformer.h.0.*'] },
])('tensors and optimizer on a device compute what ours do: $optimizer', async (options) => {
  const expected = await deviceRun(undefined, options);
  expect(differences(await deviceRun('cpu', options), expected)).toEqual([]);
});

test('a scale of the loss leaves losses, norms and updates as they are, to the bit', async () => {
  expect(await deviceRun('cpu', { lossScale: 2 ** 16 })).toEqual(await deviceRun('cpu'));
});

test('an optimizer that is built for the CPU only is refused on a device', async () => {
  await expect(deviceRun('cpu', { optimizer: 'adafactor' })).rejects.toMatchObject({
    type: 'InvalidInput',
    message:
      "args.optim is 'adafactor', which is built for the device cpu only; use 'adamw_torch' or 'sgd', or set device to cpu",
  });
});

test.each([
  {
    message:
      'ONNX Runtime failed opening the device webgpu: /onnxruntime_src/onnxruntime/core/providers/webgpu/webgpu_context.cc:136 onnxruntime::webgpu::WebGpuContext::Initialize(const onnxruntime::webgpu::WebGpuContextConfig&)::<lambda()> adapter_result.status == wgpu::RequestAdapterStatus::Success was false. Failed to get a WebGPU adapter: No supported adapters [FAIL]',
    plain:
      'ONNX Runtime failed opening the device webgpu: Failed to get a WebGPU adapter: No supported adapters [FAIL]',
  },
  {
    message:
      'ONNX Runtime failed opening the device cuda: /onnxruntime_src/onnxruntime/core/session/provider_bridge_ort.cc:1988 onnxruntime::Provider& onnxruntime::ProviderLibrary::Get() [ONNXRuntimeError] : 1 : FAIL : Failed to load library /a/libonnxruntime_providers_shared.so with error: /a/libonnxruntime_providers_shared.so: cannot open shared object file: No such file or directory [FAIL]',
    plain:
      'ONNX Runtime failed opening the device cuda: Failed to load library /a/libonnxruntime_providers_shared.so with error: /a/libonnxruntime_providers_shared.so: cannot open shared object file: No such file or directory [FAIL]',
  },
  {
    message:
      'ONNX Runtime failed compiling a graph: /onnxruntime_src/onnxruntime/core/providers/cuda/cuda_call.cc:154 std::conditional_t<THRW, void, Status> onnxruntime::CudaCall(ERRTYPE) [with ERRTYPE = cudaError; bool THRW = true] CUDA failure 36: API call is not supported in the installed CUDA driver ; GPU=-1 ; hostname=vm ; file=/a/cuda_execution_provider.cc ; line=69 ; expr=cudaSetDevice(0); \n [FAIL]',
    plain:
      'ONNX Runtime failed compiling a graph: CUDA failure 36: API call is not supported in the installed CUDA driver [FAIL]',
  },
])('a reason is told without places in the source of ONNX Runtime', ({ message, plain }) => {
  expect(plainReason(message)).toBe(plain);
});

test('the CPU is always there', async () => {
  expect(await deviceProblem(loadRuntime(), 'cpu')).toBeUndefined();
});

test('a device that is not there is refused with what was looked for', async () => {
  const runtime = loadRuntime();
  const where = `ONNX Runtime ${runtime.version} at ${runtime.libraryPath}`;
  const without = { ...runtime, providers: () => ['CPUExecutionProvider'] };
  await expect(requireDevice(without, 'cuda')).rejects.toMatchObject({
    type: 'DeviceUnavailable',
    message: `this worker cannot compute on the device cuda: looked for CUDAExecutionProvider in ${where}, which has CPUExecutionProvider; expected an NVIDIA GPU with its driver, CUDA and cuDNN as the library was built for where the system looks for libraries, and libonnxruntime_providers_cuda.so beside ONNX Runtime's library; let RETUNE_ORT_LIBRARY name a library that can, give runs_on the label of workers that can, or set device to cpu`,
  });
});

test('WebGPU on a software adapter trains as the CPU does; without one it says so', async () => {
  const options = { steps: 2 };
  const expected = await deviceRun(undefined, options);
  if (softwareVulkan() !== undefined) {
    expect(differences(await runApart('webgpu', options), expected)).toEqual([]);
    return;
  }
  const problem = await deviceProblem(loadRuntime(), 'webgpu');
  if (problem === undefined) {
    expect(differences(await deviceRun('webgpu', options), expected)).toEqual([]);
  } else
    expect(problem).toMatch(/^looked for (a device of )?WebGpuExecutionProvider (in|with) ONNX/);
}, 300_000);
