import { div, exp, lessOrEqual, mul, neg, sub, where } from '../ops.ts';
import { binary, derivative, outputOf, present, unary } from './rule.ts';

// Derivatives of elementary functions: NIST DLMF, §4.4, §4.20, §4.34 and §7.2.

/** y = a + b: da = dy, db = dy */
export const addRule = binary(({ dy }) => [() => dy, () => dy]);

/** y = a − b: da = dy, db = −dy */
export const subRule = binary(({ dy }) => [() => dy, () => neg(dy)]);

/** y = a·b: da = dy·b, db = dy·a */
export const mulRule = binary(({ a, b, dy }) => [() => mul(dy, b), () => mul(dy, a)]);

/** y = a/b: da = dy/b, db = −dy·y/b */
export const divRule = binary(({ b, y, dy }) => [() => div(dy, b), () => neg(div(mul(dy, y), b))]);

/** y = −x: dx = −dy */
export const negRule = unary(({ dy }) => neg(dy));

/** y = x: dx = dy */
export const identityRule = unary(({ dy }) => dy);

/** y = eˣ: dx = dy·y */
export const expRule = unary(({ y, dy }) => mul(dy, y));

/** y = √x: dx = dy / (2y) */
export const sqrtRule = unary(({ y, dy }) => div(mul(dy, 0.5), y));

/** y = 1/x: dx = −dy·y² */
export const reciprocalRule = unary(({ y, dy }) => neg(mul(dy, mul(y, y))));

/** y = 1/(1 + e⁻ˣ): dx = dy·(y − y²) */
export const sigmoidRule = unary(({ y, dy }) => mul(dy, sub(y, mul(y, y))));

/** y = tanh x: dx = dy·(1 − y²) */
export const tanhRule = unary(({ y, dy }) => mul(dy, sub(1, mul(y, y))));

/** y = max(x, 0): dx = dy where y > 0, else 0 (as torch at x = 0) */
export const reluRule = unary(({ y, dy }) => where(lessOrEqual(y, 0), 0, dy));

/** y = erf x: dx = dy · 2/√π · e^(−x²) */
export const erfRule = unary(({ x, dy }) =>
  mul(dy, mul(exp(neg(mul(x, x))), 2 / Math.sqrt(Math.PI))),
);

/** y = c ? a : b: da = c ? dy : 0, db = c ? 0 : dy */
export const whereRule = derivative((node) => {
  const condition = present(node.inputs[0]);
  const [, dy] = outputOf(node);
  return [undefined, () => where(condition, dy, 0), () => where(condition, 0, dy)];
});
