import { setImmediate as yieldToEvents } from 'node:timers/promises';
import type { Adapter } from './models/lora.ts';
import type { ParameterSpec } from './models/model-graph.ts';
import { linearWidths } from './models/parameters.ts';

/** Multiplications between two turns of the event loop, a few milliseconds. */
const TURN_PRODUCTS = 1 << 22;

/**
 * A linear layer's matrix with its adapter merged in: W + α/r·B·A, each element's sum in float64.
 * In pieces of whole rows; the event loop gets a turn every few milliseconds.
 * Source: Hu et al., LoRA, 2021, §4.1.
 *
 * @param weights elements by name, of the matrix and the adapter's two
 */
export async function* mergedWeight(
  spec: ParameterSpec,
  adapter: Adapter,
  weights: (name: string) => Float32Array,
): AsyncGenerator<Float32Array> {
  const { inputs, outputs } = linearWidths(spec);
  const isByInput = spec.linear === 'inputs-outputs';
  const [rows, columns] = isByInput ? [inputs, outputs] : [outputs, inputs];
  const rank = adapter.a.shape[0] ?? 0;
  const [a, b] = [weights(adapter.a.name), weights(adapter.b.name)];
  const matrix = weights(spec.name);
  const rowsPerTurn = Math.max(1, Math.floor(TURN_PRODUCTS / (columns * rank)));
  for (let first = 0; first < rows; first += rowsPerTurn) {
    const end = Math.min(rows, first + rowsPerTurn);
    const piece = matrix.slice(first * columns, end * columns);
    for (let i = 0; i < piece.length; i++) {
      const row = first + Math.floor(i / columns);
      const [input, output] = isByInput ? [row, i % columns] : [i % columns, row];
      let sum = 0;
      for (let k = 0; k < rank; k++) {
        sum += (b[output * rank + k] ?? NaN) * (a[k * inputs + input] ?? NaN);
      }
      piece[i] = (piece[i] ?? NaN) + adapter.scale * sum;
    }
    yield piece;
    await yieldToEvents();
  }
}
