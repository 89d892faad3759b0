import { scratchBytes } from './adafactor-blocks.ts';
import type { OptimizerOptions } from './optimizer-options.ts';

/**
 * What optimizers remember of a tensor, each in a region of its own: moments of every element, or
 * second moments by row and by column in their place.
 */
export const MOMENT_REGIONS = [
  'firstMoments',
  'secondMoments',
  'rowMoments',
  'columnMoments',
] as const;

export type MomentRegion = (typeof MOMENT_REGIONS)[number];

/** What an optimizer needs of one tensor, besides its parameters and gradients. */
export interface TensorNeeds {
  /** Shapes; an optimizer does without the regions that are not named. */
  readonly moments: { readonly [region in MomentRegion]?: readonly number[] };
  /** For numbers of a single update. */
  readonly scratchBytes: number;
}

/** What an optimizer needs of a tensor of this shape. */
export function tensorNeeds(options: OptimizerOptions, shape: readonly number[]): TensorNeeds {
  switch (options.kind) {
    case 'adamw':
      return { moments: { firstMoments: shape, secondMoments: shape }, scratchBytes: 0 };
    case 'sgd':
      return { moments: options.momentum === 0 ? {} : { firstMoments: shape }, scratchBytes: 0 };
    case 'adafactor':
      return { moments: adafactorMoments(shape), scratchBytes: scratchBytes(shape) };
  }
}

/** Source: transformers 5.23, Adafactor.step. */
function adafactorMoments(shape: readonly number[]): TensorNeeds['moments'] {
  if (shape.length < 2) return { secondMoments: shape };
  return {
    rowMoments: shape.slice(0, -1),
    columnMoments: [...shape.slice(0, -2), ...shape.slice(-1)],
  };
}
