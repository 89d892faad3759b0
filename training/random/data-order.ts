import { Failure } from '../../plan/failures.ts';
import { MersenneTwister } from './mersenne-twister.ts';

/** Above this, torch draws 64 bits an element. Source: ATen/native/TensorFactories.cpp. */
const LARGEST_DATASET = Math.floor((2 ** 32 - 1) / 20) - 1;

export interface DataOrderInput {
  readonly rows: number;
  /** data_seed, or else seed; from 0. */
  readonly seed: number;
  /** From 0. */
  readonly epoch: number;
}

/**
 * Row numbers in the order in which an epoch visits them: torch.randperm(rows) from a generator
 * seeded with seed + epoch, as Hugging Face's Trainer.
 * Source: accelerate 1.15, SeedableRandomSampler; torch, randperm_cpu (forward Fisher-Yates).
 *
 * @throws InvalidInput above 214 million rows
 */
export function dataOrder({ rows, seed, epoch }: DataOrderInput): Uint32Array {
  if (rows > LARGEST_DATASET) {
    throw new Failure(
      'InvalidInput',
      `the training split has ${rows} rows; expected at most ${LARGEST_DATASET}: take a subset`,
    );
  }
  const generator = new MersenneTwister(seed + epoch);
  const order = Uint32Array.from({ length: rows }, (_, row) => row);
  for (let i = 0; i < rows - 1; i++) {
    const j = i + (generator.next() % (rows - i));
    const row = order[i] ?? 0;
    order[i] = order[j] ?? 0;
    order[j] = row;
  }
  return order;
}
