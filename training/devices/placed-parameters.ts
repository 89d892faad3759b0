import type { DeviceTensor, NamedValues, Runtime, Tensor } from '../runtime/runtime.ts';
import type { Device } from './device.ts';
import { openDeviceMemory } from './device-memory.ts';

/** Parameters where passes run. */
export interface PlacedParameters {
  readonly values: NamedValues;
  /** After the sessions that read them. */
  release(): void;
}

/**
 * Copies parameters into a device's memory; without a device they stay where they are.
 * @throws OutOfMemory
 */
export async function placeParameters(
  runtime: Runtime,
  device: Device | undefined,
  parameters: { readonly [name: string]: Tensor<'float32'> },
): Promise<PlacedParameters> {
  if (device === undefined) return { values: parameters, release: () => undefined };
  const memory = openDeviceMemory(runtime, device);
  const placed: [string, DeviceTensor][] = [];
  for (const [name, tensor] of Object.entries(parameters)) {
    const copy = memory.allocate(tensor.shape);
    await memory.copyIn(tensor, copy);
    placed.push([name, copy]);
  }
  return {
    values: Object.fromEntries(placed),
    release: () => {
      for (const [, tensor] of placed) tensor.release();
      memory.release();
    },
  };
}
