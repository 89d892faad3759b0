import { Failure } from '../../plan/failures.ts';
import { Graph } from '../graph/graph.ts';
import { withMatrixPrecision, type HalfPrecision } from '../graph/matrix-precision.ts';
import { toOnnx } from '../graph/onnx-file.ts';
import * as ops from '../graph/ops.ts';
import type { Precision } from '../models/precision.ts';
import { PROVIDERS } from '../runtime/execution-provider.ts';
import { LIBRARY_VARIABLE } from '../runtime/library.ts';
import { allocateTensorData, type Runtime } from '../runtime/runtime.ts';
import type { Device } from './device.ts';
import { openDeviceMemory } from './device-memory.ts';

/** What a device needs of a machine, in a person's words. */
const NEEDS: { readonly [device in Device]: string } = {
  cpu: 'nothing',
  cuda:
    'an NVIDIA GPU with its driver, CUDA and cuDNN as the library was built for where the system looks for libraries, and ' +
    "libonnxruntime_providers_cuda.so beside ONNX Runtime's library",
  webgpu:
    'a GPU with its driver; on Linux libvulkan.so.1 and a Vulkan driver where the system looks for them',
};

/**
 * Makes sure that a device computes here.
 * @throws DeviceUnavailable with what was looked for, where, and what to do
 */
export async function requireDevice(
  runtime: Runtime,
  device: Device,
  precision: Precision = 'float32',
): Promise<void> {
  const problem = await deviceProblem(runtime, device);
  if (problem === undefined) {
    if (precision !== 'float32') await requirePrecision(runtime, device, precision);
    return;
  }
  throw new Failure(
    'DeviceUnavailable',
    `this worker cannot compute on the device ${device}: ${problem}; expected ${NEEDS[device]}; ` +
      `let ${LIBRARY_VARIABLE} name a library that can, give runs_on the label of workers that can, ` +
      'or set device to cpu',
  );
}

/** Why a device does not compute here; undefined when it does. */
export async function deviceProblem(runtime: Runtime, device: Device): Promise<string | undefined> {
  const { version, libraryPath } = runtime;
  const library = `ONNX Runtime ${version} at ${libraryPath}`;
  const { name } = PROVIDERS[device];
  const known = runtime.providers();
  if (!known.includes(name)) {
    return `looked for ${name} in ${library}, which has ${known.join(', ')}`;
  }
  try {
    await computeOn(runtime, device);
    return undefined;
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    return `looked for a device of ${name} with ${library}, which answered: ${plainReason(error.message)}`;
  }
}

/** Places in ONNX Runtime's source, and its own words for an error, before what is to be said. */
const NOISE = /\/\S+\.cc:\d+ .*?(?:was false\. |\[ONNXRuntimeError\] : \d+ : \w+ : )/s;

/** The error of a call to CUDA among its place, its device and its host. */
const CUDA_ERROR = /\/\S+\.cc:\d+ .*(CUDA failure \d+: [^;]*?) ;.*(?= \[\w+\])/s;

/** ONNX Runtime's message without what only its own authors can use. */
export function plainReason(message: string): string {
  return message.replace(CUDA_ERROR, '$1').replace(NOISE, '');
}

/** Multiplies on the device in half precision. @throws DeviceUnavailable where it cannot */
async function requirePrecision(
  runtime: Runtime,
  device: Device,
  precision: HalfPrecision,
): Promise<void> {
  const graph = new Graph();
  const x = graph.input('x', 'float32', [1, 1]);
  graph.output('y', ops.gemm(x, x));
  const onnx = toOnnx(withMatrixPrecision(graph, precision));
  const data = allocateTensorData('float32', 1);
  const tensor = runtime.createTensor({ elementType: 'float32', shape: [1, 1], data });
  try {
    const session = runtime.createSession(onnx, { threads: 1, device });
    await session.run({ x: tensor }, { y: tensor }).finally(() => session.release());
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    const name = precision === 'float16' ? 'fp16' : 'bf16';
    throw new Failure(
      'DeviceUnavailable',
      `the device ${device} of this worker does not compute in ${precision}: ${plainReason(error.message)}; ` +
        `remove args.${name}, or give runs_on the label of workers whose device does`,
      { cause: error },
    );
  } finally {
    tensor.release();
  }
}

/** Takes a number to the device and back. */
async function computeOn(runtime: Runtime, device: Device): Promise<void> {
  const memory = openDeviceMemory(runtime, device);
  const data = allocateTensorData('float32', 1);
  const ours = runtime.createTensor({ elementType: 'float32', shape: [1], data });
  const there = memory.allocate([1]);
  try {
    data[0] = 1;
    await memory.copyIn(ours, there);
    data[0] = 0;
    await memory.copyOut(there, ours);
    if (data[0] !== 1) throw new Error(`internal: ${device} answers ${data[0]} for 1`);
  } finally {
    there.release();
    ours.release();
    memory.release();
  }
}
