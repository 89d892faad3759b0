import type { Node, Value } from '../graph.ts';

/** Appends the nodes of one input's gradient; called only when that gradient is needed. */
export type InputGradient = () => Value;

/** A node seen from its rule. */
export interface Backward extends Node {
  /** Gradient of the loss by each output; undefined where the loss does not depend on it. */
  readonly dys: readonly (Value | undefined)[];
}

/**
 * Gradient of the loss by each input of a node, undefined for an input that has none (an index, a
 * shape). A gradient has its input's shape, or one that summing over broadcast axes turns into it:
 * the driver does that.
 */
export type Gradients = readonly (InputGradient | undefined)[];

export interface DerivativeRule {
  readonly kind: 'derivative';
  readonly of: (backward: Backward) => Gradients;
}

export type Rule =
  | DerivativeRule
  | { readonly kind: 'no-gradient' }
  | { readonly kind: 'not-differentiable'; readonly why: string };

/** A gradient was asked for through a node that has none. */
export class NotDifferentiable extends Error {
  readonly node: Node;
  readonly why: string;

  constructor(node: Node, why: string) {
    super(`internal: ${node.op} cannot be differentiated: ${why}`);
    this.node = node;
    this.why = why;
  }
}

/** For operators on integers and truth values, and those that are constant almost everywhere. */
export const noGradient: Rule = { kind: 'no-gradient' };

/** For operators that must not be differentiated through. */
export function notDifferentiable(why: string): Rule {
  return { kind: 'not-differentiable', why };
}

export function derivative(of: DerivativeRule['of']): DerivativeRule {
  return { kind: 'derivative', of };
}

/** A rule for y = f(x). */
export function unary(
  dx: (operands: { x: Value; y: Value; dy: Value; node: Backward }) => Value,
): DerivativeRule {
  return derivative((node) => {
    const x = present(node.inputs[0]);
    const [y, dy] = outputOf(node);
    return [() => dx({ x, y, dy, node })];
  });
}

/** A rule for y = f(a, b). */
export function binary(
  gradients: (operands: { a: Value; b: Value; y: Value; dy: Value; node: Backward }) => Gradients,
): DerivativeRule {
  return derivative((node) => {
    const [a, b] = [present(node.inputs[0]), present(node.inputs[1])];
    const [y, dy] = outputOf(node);
    return gradients({ a, b, y, dy, node });
  });
}

/** The first output and its gradient. */
export function outputOf(node: Backward): readonly [Value, Value] {
  return [present(node.outputs[0]), present(node.dys[0])];
}

export function present<T>(value: T | undefined): T {
  if (value === undefined) throw new Error('internal: a gradient rule lacks an operand');
  return value;
}
