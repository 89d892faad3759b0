const bits = new Uint32Array(1);
const value = new Float32Array(bits.buffer);

/** Value of a bfloat16: the upper half of a float32. */
export function bfloat16ToNumber(half: number): number {
  bits[0] = half << 16;
  return value[0] ?? 0;
}

/** Value of an IEEE 754 binary16: 1 sign, 5 exponent and 10 fraction bits. */
export function float16ToNumber(half: number): number {
  const sign = (half & 0x8000) === 0 ? 1 : -1;
  const exponent = (half >>> 10) & 0x1f;
  const fraction = half & 0x3ff;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 0x1f) return fraction === 0 ? sign * Infinity : NaN;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}
