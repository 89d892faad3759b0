import type { Value } from '../graph.ts';
import { flattenRows, gemm, matMul, mul, transposeMatrices } from '../ops.ts';
import { float, int } from '../attributes.ts';
import { binary, derivative, outputOf, present } from './rule.ts';

// d(AB) = dA·B + A·dB: Magnus and Neudecker, Matrix Differential Calculus, ch. 8.

/**
 * Y = A·B over the last two axes: dA = dY·Bᵀ, dB = Aᵀ·dY.
 * One matrix B for a whole batch of A gets its sum over the batch as a single product.
 */
export const matMulRule = binary(({ a, b, dy }) => {
  const sharesB = b.shape.length === 2;
  if (sharesB && a.shape.length === 2) {
    return [() => gemm(dy, b, { transB: true }), () => gemm(a, dy, { transA: true })];
  }
  return [
    () => matMul(dy, transposeMatrices(b)),
    () =>
      sharesB
        ? gemm(flattenRows(a), flattenRows(dy), { transA: true })
        : matMul(transposeMatrices(a), dy),
  ];
});

/**
 * Y = α·A′·B′ + β·C, A′ and B′ being A and B or their transposes:
 * dA′ = α·dY·B′ᵀ, dB′ = α·A′ᵀ·dY, dC = β·dY.
 */
export const gemmRule = derivative((node) => {
  const [a, b] = [present(node.inputs[0]), present(node.inputs[1])];
  const [, dy] = outputOf(node);
  const transA = int(node.attributes, 'transA') === 1;
  const transB = int(node.attributes, 'transB') === 1;
  const alpha = float(node.attributes, 'alpha');
  const beta = float(node.attributes, 'beta');
  return [
    () =>
      scaled(
        transA ? gemm(b, dy, { transA: transB, transB: true }) : gemm(dy, b, { transB: !transB }),
        alpha,
      ),
    () =>
      scaled(
        transB ? gemm(dy, a, { transA: true, transB: transA }) : gemm(a, dy, { transA: !transA }),
        alpha,
      ),
    () => scaled(dy, beta),
  ];
});

function scaled(x: Value, factor: number): Value {
  return factor === 1 ? x : mul(x, factor);
}
