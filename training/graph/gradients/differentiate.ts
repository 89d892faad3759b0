import { sameShape } from '../dimension.ts';
import type { Graph, Node, Value } from '../graph.ts';
import { add, reduceSum, reshape, scalar } from '../ops.ts';
import { RULES } from './rules.ts';
import { NotDifferentiable, type Gradients } from './rule.ts';

/**
 * Appends to the graph the nodes that compute d loss / d input, by reverse-mode differentiation.
 * Nothing is computed toward inputs that are not asked for.
 *
 * @param loss a float32 scalar
 * @param wrt names of float32 inputs that the loss depends on
 * @returns gradients by input name, each with its input's shape
 */
export function differentiate(
  graph: Graph,
  loss: Value,
  wrt: readonly string[],
): ReadonlyMap<string, Value> {
  if (loss.shape.length > 0) throw new Error('internal: the loss is not a scalar');
  const inputs = wrt.map((name) => inputNamed(graph, name));
  const forward = [...graph.nodes];
  const needed = valuesThatDependOn(inputs, forward);
  const gradients = new Map([[loss, scalar(graph, 'float32', 1)]]);
  for (const node of forward.toReversed()) {
    const toInputs = gradientsOf(node, gradients, needed);
    node.inputs.forEach((input, i) => {
      const gradient = needed.has(input) ? toInputs[i]?.() : undefined;
      if (gradient === undefined) return;
      const own = sumTo(gradient, input);
      const others = gradients.get(input);
      gradients.set(input, others === undefined ? own : add(others, own));
    });
  }
  return new Map(inputs.map((input) => [input.name, gradientOf(input, gradients)]));
}

function inputNamed(graph: Graph, name: string): Value {
  const input = graph.inputs.find((candidate) => candidate.name === name);
  if (input === undefined) throw new Error(`internal: the graph has no input named ${name}`);
  return input;
}

/** The values that change when one of the sources does, through operators that pass gradients. */
function valuesThatDependOn(sources: readonly Value[], nodes: readonly Node[]): Set<Value> {
  const dependent = new Set(sources);
  for (const node of nodes) {
    if (RULES[node.op].kind === 'no-gradient') continue;
    if (!node.inputs.some((input) => dependent.has(input))) continue;
    for (const output of node.outputs) dependent.add(output);
  }
  return dependent;
}

/**
 * Names of the graph's inputs that gradients of a value flow to.
 * What it depends on through operators without a gradient alone, as by a comparison, is not among them.
 */
export function differentiableInputs(graph: Graph, value: Value): ReadonlySet<string> {
  const reached = new Set([value]);
  for (const node of graph.nodes.toReversed()) {
    if (RULES[node.op].kind === 'no-gradient') continue;
    if (!node.outputs.some((output) => reached.has(output))) continue;
    for (const input of node.inputs) reached.add(input);
  }
  return new Set(graph.inputs.filter((input) => reached.has(input)).map(({ name }) => name));
}

function gradientsOf(
  node: Node,
  gradients: ReadonlyMap<Value, Value>,
  needed: ReadonlySet<Value>,
): Gradients {
  const dys = node.outputs.map((output) => gradients.get(output));
  if (dys.every((dy) => dy === undefined) || !node.inputs.some((x) => needed.has(x))) return [];
  const rule = RULES[node.op];
  switch (rule.kind) {
    case 'no-gradient':
      return [];
    case 'not-differentiable':
      throw new NotDifferentiable(node, rule.why);
    case 'derivative':
      return completed(node, rule.of({ ...node, dys }), needed);
  }
}

/** A rule may leave out what it has no equation for, but not where a gradient is needed. */
function completed(node: Node, toInputs: Gradients, needed: ReadonlySet<Value>): Gradients {
  const missing = node.inputs.findIndex(
    (input, i) => needed.has(input) && input.dtype === 'float32' && toInputs[i] === undefined,
  );
  if (missing < 0) return toInputs;
  throw new NotDifferentiable(node, `there is no derivative by its input ${missing + 1}`);
}

/** Un-broadcasts: sums a gradient over the axes along which its input was repeated. */
function sumTo(gradient: Value, input: Value): Value {
  if (sameShape(gradient.shape, input.shape)) return gradient;
  const added = gradient.shape.length - input.shape.length;
  const axes = gradient.shape.flatMap((length, axis) =>
    axis < added || (input.shape[axis - added] === 1 && length !== 1) ? [axis] : [],
  );
  return reshape(axes.length === 0 ? gradient : reduceSum(gradient, axes), input.shape);
}

function gradientOf(input: Value, gradients: ReadonlyMap<Value, Value>): Value {
  const gradient = gradients.get(input);
  if (gradient === undefined) {
    throw new Error(`internal: the loss does not depend on ${input.name}`);
  }
  return gradient;
}
