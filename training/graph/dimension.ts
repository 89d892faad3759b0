import type { Dimension, Shape } from './tensor-type.ts';

/** A dimension as coefficient × named lengths, the names sorted. */
interface Monomial {
  readonly coefficient: number;
  readonly symbols: readonly string[];
}

function parse(dimension: Dimension): Monomial {
  if (typeof dimension === 'number') return { coefficient: dimension, symbols: [] };
  const factors = dimension.split('*');
  const symbols = factors.filter((factor) => !/^\d+$/.test(factor));
  const numbers = factors.filter((factor) => /^\d+$/.test(factor)).map(Number);
  return { coefficient: numbers.reduce((a, b) => a * b, 1), symbols: symbols.toSorted() };
}

function format({ coefficient, symbols }: Monomial): Dimension {
  if (symbols.length === 0 || coefficient === 0) return coefficient;
  const names = symbols.join('*');
  return coefficient === 1 ? names : `${coefficient}*${names}`;
}

/** Number of elements of a shape, in canonical form: `R*T`, `64*T`. */
export function product(shape: Shape): Dimension {
  const parts = shape.map(parse);
  return format({
    coefficient: parts.reduce((n, part) => n * part.coefficient, 1),
    symbols: parts.flatMap((part) => part.symbols).toSorted(),
  });
}

/** `dividend / divisor`, or undefined when it is not a whole monomial. */
export function quotient(dividend: Dimension, divisor: Dimension): Dimension | undefined {
  const { coefficient, symbols } = parse(dividend);
  const by = parse(divisor);
  if (by.coefficient <= 0 || coefficient % by.coefficient !== 0) return undefined;
  const left = [...symbols];
  for (const symbol of by.symbols) {
    const index = left.indexOf(symbol);
    if (index < 0) return undefined;
    left.splice(index, 1);
  }
  return format({ coefficient: coefficient / by.coefficient, symbols: left });
}

/** `a + b`, or undefined when that is not a monomial. */
export function sum(a: Dimension, b: Dimension): Dimension | undefined {
  return combined(a, b, 1);
}

/** `a - b`, or undefined when that is not a monomial, or below 0 times a named length. */
export function difference(a: Dimension, b: Dimension): Dimension | undefined {
  return combined(a, b, -1);
}

function combined(a: Dimension, b: Dimension, sign: 1 | -1): Dimension | undefined {
  const [left, right] = [parse(a), parse(b)];
  if (right.coefficient === 0) return a;
  if (left.coefficient === 0 && sign === 1) return b;
  if (left.symbols.join('*') !== right.symbols.join('*')) return undefined;
  const coefficient = left.coefficient + sign * right.coefficient;
  if (coefficient < 0 && left.symbols.length > 0) return undefined;
  return format({ coefficient, symbols: left.symbols });
}

/** The named lengths and the numeric factor of a dimension: `4*R*T` → [4, 'R', 'T']. */
export function factors(dimension: Dimension): readonly Dimension[] {
  const { coefficient, symbols } = parse(dimension);
  return coefficient === 1 && symbols.length > 0 ? symbols : [coefficient, ...symbols];
}

export function sameShape(a: Shape, b: Shape): boolean {
  return a.length === b.length && a.every((dimension, axis) => dimension === b[axis]);
}

/**
 * Shape of an elementwise result, by ONNX multidirectional broadcasting; undefined when the shapes
 * do not broadcast. A named length is never taken to be 1.
 */
export function broadcast(a: Shape, b: Shape): Shape | undefined {
  const rank = Math.max(a.length, b.length);
  const result: Dimension[] = [];
  for (let axis = 0; axis < rank; axis++) {
    const left = a[axis - rank + a.length] ?? 1;
    const right = b[axis - rank + b.length] ?? 1;
    if (left !== right && left !== 1 && right !== 1) return undefined;
    result.push(left === 1 ? right : left);
  }
  return result;
}
