import { gradientName } from '../models/model-graph.ts';
import type { ParameterSpec } from '../models/model-graph.ts';
import type { OptimizerOptions } from '../optimizers/optimizer-options.ts';
import type { StateRegion, StateTensor, TrainingState } from '../optimizers/training-state.ts';
import type { DeviceTensor, Runtime } from '../runtime/runtime.ts';
import type { LossScale, StateMemory } from '../state-memory.ts';
import type { Device } from './device.ts';
import { openDeviceMemory, type DeviceMemory } from './device-memory.ts';
import { DeviceOptimizer } from './device-optimizer.ts';
import { updateRule } from './update-graphs.ts';

export interface DeviceStateInput {
  readonly runtime: Runtime;
  readonly device: Device;
  /** What the device's tensors are copied from, and to for checkpoints. */
  readonly state: TrainingState;
  /** Parameters that are not trained, with their elements in our memory. */
  readonly frozen: readonly (readonly [ParameterSpec, Float32Array])[];
  readonly optimizer: OptimizerOptions;
  readonly lossScale: LossScale;
}

/** The tensors of a training in a device's memory, by region and by the tensor's name. */
export class DeviceTensors {
  readonly memory: DeviceMemory;
  readonly #regions = new Map<StateRegion, Map<string, DeviceTensor>>();

  constructor(memory: DeviceMemory) {
    this.memory = memory;
  }

  get(region: StateRegion, { name }: { readonly name: string }): DeviceTensor {
    const tensor = this.#regions.get(region)?.get(name);
    if (tensor === undefined) throw new Error(`internal: the device has no ${region} of ${name}`);
    return tensor;
  }

  /** @returns the tensor that it takes the place of, if any */
  set(
    region: StateRegion,
    { name }: { readonly name: string },
    tensor: DeviceTensor,
  ): DeviceTensor | undefined {
    const tensors = this.#regions.get(region) ?? new Map<string, DeviceTensor>();
    this.#regions.set(region, tensors);
    const before = tensors.get(name);
    tensors.set(name, tensor);
    return before;
  }

  /** The tensors of a region by the names that graphs have for them, as they are now. */
  named(region: StateRegion, nameOf: (name: string) => string): Record<string, DeviceTensor> {
    const tensors = this.#regions.get(region) ?? new Map<string, DeviceTensor>();
    return Object.fromEntries([...tensors].map(([name, tensor]) => [nameOf(name), tensor]));
  }

  release(): void {
    for (const tensors of this.#regions.values()) {
      for (const tensor of tensors.values()) tensor.release();
    }
  }
}

/**
 * Takes memory of a device for a training. Parameters, moments and gradients stay there, and the
 * optimizer works there; `upload` and `download` copy what checkpoints and files hold.
 * @throws OutOfMemory; InvalidInput for an optimizer that only the CPU has
 */
export function openDeviceState(input: DeviceStateInput): StateMemory {
  const { runtime, device, state, frozen, lossScale } = input;
  const rule = updateRule(input.optimizer);
  const memory = openDeviceMemory(runtime, device);
  const tensors = new DeviceTensors(memory);
  const trained: readonly StateRegion[] = [...rule.slots, 'gradients', 'passGradients'];
  for (const tensor of state.tensors) {
    for (const region of trained) tensors.set(region, tensor, memory.allocate(tensor.shape));
  }
  for (const [spec] of frozen) tensors.set('parameters', spec, memory.allocate(spec.shape));
  const optimizer = new DeviceOptimizer({ runtime, tensors, state, rule, lossScale });
  const copied = rule.slots.flatMap((slot) =>
    state.tensors.map((tensor) => [slot, tensor] as const),
  );
  return {
    parameters: () => tensors.named('parameters', (name) => name),
    gradients: ({ isFirst }) => {
      const region = isFirst ? 'gradients' : 'passGradients';
      return { outputs: tensors.named(region, gradientName), zeros: {} };
    },
    optimizer,
    upload: async () => {
      for (const [spec, data] of frozen) await copyIn(input, tensors, 'parameters', spec, data);
      for (const [region, tensor] of copied) {
        await copyIn(input, tensors, region, tensor, state.view(region, tensor));
      }
    },
    download: async () => {
      for (const [region, tensor] of copied) await copyOut(input, tensors, region, tensor);
    },
    close: async () => {
      await optimizer.close();
      tensors.release();
      memory.release();
    },
  };
}

async function copyIn(
  { runtime }: DeviceStateInput,
  tensors: DeviceTensors,
  region: StateRegion,
  { name, shape }: { readonly name: string; readonly shape: readonly number[] },
  data: Float32Array,
): Promise<void> {
  const ours = runtime.createTensor({ elementType: 'float32', shape, data });
  try {
    await tensors.memory.copyIn(ours, tensors.get(region, { name }));
  } finally {
    ours.release();
  }
}

async function copyOut(
  { runtime, state }: DeviceStateInput,
  tensors: DeviceTensors,
  region: StateRegion,
  tensor: StateTensor,
): Promise<void> {
  const data = state.view(region, tensor);
  const ours = runtime.createTensor({ elementType: 'float32', shape: tensor.shape, data });
  try {
    await tensors.memory.copyOut(tensors.get(region, tensor), ours);
  } finally {
    ours.release();
  }
}
