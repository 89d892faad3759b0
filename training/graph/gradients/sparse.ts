import type { Graph, Node, Value } from '../graph.ts';
import { scatterAdd } from '../ops.ts';
import { int } from '../attributes.ts';

/** Operators that only give indices another form. */
const FORMS: ReadonlySet<string> = new Set(['Reshape', 'Expand']);

/**
 * The gradient of a table whose rows `input` picks, as rows added to a table that is given: to be of
 * zeros, and the output's own memory. ONNX Runtime then neither clears nor copies a whole table for
 * the few rows that a step reads.
 * Source: onnxruntime, scatter_elements.cc, CopyScatterData copies nothing onto itself.
 *
 * @param zeros name of the graph's input for it
 * @returns undefined for a gradient that is made otherwise
 */
export function addedToGiven(
  graph: Graph,
  gradient: Value,
  input: string,
  zeros: string,
): Value | undefined {
  const scatter = producer(graph, gradient);
  if (scatter?.op !== 'ScatterElements' || int(scatter.attributes, 'axis') !== 0) return undefined;
  const [table, indices, rows] = scatter.inputs;
  if (table === undefined || indices === undefined || rows === undefined) return undefined;
  if (producer(graph, table)?.op !== 'ConstantOfShape') return undefined;
  if (origin(graph, indices).name !== input) return undefined;
  return scatterAdd(graph.input(zeros, 'float32', gradient.shape), indices, rows, 0);
}

function producer(graph: Graph, value: Value): Node | undefined {
  return graph.nodes.find(({ outputs }) => outputs.includes(value));
}

function origin(graph: Graph, value: Value): Value {
  const node = producer(graph, value);
  const [first] = node?.inputs ?? [];
  return node !== undefined && first !== undefined && FORMS.has(node.op)
    ? origin(graph, first)
    : value;
}
