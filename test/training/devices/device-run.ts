import type { Device } from '../../../training/devices/device.ts';
import { defineModel } from '../../../training/model.ts';
import { dropoutKeys } from '../../../training/models/dropout-keys.ts';
import type { Precision } from '../../../training/models/precision.ts';
import { classified } from '../models/model-fixture.ts';
import { initializedSession } from '../loop/initialized-session.ts';
import { SMALL_CONFIG, smallRows } from '../loop/small-training.ts';
import { OPTIMIZERS } from '../optimizers/filled-state.ts';

export interface DeviceRun {
  readonly losses: readonly number[];
  readonly norms: readonly number[];
  /** All parameters after the last step. */
  readonly parameters: readonly number[];
  /** By region, after the last step. */
  readonly moments: readonly number[];
}

export interface DeviceRunOptions {
  readonly optimizer?: string;
  readonly freeze?: readonly string[];
  readonly precision?: Precision;
  readonly lossScale?: number;
  /** Optimizer steps; 5 if not given. */
  readonly steps?: number;
}

/**
 * Optimizer steps of a small GPT-2 with dropout, each of three passes.
 * @param device undefined for the state's own memory and the WebAssembly optimizer
 */
export async function deviceRun(
  device: Device | undefined,
  options: DeviceRunOptions = {},
): Promise<DeviceRun> {
  const { optimizer: name = 'adamw', freeze, precision, lossScale = 1, steps = 5 } = options;
  const model = defineModel(SMALL_CONFIG);
  const optimizer = OPTIMIZERS[name];
  if (optimizer === undefined) throw new Error(`no optimizer ${name}`);
  const session = await initializedSession(model, {
    limits: { tokensPerPass: 30, tokensPerRow: 15 },
    optimizer,
    ...(device !== undefined && { device }),
    ...(freeze !== undefined && { freeze }),
    ...(precision !== undefined && { precision }),
  });
  session.lossScale.value = lossScale;
  const losses: number[] = [];
  const norms: number[] = [];
  const rows = smallRows(9, 3);
  for (let step = 1; step <= steps; step++) {
    const examples = rows.ids.map((rowId, row) => {
      const inputIds = rows.inputIds.subarray(rows.offsets[row], rows.offsets[row + 1]);
      const keys = dropoutKeys({ seed: 1, epoch: step, rowId, length: inputIds.length });
      const label = rows.labels?.[row] ?? 0;
      return { ...classified(model, inputIds, label, 1 / 9), dropoutKeys: keys };
    });
    const { loss } = await session.computeGradients(examples);
    const norm = await session.optimizer.gradientNorm();
    const gradientScale = Math.min(1, 1 / norm);
    await session.optimizer.update({ step, learningRate: 1e-3, gradientScale });
    losses.push(loss);
    norms.push(norm);
  }
  await session.download();
  const { state } = session;
  const all = (region: 'parameters' | 'firstMoments' | 'secondMoments'): readonly number[] =>
    state.tensors.flatMap((tensor) => [...state.view(region, tensor)]);
  const parameters = all('parameters');
  const moments = [...all('firstMoments'), ...all('secondMoments')];
  await session.close();
  return { losses, norms, parameters, moments };
}
