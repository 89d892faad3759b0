import type { Graph, Node, Value } from '../../../training/graph/graph.ts';
import type { Dimension } from '../../../training/graph/tensor-type.ts';
import type { NamedNumbers, Numbers } from './evaluation.ts';
import { OPERATORS } from './float64-operators.ts';

/** A tensor in float64, whole numbers and truth values too. */
export interface Tensor64 {
  readonly shape: readonly number[];
  readonly data: Float64Array;
}

/**
 * Computes values of a graph in float64, an operator at a time, from the operators' definitions:
 * what gradients are compared with must not be our own graphs or ONNX Runtime's kernels.
 */
export function evaluate64(
  graph: Graph,
  inputs: NamedNumbers,
  wanted: readonly Value[],
): readonly Tensor64[] {
  const values = new Map<Value, Tensor64>();
  const lengths = lengthsOf(graph, inputs);
  for (const input of graph.inputs) {
    const given = inputs[input.name];
    if (given !== undefined) values.set(input, tensorOf(given));
  }
  for (const [constant, data] of graph.constants) {
    values.set(constant, {
      shape: constant.shape.map(Number),
      data: Float64Array.from(data, Number),
    });
  }
  const compute = (value: Value): Tensor64 => {
    const known = values.get(value);
    if (known !== undefined) return known;
    const node = graph.nodes.find(({ outputs }) => outputs.includes(value));
    if (node === undefined) throw new Error(`nothing computes ${value.name}`);
    const outputs = applied(node, node.inputs.map(compute));
    node.outputs.forEach((output, i) => {
      const result = outputs[i];
      if (result === undefined) return;
      checkShape(node, output, result, lengths);
      values.set(output, result);
    });
    return compute(value);
  };
  return wanted.map(compute);
}

function applied(node: Node, inputs: readonly Tensor64[]): readonly Tensor64[] {
  const operator = OPERATORS[node.op];
  if (operator === undefined) throw new Error(`${node.op} has no definition in float64`);
  return operator(inputs, node);
}

/** What was inferred of a shape is what came out. */
function checkShape(
  { op }: Node,
  { shape: inferred }: Value,
  { shape }: Tensor64,
  lengths: ReadonlyMap<string, number>,
): void {
  const expected = inferred.map((length) => lengthOf(length, lengths));
  if (expected.join() !== shape.join()) {
    throw new Error(`${op} gave [${shape.join()}], inferred [${expected.join()}]`);
  }
}

function lengthOf(length: Dimension, lengths: ReadonlyMap<string, number>): number {
  if (typeof length === 'number') return length;
  return length
    .split('*')
    .reduce((product, factor) => product * (lengths.get(factor) ?? Number(factor)), 1);
}

function lengthsOf(graph: Graph, inputs: NamedNumbers): ReadonlyMap<string, number> {
  const lengths = new Map<string, number>();
  for (const { name, shape } of graph.inputs) {
    shape.forEach((length, axis) => {
      const found = inputs[name]?.shape[axis];
      if (typeof length === 'string' && found !== undefined) lengths.set(length, found);
    });
  }
  return lengths;
}

function tensorOf({ shape, data }: Numbers): Tensor64 {
  return { shape, data: Float64Array.from(data) };
}

/** Step of the differences: their error is about h⁴ plus float64's 1e-16 / h. */
const STEP = 1e-3;

/** Central differences of fourth order: (8(f(h) − f(−h)) − (f(2h) − f(−2h))) / 12h. */
export function finiteDifferences(
  f: (values: Float64Array) => number,
  at: ArrayLike<number>,
): readonly number[] {
  const moved = Float64Array.from(at);
  const shifted = (i: number, offset: number): number => {
    const own = moved[i] ?? 0;
    moved[i] = own + offset;
    const result = f(moved);
    moved[i] = own;
    return result;
  };
  return Array.from(moved, (_, i) => {
    const near = shifted(i, STEP) - shifted(i, -STEP);
    const far = shifted(i, 2 * STEP) - shifted(i, -2 * STEP);
    return (8 * near - far) / (12 * STEP);
  });
}
