import { Graph } from '../graph/graph.ts';
import { toOnnx } from '../graph/onnx-file.ts';
import * as ops from '../graph/ops.ts';
import type { DeviceTensor, Runtime, Session, Tensor } from '../runtime/runtime.ts';
import type { Device } from './device.ts';

/** Where the tensors of a training lie that only sessions on a device read and write. */
export interface DeviceMemory {
  readonly device: Device;
  /** Not initialized. @throws OutOfMemory */
  allocate(shape: readonly number[]): DeviceTensor;
  /** Fills a tensor of the device with what ours holds. */
  copyIn(from: Tensor<'float32'>, to: DeviceTensor): Promise<void>;
  /** Fills a tensor of ours with what the device's holds. */
  copyOut(from: DeviceTensor, to: Tensor<'float32'>): Promise<void>;
  /** Frees it; its tensors are to be released before, and sessions that read them. */
  release(): void;
}

/**
 * Opens the memory of a device.
 * @throws OutOfMemory, or Internal for a device that is not there: see requireDevice
 */
export function openDeviceMemory(runtime: Runtime, device: Device): DeviceMemory {
  const copies = new Copies(runtime, device);
  const first = copies.session(1);
  const memory = first.openMemory();
  return {
    device,
    allocate: (shape) => memory.allocate(shape),
    copyIn: (from, to) => copies.session(from.shape.length).run({ x: from }, { y: to }),
    copyOut: (from, to) => copies.session(from.shape.length).run({ x: from }, { y: to }),
    release: () => {
      copies.releaseOthers(first);
      memory.release();
      first.release();
    },
  };
}

/**
 * Sessions of `y = x`, one a rank. ONNX Runtime brings x to the device and y to where it is bound:
 * the C API's CopyTensors would do the same, but only providers that are plug-ins serve it.
 */
class Copies {
  readonly #runtime: Runtime;
  readonly #device: Device;
  readonly #sessions = new Map<number, Session>();

  constructor(runtime: Runtime, device: Device) {
    this.#runtime = runtime;
    this.#device = device;
  }

  session(rank: number): Session {
    const known = this.#sessions.get(rank);
    if (known !== undefined) return known;
    const graph = new Graph();
    const shape = Array.from({ length: rank }, (_, axis) => `D${axis}`);
    graph.output('y', ops.identity(graph.input('x', 'float32', shape)));
    const options = { threads: 1, device: this.#device };
    const session = this.#runtime.createSession(toOnnx(graph), options);
    this.#sessions.set(rank, session);
    return session;
  }

  releaseOthers(kept: Session): void {
    for (const session of this.#sessions.values()) if (session !== kept) session.release();
  }
}
