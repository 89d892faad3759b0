import {
  and,
  cos,
  div,
  equal,
  exp,
  less,
  lessOrEqual,
  mul,
  neg,
  pow,
  sin,
  sub,
  where,
} from '../ops.ts';
import type { Value } from '../graph.ts';
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

/** y = aᵇ: da = dy·b·aᵇ⁻¹. The exponent's own needs log a, which training graphs do without. */
export const powRule = binary(({ a, b, dy }) => [
  () => mul(dy, mul(b, pow(a, sub(b, 1)))),
  undefined,
]);

/** y = √x: dx = dy / (2y) */
export const sqrtRule = unary(({ y, dy }) => div(mul(dy, 0.5), y));

/** y = 1/x: dx = −dy·y² */
export const reciprocalRule = unary(({ y, dy }) => neg(mul(dy, mul(y, y))));

/** y = sin x: dx = dy·cos x */
export const sinRule = unary(({ x, dy }) => mul(dy, cos(x)));

/** y = cos x: dx = −dy·sin x */
export const cosRule = unary(({ x, dy }) => neg(mul(dy, sin(x))));

/** y = |x|: dx = dy·sign x, 0 at x = 0 (as torch) */
export const absRule = unary(({ x, dy }) =>
  where(less(0, x), dy, where(less(x, 0), neg(dy), mul(dy, 0))),
);

/** y = max(a, b): da = dy where a > b, dy/2 where a = b, else 0 (as torch.maximum); db likewise */
export const maxRule = binary(({ a, b, dy }) => [
  () => ofTheChosen(dy, { chosen: a, other: b, isChosen: less(b, a) }),
  () => ofTheChosen(dy, { chosen: b, other: a, isChosen: less(a, b) }),
]);

/** y = min(a, b): da = dy where a < b, dy/2 where a = b, else 0 (as torch.minimum); db likewise */
export const minRule = binary(({ a, b, dy }) => [
  () => ofTheChosen(dy, { chosen: a, other: b, isChosen: less(a, b) }),
  () => ofTheChosen(dy, { chosen: b, other: a, isChosen: less(b, a) }),
]);

function ofTheChosen(
  dy: Value,
  { chosen, other, isChosen }: { chosen: Value; other: Value; isChosen: Value },
): Value {
  return where(isChosen, dy, where(equal(chosen, other), mul(dy, 0.5), mul(dy, 0)));
}

/** y = min(max(x, low), high): dx = dy where low < x < high, else 0 (as torch.clamp) */
export const clipRule = derivative((node) => {
  const [x, low, high] = [0, 1, 2].map((i) => present(node.inputs[i]));
  const [, dy] = outputOf(node);
  return [() => where(and(less(present(low), present(x)), less(present(x), present(high))), dy, 0)];
});

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
