/**
 * Quantile of the standard normal distribution, to about 1e-16 relative.
 * Only +, ×, ÷ and √ are used, which every machine rounds alike; Math.log is not among them.
 * Source: Wichura 1988, Algorithm AS 241 (PPND16).
 *
 * @param p in (0, 1)
 */
export function normalQuantile(p: number): number {
  const q = p - 0.5;
  if (q <= 0.425 && q >= -0.425) return q * centre(0.180625 - q * q);
  const r = Math.sqrt(-logarithm(q < 0 ? p : 1 - p));
  const x = r <= 5 ? middle(r - 1.6) : tail(r - 5);
  return q < 0 ? -x : x;
}

// Each is a quotient of two polynomials of degree 7, highest coefficient first.

function centre(r: number): number {
  let above = 2.5090809287301226727e3;
  above = above * r + 3.3430575583588128105e4;
  above = above * r + 6.7265770927008700853e4;
  above = above * r + 4.5921953931549871457e4;
  above = above * r + 1.3731693765509461125e4;
  above = above * r + 1.9715909503065514427e3;
  above = above * r + 1.3314166789178437745e2;
  above = above * r + 3.387132872796366608;
  let below = 5.226495278852854561e3;
  below = below * r + 2.8729085735721942674e4;
  below = below * r + 3.930789580009271061e4;
  below = below * r + 2.1213794301586595867e4;
  below = below * r + 5.3941960214247511077e3;
  below = below * r + 6.871870074920579083e2;
  below = below * r + 4.2313330701600911252e1;
  return above / (below * r + 1);
}

function middle(r: number): number {
  let above = 7.7454501427834140764e-4;
  above = above * r + 2.27238449892691845833e-2;
  above = above * r + 2.4178072517745061177e-1;
  above = above * r + 1.27045825245236838258;
  above = above * r + 3.64784832476320460504;
  above = above * r + 5.7694972214606914055;
  above = above * r + 4.6303378461565452959;
  above = above * r + 1.42343711074968357734;
  let below = 1.05075007164441684324e-9;
  below = below * r + 5.475938084995344946e-4;
  below = below * r + 1.51986665636164571966e-2;
  below = below * r + 1.4810397642748007459e-1;
  below = below * r + 6.8976733498510000455e-1;
  below = below * r + 1.6763848301838038494;
  below = below * r + 2.05319162663775882187;
  return above / (below * r + 1);
}

function tail(r: number): number {
  let above = 2.01033439929228813265e-7;
  above = above * r + 2.71155556874348757815e-5;
  above = above * r + 1.2426609473880784386e-3;
  above = above * r + 2.6532189526576123093e-2;
  above = above * r + 2.9656057182850489123e-1;
  above = above * r + 1.7848265399172913358;
  above = above * r + 5.4637849111641143699;
  above = above * r + 6.6579046435011037772;
  let below = 2.04426310338993978564e-15;
  below = below * r + 1.4215117583164458887e-7;
  below = below * r + 1.8463183175100546818e-5;
  below = below * r + 7.868691311456132591e-4;
  below = below * r + 1.48753612908506148525e-2;
  below = below * r + 1.3692988092273580531e-1;
  below = below * r + 5.9983220655588793769e-1;
  return above / (below * r + 1);
}

const double = new Float64Array(1);
const words = new Uint32Array(double.buffer);

/**
 * Natural logarithm of a normal positive float64, to about 1e-15 relative:
 * x = 2ᵏ m with m in [√½, √2), ln m = 2 artanh(s) with s = (m - 1) / (m + 1),
 * artanh(s) / s = 1 + s²/3 + s⁴/5 + ...; as |s| < 0.172, the terms after s¹⁸ are below 1e-16.
 */
function logarithm(x: number): number {
  double[0] = x;
  const high = words[1] ?? 0;
  let exponent = (high >>> 20) - 1023;
  words[1] = (high & 0xfffff) | 0x3ff00000;
  let mantissa = double[0];
  if (mantissa > Math.SQRT2) {
    mantissa /= 2;
    exponent += 1;
  }
  const s = (mantissa - 1) / (mantissa + 1);
  const z = s * s;
  let series = 1 / 19;
  series = series * z + 1 / 17;
  series = series * z + 1 / 15;
  series = series * z + 1 / 13;
  series = series * z + 1 / 11;
  series = series * z + 1 / 9;
  series = series * z + 1 / 7;
  series = series * z + 1 / 5;
  series = series * z + 1 / 3;
  series = series * z + 1;
  return exponent * Math.LN2 + 2 * s * series;
}
