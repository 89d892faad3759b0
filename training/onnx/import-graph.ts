import type { NodeProto } from 'onnx-buf';
import { Failure } from '../../plan/failures.ts';
import type { Graph, Value } from '../graph/graph.ts';
import { Mismatch } from '../graph/mismatch.ts';
import { InvalidApplication } from '../graph/operators.ts';
import { FileNode } from './file-node.ts';
import { foldedLengths } from './lengths.ts';
import { LOWERINGS } from './lowerings.ts';
import { invalid, isOnnxDomain, type OnnxModel } from './model-file.ts';
import { dataTypeOf, readTensor, shapeOf } from './tensor-data.ts';

/** Operators with graphs inside, or on lists of tensors. */
const CONTROL_FLOW = ['If', 'Loop', 'Scan', 'SequenceMap'];

/** What a person can do about a graph that cannot be trained. */
export const REMEDY =
  'export the model in terms of operators that can be trained (torch.onnx.export, no optimization ' +
  'afterwards), or train the Hugging Face folder that it was exported from';

export interface ImportGraphInput {
  readonly model: OnnxModel;
  readonly graph: Graph;
  /** What the file's inputs are. */
  readonly inputs: ReadonlyMap<string, Value>;
  /** Float initializers that become inputs of the graph; the others become constants. */
  readonly parameters: ReadonlySet<string>;
  readonly output: string;
}

/**
 * Appends to a graph what an output of a file needs.
 * @throws InvalidInput naming the node and its operator, for one that our graphs cannot compute
 */
export function importGraph(input: ImportGraphInput): Value {
  const { model, graph, parameters, output } = input;
  const values = new Map(input.inputs);
  for (const name of parameters) values.set(name, parameterInput(model, graph, name));
  const valueNamed = (name: string): Value | undefined => {
    const known = values.get(name) ?? constantInitializer(model, graph, name);
    if (known !== undefined) values.set(name, known);
    return known;
  };
  for (const node of neededNodes(model, output)) {
    const inputs = node.input.map((name) => {
      const value = name === '' ? undefined : valueNamed(name);
      if (value !== undefined || name === '') return value;
      throw invalid(`reads "${name}" in ${described(node)}, and nothing before it computes that`);
    });
    const outputs = outputsOf(node, model, graph, inputs);
    node.output.forEach((name, i) => {
      const value = outputs[i];
      if (name !== '' && value !== undefined) values.set(name, value);
    });
  }
  const result = valueNamed(output);
  if (result === undefined) throw invalid(`names an output "${output}" that no node computes`);
  return result;
}

/** A node in words: `node "/bert/Erf" (Erf)`. */
function described({ name, opType, output, domain }: NodeProto): string {
  const operator = isOnnxDomain(domain) ? opType : `${domain}.${opType}`;
  return `node "${name === '' ? (output[0] ?? '') : name}" (${operator})`;
}

/** Nodes that an output depends on, in the file's order. */
function neededNodes({ graph }: OnnxModel, output: string): readonly NodeProto[] {
  const needed = new Set([output]);
  const nodes: NodeProto[] = [];
  for (const node of graph.node.toReversed()) {
    if (!node.output.some((name) => name !== '' && needed.has(name))) continue;
    for (const name of node.input) needed.add(name);
    nodes.push(node);
  }
  return nodes.toReversed();
}

function outputsOf(
  proto: NodeProto,
  model: OnnxModel,
  graph: Graph,
  inputs: readonly (Value | undefined)[],
): readonly Value[] {
  const origin = described(proto);
  const lower = isOnnxDomain(proto.domain) ? LOWERINGS[proto.opType] : undefined;
  const constant = (tensor: Parameters<typeof readTensor>[0]): Value =>
    graph.constant(
      dataTypeOf(tensor.dataType),
      shapeOf(tensor, model.external),
      readTensor(tensor, model.external),
    );
  const node = new FileNode({ proto, graph, opset: model.opset, inputs, constant });
  graph.origin = origin;
  try {
    const folded = isOnnxDomain(proto.domain) ? foldedLengths(node) : undefined;
    if (folded !== undefined) return [folded];
    if (lower === undefined) throw unknownOperator(proto);
    return lower(node);
  } catch (error) {
    const why = error instanceof InvalidApplication ? error.why : undefined;
    const message = error instanceof Mismatch ? error.message : why;
    if (message === undefined) throw error;
    const types = inputs.map((value) =>
      value === undefined ? 'nothing' : `${value.dtype} [${value.shape.join(',')}]`,
    );
    const applied = `applied to ${types.join(', ') || 'no inputs'}`;
    throw new Failure('InvalidInput', `${origin}, ${applied}, ${message}; ${REMEDY}`, {
      cause: error,
    });
  } finally {
    graph.origin = undefined;
  }
}

function unknownOperator(node: NodeProto): Failure {
  const why = !isOnnxDomain(node.domain)
    ? "is not one of ONNX's own operators: the file was made for one runtime alone"
    : CONTROL_FLOW.includes(node.opType)
      ? 'is control flow, which training cannot follow'
      : 'has no rule for training';
  return new Failure('InvalidInput', `${described(node)} ${why}; ${REMEDY}`);
}

function parameterInput({ initializers, external }: OnnxModel, graph: Graph, name: string): Value {
  const tensor = initializers.get(name);
  if (tensor === undefined) throw new Error(`internal: the file has no initializer ${name}`);
  return graph.input(name, 'float32', shapeOf(tensor, external));
}

function constantInitializer(
  { initializers, external }: OnnxModel,
  graph: Graph,
  name: string,
): Value | undefined {
  const tensor = initializers.get(name);
  if (tensor === undefined) return undefined;
  try {
    const dtype = dataTypeOf(tensor.dataType);
    return graph.constant(dtype, shapeOf(tensor, external), readTensor(tensor, external));
  } catch (error) {
    if (error instanceof Mismatch) throw invalid(`holds a tensor "${name}" that ${error.message}`);
    throw error;
  }
}
