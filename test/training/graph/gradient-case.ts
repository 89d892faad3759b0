import type { Value } from '../../../training/graph/graph.ts';
import type { OpName } from '../../../training/graph/operators.ts';
import type { Shape } from '../../../training/graph/tensor-type.ts';

/** Something whose gradients are tested. */
export interface GradientCase {
  readonly name: string;
  /** Shapes of the inputs to differentiate by. */
  readonly inputs: readonly Shape[];
  readonly of: (...inputs: Value[]) => Value;
  /** Where the inputs lie; [-1.5, 1.5] when left out. */
  readonly range?: readonly [number, number];
  /** What rounding a constant of the rule to float32 changes. */
  readonly rounding?: number;
}

type Attributes = Parameters<Value['graph']['apply']>[2];

/** One operator, as it is. */
export function apply(op: OpName, inputs: readonly Value[], attributes: Attributes = {}): Value {
  const [output] = required(inputs[0]).graph.apply(op, inputs, attributes);
  return required(output);
}

/** All shapes of at most `rank` axes of 1, 2 or 3. */
function shapesOf(rank: number): readonly (readonly number[])[] {
  if (rank === 0) return [[]];
  const shorter = shapesOf(rank - 1);
  const longest = shorter.filter(({ length }) => length === rank - 1);
  return [...shorter, ...longest.flatMap((shape) => [1, 2, 3].map((length) => [...shape, length]))];
}

/** Every pair of shapes of at most `rank` axes that broadcast to each other. */
export function broadcastPairs(
  rank: number,
): readonly (readonly [readonly number[], readonly number[]])[] {
  const shapes = shapesOf(rank);
  return shapes.flatMap((a) => shapes.filter((b) => isBroadcast(a, b)).map((b) => [a, b] as const));
}

function isBroadcast(a: readonly number[], b: readonly number[]): boolean {
  const [short, long] = a.length < b.length ? [a, b] : [b, a];
  const aligned = long.slice(long.length - short.length);
  return short.every(
    (length, axis) => [length, aligned[axis]].includes(1) || length === aligned[axis],
  );
}

export function required<T>(value: T | undefined): T {
  if (value === undefined) throw new Error('the test lacks a value');
  return value;
}
