/** What a classifier answered over N examples with C classes, before any choice. */
export interface Logits {
  readonly classes: number;
  /** [N,C], row after row. */
  readonly logits: Float32Array;
}

/** Mean over the examples of −log softmax(logits)[expected], in float64; NaN without examples. */
export function meanCrossEntropy({ logits, classes }: Logits, expected: ArrayLike<number>): number {
  let total = 0;
  for (let row = 0; row < expected.length; row += 1) {
    const x = logits.subarray(row * classes, (row + 1) * classes);
    const largest = x.reduce((a, b) => Math.max(a, b), -Infinity);
    const sum = x.reduce((partial, value) => partial + Math.exp(value - largest), 0);
    total += largest + Math.log(sum) - (x[expected[row] ?? -1] ?? NaN);
  }
  return total / expected.length;
}

/** The class of the largest logit of each example, [N]; a tie is the first class's. */
export function predictedClasses({ logits, classes }: Logits): Int32Array {
  return Int32Array.from({ length: logits.length / classes }, (_, row) => {
    const x = logits.subarray(row * classes, (row + 1) * classes);
    return x.reduce((best, value, index) => (value > (x[best] ?? NaN) ? index : best), 0);
  });
}
