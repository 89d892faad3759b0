import { z } from 'zod';

/** Where the scaling of a float16 training's loss stands. */
export const lossScalingSchema = z.strictObject({
  /** Factor of the loss. */
  scale: z.number().positive(),
  /** Steps since it last changed. */
  goodSteps: z.int().min(0),
  /** Steps that changed nothing, because gradients had overflowed. */
  skippedSteps: z.int().min(0),
});

export type LossScaling = z.infer<typeof lossScalingSchema>;

/** Source: torch.amp.GradScaler's defaults. */
export const START_SCALING: LossScaling = { scale: 2 ** 16, goodSteps: 0, skippedSteps: 0 };
const GROWTH_INTERVAL = 2000;

/** At a smaller scale it is not float16 that makes gradients overflow. */
const LEAST_SCALE = 1;

/** Whether gradients that overflowed at this scale may do better at the next one. */
export function mayRescale({ scale }: LossScaling): boolean {
  return scale / 2 >= LEAST_SCALE;
}

/**
 * The scaling after a step: half the scale after gradients that overflowed, twice after 2,000 steps
 * in a row that did not. Source: torch.amp.GradScaler, update.
 */
export function nextScaling(scaling: LossScaling, hasOverflowed: boolean): LossScaling {
  const { scale, goodSteps, skippedSteps } = scaling;
  if (hasOverflowed) return { scale: scale / 2, goodSteps: 0, skippedSteps: skippedSteps + 1 };
  if (goodSteps + 1 < GROWTH_INTERVAL) return { ...scaling, goodSteps: goodSteps + 1 };
  return { scale: scale * 2, goodSteps: 0, skippedSteps };
}
