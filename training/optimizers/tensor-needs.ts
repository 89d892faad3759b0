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
  /** For numbers of a single update, or for which rows are live. */
  readonly scratchBytes: number;
  readonly hasLiveRows: boolean;
}

/** What an optimizer needs of a tensor. */
export function tensorNeeds(
  options: OptimizerOptions,
  { shape, isSparse = false }: { readonly shape: readonly number[]; readonly isSparse?: boolean },
): TensorNeeds {
  switch (options.kind) {
    case 'adamw': {
      const moments = { firstMoments: shape, secondMoments: shape };
      const [rows = 0, columns = 0] = shape;
      // A vector of the kernel's must not reach into the next row; and 0 / 0 is to stay no number.
      const hasLiveRows = isSparse && columns % 4 === 0 && Math.fround(options.epsilon) > 0;
      return { moments, hasLiveRows, scratchBytes: hasLiveRows ? 8 * Math.ceil(rows / 8) : 0 };
    }
    case 'sgd': {
      const moments = options.momentum === 0 ? {} : { firstMoments: shape };
      return { moments, scratchBytes: 0, hasLiveRows: false };
    }
    case 'adafactor': {
      const moments = adafactorMoments(shape);
      return { moments, scratchBytes: scratchBytes(shape), hasLiveRows: false };
    }
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
