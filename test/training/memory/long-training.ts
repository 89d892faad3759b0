import type { TokenizedRows } from '../../../data/tokenized-dataset.ts';
import type { TrainInput } from '../../../training/train.ts';
import { smallTraining } from '../loop/small-training.ts';

/** Rows of 240 tokens: four of them fill a pass. */
export function longRows(): TokenizedRows {
  const [rows, tokens] = [16, 240];
  return {
    ids: Array.from({ length: rows }, (_, row) => `row-${row}`),
    inputIds: Int32Array.from({ length: rows * tokens }, (_, i) => 1 + ((i * 7919) % 60)),
    offsets: Int32Array.from({ length: rows + 1 }, (_, row) => row * tokens),
    labels: Int32Array.from({ length: rows }, (_, row) => row % 3),
    values: null,
    valuesPerRow: 0,
    completionMask: null,
  };
}

/** One epoch of four steps, whose attention takes most of the memory. */
export async function longTraining(folder: string): Promise<TrainInput> {
  const input = await smallTraining(
    folder,
    { per_device_train_batch_size: 4, gradient_accumulation_steps: 1, num_train_epochs: 1 },
    { n_positions: 256, n_embd: 64, n_head: 16 },
  );
  const { evalRows: _, ...rest } = input;
  return { ...rest, args: { ...rest.args, logging_steps: 1 }, trainRows: longRows() };
}
