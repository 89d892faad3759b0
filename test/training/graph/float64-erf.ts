/**
 * The error function to about 1e-15: its series for small x, a continued fraction for large x.
 * Source: NIST DLMF, 7.6.2 and 7.9.1.
 */
export function erf(x: number): number {
  const magnitude = Math.abs(x);
  const value = magnitude < 2.5 ? series(magnitude) : 1 - complement(magnitude);
  return x < 0 ? -value : value;
}

/** erf x = 2/√π · e^(−x²) · Σ 2ⁿ x^(2n+1) / (1·3·5···(2n+1)) */
function series(x: number): number {
  let term = x;
  let sum = x;
  for (let n = 1; n < 100; n++) {
    term *= (2 * x * x) / (2 * n + 1);
    sum += term;
  }
  return (2 / Math.sqrt(Math.PI)) * Math.exp(-x * x) * sum;
}

/** √π·e^(x²)·erfc x = 1/(x + (1/2)/(x + 1/(x + (3/2)/(x + ⋯)))) */
function complement(x: number): number {
  let fraction = x;
  for (let n = 120; n > 0; n--) fraction = x + n / 2 / fraction;
  return Math.exp(-x * x) / Math.sqrt(Math.PI) / fraction;
}
