import { fromBinary, toBinary } from '@bufbuild/protobuf';
import {
  ModelProtoSchema,
  type GraphProto,
  type ModelProto,
  type TensorProto,
  type ValueInfoProto,
} from 'onnx-buf';
import { Failure } from '../../plan/failures.ts';
import { Mismatch } from '../graph/mismatch.ts';
import type { DataType } from '../graph/tensor-type.ts';
import {
  embedTensor,
  knownDataType,
  shapeOf,
  writeTensor,
  type ExternalData,
} from './tensor-data.ts';

/** An .onnx file. Format: https://onnx.ai/onnx/repo-docs/IR.html */
export interface OnnxModel {
  readonly proto: ModelProto;
  readonly graph: GraphProto;
  /** Version of ONNX's own operators. */
  readonly opset: number;
  readonly external: ExternalData;
  /** By name. */
  readonly initializers: ReadonlyMap<string, TensorProto>;
}

/** Versions of ONNX's operators whose definitions are followed. */
const OPSETS = { least: 11, most: 23 } as const;

const EXPORT_AGAIN =
  'export the model with torch.onnx.export(model.eval(), ..., opset_version=17), without optimizing it afterwards';

/**
 * Reads an .onnx file.
 *
 * @param external files beside it that hold data of its tensors
 * @throws InvalidInput for bytes that are no ONNX file, and for one that needs other operators
 */
export function readOnnxModel(bytes: Uint8Array, external: ExternalData = new Map()): OnnxModel {
  const proto = parse(bytes);
  const { graph } = proto;
  if (graph === undefined || graph.node.length === 0) {
    throw invalid('is not an ONNX model: it has no graph; check that it was downloaded whole');
  }
  if (proto.functions.length > 0) {
    const names = proto.functions.map(({ name }) => name).join(', ');
    throw invalid(`defines functions of its own (${names}); ${EXPORT_AGAIN}`);
  }
  const opset = Number(proto.opsetImport.find(({ domain }) => isOnnxDomain(domain))?.version ?? 0);
  if (!(opset >= OPSETS.least && opset <= OPSETS.most)) {
    const found = opset === 0 ? 'does not say its opset' : `is of opset ${opset}`;
    throw invalid(`${found}; expected ${OPSETS.least} to ${OPSETS.most}: ${EXPORT_AGAIN}`);
  }
  const initializers = new Map(graph.initializer.map((tensor) => [tensor.name, tensor]));
  for (const tensor of graph.initializer) requireData(tensor, external);
  return { proto, graph, opset, external, initializers };
}

/** Names of the files beside an .onnx file that hold data of its tensors. @throws InvalidInput */
export function externalFiles(bytes: Uint8Array): readonly string[] {
  const tensors = parse(bytes).graph?.initializer ?? [];
  const entries = tensors.flatMap(({ externalData }) => externalData);
  return [...new Set(entries.filter(({ key }) => key === 'location').map(({ value }) => value))];
}

function parse(bytes: Uint8Array): ModelProto {
  try {
    return fromBinary(ModelProtoSchema, bytes);
  } catch (cause) {
    throw invalid(
      'is not an ONNX model: its bytes are no ModelProto; check that it was downloaded whole',
      {
        cause,
      },
    );
  }
}

/** Whether an operator set is ONNX's own; node's domains are written both ways. */
export function isOnnxDomain(domain: string): boolean {
  return domain === '' || domain === 'ai.onnx';
}

function requireData(tensor: TensorProto, external: ExternalData): void {
  try {
    shapeOf(tensor, external);
  } catch (error) {
    if (error instanceof Mismatch)
      throw invalid(`holds a tensor "${tensor.name}" that ${error.message}`);
    throw error;
  }
}

/** A tensor that goes into or comes out of a graph, as far as the file tells; 0 = a length of any size. */
export interface FileTensor {
  readonly name: string;
  /** What its elements are in our graphs; undefined when nothing there. */
  readonly dtype: DataType | undefined;
  readonly shape: readonly number[] | undefined;
}

export function fileTensor({ name, type }: ValueInfoProto): FileTensor {
  if (type?.value.case !== 'tensorType') return { name, dtype: undefined, shape: undefined };
  const { elemType, shape } = type.value.value;
  const lengths = shape?.dim.map(({ value }) =>
    value.case === 'dimValue' ? Number(value.value) : 0,
  );
  return { name, dtype: knownDataType(elemType), shape: lengths };
}

/**
 * The file with other values in its float tensors; everything else stays as it is, but that data of
 * files beside it moves into it.
 *
 * @param values by the initializers' names, in their shapes
 */
export function withWeights(
  bytes: Uint8Array,
  external: ExternalData,
  values: ReadonlyMap<string, Float32Array>,
): Uint8Array {
  const proto = parse(bytes);
  for (const tensor of proto.graph?.initializer ?? []) {
    const own = values.get(tensor.name);
    if (own !== undefined) writeTensor(tensor, own);
    else embedTensor(tensor, external);
  }
  return toBinary(ModelProtoSchema, proto);
}

/** The failure of an .onnx file that cannot be used; the text goes on from "the ONNX file". */
export function invalid(text: string, options?: ErrorOptions): Failure {
  return new Failure('InvalidInput', `the ONNX file ${text}`, options);
}
