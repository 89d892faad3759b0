import { create, toBinary, type MessageInitShape } from '@bufbuild/protobuf';
import {
  AttributeProto_AttributeType as AttributeType,
  ModelProtoSchema,
  type AttributeProtoSchema,
  type GraphProtoSchema,
  type ModelProto,
  type TensorProtoSchema,
} from 'onnx-buf';
import { DATA_TYPE_NUMBERS, type DataType } from '../../../training/graph/tensor-type.ts';

export type TensorInit = MessageInitShape<typeof TensorProtoSchema>;

export interface FileNodeSpec {
  readonly op: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  /** Whole numbers are ints, fractions floats, lists ints, texts strings; `float` for a whole float. */
  readonly attributes?: Readonly<
    Record<string, number | readonly number[] | string | TensorInit | Float>
  >;
  readonly name?: string;
  readonly domain?: string;
}

/** A float attribute, whatever its value. */
export interface Float {
  readonly float: number;
}

export interface FileSpec {
  readonly opset?: number;
  /** Element type and lengths by name; a text is a length of any size. */
  readonly inputs: Readonly<Record<string, readonly [DataType, ...(number | string)[]]>>;
  readonly outputs?: Readonly<Record<string, readonly [DataType, ...(number | string)[]]>>;
  readonly initializers?: readonly TensorInit[];
  readonly nodes: readonly FileNodeSpec[];
}

/** The bytes of an .onnx file. */
export function onnxFile(spec: FileSpec, changed: Partial<ModelProto> = {}): Uint8Array {
  const graph: MessageInitShape<typeof GraphProtoSchema> = {
    name: 'test',
    input: Object.entries(spec.inputs).map(([name, type]) => valueInfo(name, type)),
    output: Object.entries(spec.outputs ?? {}).map(([name, type]) => valueInfo(name, type)),
    initializer: [...(spec.initializers ?? [])],
    node: spec.nodes.map(
      ({ op, inputs, outputs, attributes = {}, name = `${op} node`, domain = '' }) => ({
        ...{ opType: op, input: [...inputs], output: [...outputs], name, domain },
        attribute: Object.entries(attributes).map(([key, value]) => attribute(key, value)),
      }),
    ),
  };
  const opsetImport = [{ domain: '', version: BigInt(spec.opset ?? 21) }];
  const init: MessageInitShape<typeof ModelProtoSchema> = {
    ...{ irVersion: 10n, opsetImport, graph },
  };
  return toBinary(ModelProtoSchema, Object.assign(create(ModelProtoSchema, init), changed));
}

function valueInfo(
  name: string,
  [dtype, ...shape]: readonly [DataType, ...(number | string)[]],
): NonNullable<MessageInitShape<typeof GraphProtoSchema>['input']>[number] {
  const dim = shape.map((length) =>
    typeof length === 'number'
      ? ({ value: { case: 'dimValue', value: BigInt(length) } } as const)
      : ({ value: { case: 'dimParam', value: length } } as const),
  );
  const elemType = DATA_TYPE_NUMBERS[dtype];
  return { name, type: { value: { case: 'tensorType', value: { elemType, shape: { dim } } } } };
}

function attribute(
  name: string,
  value: number | readonly number[] | string | TensorInit | Float,
): MessageInitShape<typeof AttributeProtoSchema> {
  if (typeof value === 'string') {
    return { name, type: AttributeType.STRING, s: new TextEncoder().encode(value) };
  }
  if (typeof value === 'number') {
    return Number.isInteger(value)
      ? { name, type: AttributeType.INT, i: BigInt(value) }
      : { name, type: AttributeType.FLOAT, f: value };
  }
  if (Array.isArray(value)) return { name, type: AttributeType.INTS, ints: value.map(BigInt) };
  if ('float' in value) return { name, type: AttributeType.FLOAT, f: value.float };
  return { name, type: AttributeType.TENSOR, t: value as TensorInit };
}

export function floats(
  name: string,
  shape: readonly number[],
  data: readonly number[],
): TensorInit {
  return { name, dataType: 1, dims: shape.map(BigInt), floatData: [...data] };
}

export function int64s(
  name: string,
  shape: readonly number[],
  data: readonly (number | bigint)[],
): TensorInit {
  return { name, dataType: 7, dims: shape.map(BigInt), int64Data: data.map(BigInt) };
}

export function bools(name: string, shape: readonly number[], data: readonly number[]): TensorInit {
  return { name, dataType: 9, dims: shape.map(BigInt), int32Data: [...data] };
}
