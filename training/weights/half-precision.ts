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

/** The bfloat16 nearest to a value, ties to even. */
export function numberToBfloat16(number: number): number {
  value[0] = number;
  const exact = bits[0] ?? 0;
  if (Number.isNaN(number)) return 0x7fc0;
  return ((exact + 0x7fff + ((exact >>> 16) & 1)) >>> 16) & 0xffff;
}

/** The IEEE 754 binary16 nearest to a value, ties to even; what is too large becomes infinite. */
export function numberToFloat16(number: number): number {
  if (Number.isNaN(number)) return 0x7e00;
  const sign = number < 0 || Object.is(number, -0) ? 0x8000 : 0;
  const magnitude = Math.abs(number);
  if (magnitude >= 65520) return sign | 0x7c00;
  const exponent = Math.max(-14, Math.floor(Math.log2(magnitude || 2 ** -24)));
  // In units of the last place; a fraction that rounds up to 1024 carries into the exponent.
  const units = roundedToEven(magnitude / 2 ** (exponent - 10));
  return sign | (exponent === -14 ? units : ((exponent + 15) << 10) + (units - 1024));
}

function roundedToEven(value: number): number {
  const floor = Math.floor(value);
  const rest = value - floor;
  const isUp = rest > 0.5 || (rest === 0.5 && floor % 2 === 1);
  return isUp ? floor + 1 : floor;
}
