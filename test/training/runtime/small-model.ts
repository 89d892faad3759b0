import { create, toBinary } from '@bufbuild/protobuf';
import * as onnx from 'onnx-buf';

/** TensorProto.DataType */
const ELEMENT_TYPES = { float32: 1, int64: 7 } as const;

type NamedType = readonly [name: string, type: keyof typeof ELEMENT_TYPES];
type SmallNode = readonly [op: string, inputs: readonly string[], output: string];

/** ONNX bytes of a few nodes over vectors of symbolic lengths. */
export function smallModel(
  inputs: readonly NamedType[],
  nodes: readonly SmallNode[],
  output: NamedType,
): Uint8Array {
  const graph = create(onnx.GraphProtoSchema, {
    name: 'small',
    node: nodes.map(([opType, input, result]) =>
      create(onnx.NodeProtoSchema, { opType, input: [...input], output: [result] }),
    ),
    input: inputs.map(valueInfo),
    output: [valueInfo(output)],
  });
  const opsetImport = [create(onnx.OperatorSetIdProtoSchema, { domain: '', version: 21n })];
  const model = create(onnx.ModelProtoSchema, { irVersion: 10n, opsetImport, graph });
  return toBinary(onnx.ModelProtoSchema, model);
}

/** `y = op(x)` over float32. */
export function unaryModel(op: string): Uint8Array {
  return smallModel([['x', 'float32']], [[op, ['x'], 'y']], ['y', 'float32']);
}

function valueInfo([name, type]: NamedType): onnx.ValueInfoProto {
  const tensor = create(onnx.TypeProto_TensorSchema, { elemType: ELEMENT_TYPES[type] });
  const value = { case: 'tensorType', value: tensor } as const;
  return create(onnx.ValueInfoProtoSchema, { name, type: create(onnx.TypeProtoSchema, { value }) });
}
