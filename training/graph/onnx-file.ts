import { create, toBinary, type MessageInitShape } from '@bufbuild/protobuf';
import {
  AttributeProto_AttributeType as AttributeType,
  ModelProtoSchema,
  type AttributeProtoSchema,
  type NodeProtoSchema,
  type TensorProtoSchema,
  type ValueInfoProtoSchema,
} from 'onnx-buf';
import type { Attribute, ConstantData, Graph, Node, Value } from './graph.ts';
import { DATA_TYPE_NUMBERS, type TensorSpec } from './tensor-type.ts';

const OPSET = 21n;
const IR_VERSION = 10n;

type ValueNames = (value: Value) => string;

/**
 * The graph as the bytes of an ONNX file. Nodes that no output depends on are left out; every
 * input stays. Format: https://onnx.ai/onnx/repo-docs/IR.html
 */
export function toOnnx(graph: Graph): Uint8Array {
  const names = outputNames(graph);
  const nodes = neededNodes(graph);
  const used = new Set([...nodes.flatMap((node) => node.inputs), ...graph.outputs.values()]);
  const constants = [...graph.constants].filter(([value]) => used.has(value));
  const model = create(ModelProtoSchema, {
    irVersion: IR_VERSION,
    producerName: 'retune',
    opsetImport: [{ domain: '', version: OPSET }],
    graph: {
      name: 'retune',
      input: graph.inputs.map(valueInfo),
      output: [...graph.outputs].map(([name, value]) => valueInfo({ ...value, name })),
      initializer: constants.map(([value, data]) => tensor(value, data)),
      node: [...nodes.map((node) => nodeProto(node, names)), ...copies(graph, names)],
    },
  });
  return toBinary(ModelProtoSchema, model);
}

/** A computed value carries the name of the first output that it is. */
function outputNames(graph: Graph): ValueNames {
  const fixed = new Set<Value>([...graph.inputs, ...graph.constants.keys()]);
  const renamed = new Map<Value, string>();
  for (const [name, value] of graph.outputs) {
    if (!fixed.has(value) && !renamed.has(value)) renamed.set(value, name);
  }
  return (value) => renamed.get(value) ?? value.name;
}

/** Outputs that are inputs, constants, or other outputs too. */
function copies(
  graph: Graph,
  names: ValueNames,
): readonly MessageInitShape<typeof NodeProtoSchema>[] {
  return [...graph.outputs]
    .filter(([name, value]) => names(value) !== name)
    .map(([name, value]) => ({ opType: 'Identity', input: [names(value)], output: [name] }));
}

function neededNodes(graph: Graph): readonly Node[] {
  const needed = new Set<Value>(graph.outputs.values());
  const nodes: Node[] = [];
  for (const node of graph.nodes.toReversed()) {
    if (!node.outputs.some((output) => needed.has(output))) continue;
    for (const input of node.inputs) needed.add(input);
    nodes.push(node);
  }
  return nodes.toReversed();
}

function nodeProto(node: Node, names: ValueNames): MessageInitShape<typeof NodeProtoSchema> {
  return {
    opType: node.op,
    input: node.inputs.map(names),
    output: node.outputs.map(names),
    attribute: Object.entries(node.attributes).map(([name, value]) => attribute(name, value)),
  };
}

function attribute(
  name: string,
  attribute: Attribute,
): MessageInitShape<typeof AttributeProtoSchema> {
  switch (attribute.kind) {
    case 'int':
      return { name, type: AttributeType.INT, i: BigInt(attribute.value) };
    case 'ints':
      return { name, type: AttributeType.INTS, ints: attribute.value.map(BigInt) };
    case 'float':
      return { name, type: AttributeType.FLOAT, f: attribute.value };
    case 'string':
      return { name, type: AttributeType.STRING, s: new TextEncoder().encode(attribute.value) };
  }
}

function valueInfo({
  name,
  dtype,
  shape,
}: TensorSpec): MessageInitShape<typeof ValueInfoProtoSchema> {
  const dim = shape.map((length) =>
    typeof length === 'number'
      ? ({ value: { case: 'dimValue', value: BigInt(length) } } as const)
      : ({ value: { case: 'dimParam', value: length } } as const),
  );
  const elemType = DATA_TYPE_NUMBERS[dtype];
  return { name, type: { value: { case: 'tensorType', value: { elemType, shape: { dim } } } } };
}

function tensor(value: Value, data: ConstantData): MessageInitShape<typeof TensorProtoSchema> {
  return {
    name: value.name,
    dataType: DATA_TYPE_NUMBERS[value.dtype],
    dims: value.shape.map(BigInt),
    rawData: new Uint8Array(new Uint8Array(data.buffer, data.byteOffset, data.byteLength)),
  };
}
