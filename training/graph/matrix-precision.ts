import { Graph, type Node, type Value } from './graph.ts';
import * as ops from './ops.ts';

/** Element types that are half as long as float32. */
export type HalfPrecision = 'float16' | 'bfloat16';

/**
 * The same graph with every float32 matrix product, forward and backward, computed in half
 * precision: operands are cast before it, the product back after it. All else stays float32: sums,
 * norms, softmax, the loss, and parameters, which so are the master weights.
 * Source: torch.autocast, whose list of operators in half precision this is for our models.
 */
export function withMatrixPrecision(graph: Graph, precision: HalfPrecision): Graph {
  const copy = new Graph();
  const copies = new Map<Value, Value>();
  const copyOf = (value: Value): Value => {
    const known = copies.get(value) ?? constantCopy(graph, copy, value);
    if (known === undefined) throw new Error(`internal: ${value.name} is used before it is there`);
    copies.set(value, known);
    return known;
  };
  for (const input of graph.inputs) {
    copies.set(input, copy.input(input.name, input.dtype, input.shape));
  }
  for (const node of graph.nodes) {
    const outputs = applied(copy, node, node.inputs.map(copyOf), precision);
    for (const [i, output] of outputs.entries()) {
      const original = node.outputs[i];
      if (original === undefined) throw new Error('internal: a node lacks an output');
      copies.set(original, output);
      const shape = graph.shapeVectors.get(original);
      if (shape !== undefined) copy.shapeVectors.set(output, shape);
    }
  }
  for (const [name, value] of graph.outputs) copy.output(name, copyOf(value));
  return copy;
}

function constantCopy(graph: Graph, copy: Graph, value: Value): Value | undefined {
  const data = graph.constants.get(value);
  return data && copy.constant(value.dtype, value.shape.map(Number), data);
}

function applied(
  graph: Graph,
  { op, attributes }: Node,
  inputs: readonly Value[],
  precision: HalfPrecision,
): readonly Value[] {
  const isProduct = op === 'MatMul' || op === 'Gemm';
  if (!isProduct || inputs.some(({ dtype }) => dtype !== 'float32')) {
    return graph.apply(op, inputs, attributes);
  }
  const operands = inputs.map((input) => ops.cast(input, precision));
  return graph.apply(op, operands, attributes).map((output) => ops.cast(output, 'float32'));
}
