import type { HalfPrecision } from '../graph/matrix-precision.ts';

/** Element type of matrix products; everything else is float32. */
export type Precision = 'float32' | HalfPrecision;
