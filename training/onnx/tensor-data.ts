import { TensorProto_DataLocation as DataLocation, type TensorProto } from 'onnx-buf';
import type { ConstantData } from '../graph/graph.ts';
import { Mismatch } from '../graph/mismatch.ts';
import type { DataType } from '../graph/tensor-type.ts';
import {
  bfloat16ToNumber,
  float16ToNumber,
  numberToBfloat16,
  numberToFloat16,
} from '../weights/half-precision.ts';

// Format: https://onnx.ai/onnx/repo-docs/IR.html, onnx.proto (TensorProto).

/** Contents of the files beside an .onnx file that hold data of its tensors, by their names. */
export type ExternalData = ReadonlyMap<string, Uint8Array>;

/** An element type of ONNX files. */
interface ElementType {
  readonly name: string;
  /** What it is in our graphs. */
  readonly dtype: DataType;
  readonly bytes: number;
  /** Where a tensor without raw data has its elements. */
  readonly field: 'floatData' | 'doubleData' | 'int32Data' | 'int64Data' | 'uint64Data';
  readonly read: (view: DataView, offset: number) => number | bigint;
  /** An element of `field` as a number; the element itself when left out. */
  readonly decode?: (element: number) => number;
  readonly write?: (view: DataView, offset: number, value: number) => void;
}

const FLOAT16: ElementType = {
  ...{ name: 'float16', dtype: 'float32', bytes: 2, field: 'int32Data', decode: float16ToNumber },
  read: (view, offset) => float16ToNumber(view.getUint16(offset, true)),
  write: (view, offset, value) => view.setUint16(offset, numberToFloat16(value), true),
};

const BFLOAT16: ElementType = {
  ...{ name: 'bfloat16', dtype: 'float32', bytes: 2, field: 'int32Data', decode: bfloat16ToNumber },
  read: (view, offset) => bfloat16ToNumber(view.getUint16(offset, true)),
  write: (view, offset, value) => view.setUint16(offset, numberToBfloat16(value), true),
};

/** By their numbers in files. Every float is float32 in our graphs, every small integer int32. */
const ELEMENT_TYPES: Readonly<Record<number, ElementType>> = {
  1: {
    ...{ name: 'float32', dtype: 'float32', bytes: 4, field: 'floatData' },
    read: (view, offset) => view.getFloat32(offset, true),
    write: (view, offset, value) => view.setFloat32(offset, value, true),
  },
  2: {
    ...{ name: 'uint8', dtype: 'int32', bytes: 1, field: 'int32Data' },
    read: (view, offset) => view.getUint8(offset),
  },
  3: {
    ...{ name: 'int8', dtype: 'int32', bytes: 1, field: 'int32Data' },
    read: (view, offset) => view.getInt8(offset),
  },
  4: {
    ...{ name: 'uint16', dtype: 'int32', bytes: 2, field: 'int32Data' },
    read: (view, offset) => view.getUint16(offset, true),
  },
  5: {
    ...{ name: 'int16', dtype: 'int32', bytes: 2, field: 'int32Data' },
    read: (view, offset) => view.getInt16(offset, true),
  },
  6: {
    ...{ name: 'int32', dtype: 'int32', bytes: 4, field: 'int32Data' },
    read: (view, offset) => view.getInt32(offset, true),
  },
  7: {
    ...{ name: 'int64', dtype: 'int64', bytes: 8, field: 'int64Data' },
    read: (view, offset) => view.getBigInt64(offset, true),
  },
  9: {
    ...{ name: 'bool', dtype: 'bool', bytes: 1, field: 'int32Data' },
    read: (view, offset) => Number(view.getUint8(offset) !== 0),
    decode: (element) => Number(element !== 0),
  },
  10: FLOAT16,
  11: {
    ...{ name: 'float64', dtype: 'float32', bytes: 8, field: 'doubleData' },
    read: (view, offset) => view.getFloat64(offset, true),
    write: (view, offset, value) => view.setFloat64(offset, value, true),
  },
  12: {
    ...{ name: 'uint32', dtype: 'uint32', bytes: 4, field: 'uint64Data' },
    read: (view, offset) => view.getUint32(offset, true),
  },
  16: BFLOAT16,
};

/** What an element type of files is in our graphs. @throws Mismatch when it is nothing there */
export function dataTypeOf(number: number): DataType {
  return elementTypeOf(number).dtype;
}

/** The same, or undefined. */
export function knownDataType(number: number): DataType | undefined {
  return ELEMENT_TYPES[number]?.dtype;
}

function elementTypeOf(number: number): ElementType {
  const found = ELEMENT_TYPES[number];
  if (found !== undefined) return found;
  const known = Object.values(ELEMENT_TYPES).map(({ name }) => name);
  throw new Mismatch(`has elements of type ${number}; expected ${known.join(', ')}`);
}

export function isFloat(proto: TensorProto): boolean {
  return ELEMENT_TYPES[proto.dataType]?.dtype === 'float32';
}

/** A tensor's shape, after a look at whether there is data for it. @throws Mismatch */
export function shapeOf(proto: TensorProto, external: ExternalData): readonly number[] {
  const shape = proto.dims.map(Number);
  const elements = shape.reduce((product, length) => product * length, 1);
  const isShape = shape.every((length) => Number.isInteger(length) && length >= 0);
  if (!isShape || shape.length > 16) throw new Mismatch(`has the shape [${shape.join(',')}]`);
  const stored = storedElements(proto, external);
  if (stored === elements) return shape;
  throw new Mismatch(`has the shape [${shape.join(',')}] and ${stored} elements`);
}

function storedElements(proto: TensorProto, external: ExternalData): number {
  const { bytes, field } = elementTypeOf(proto.dataType);
  const raw = rawBytes(proto, external);
  return raw === undefined ? proto[field].length : raw.length / bytes;
}

/** Elements as our graphs hold them. @throws Mismatch */
export function readTensor(proto: TensorProto, external: ExternalData): ConstantData {
  const elements = shapeOf(proto, external).reduce((product, length) => product * length, 1);
  const type = elementTypeOf(proto.dataType);
  const data = allocate(type.dtype, elements);
  const raw = rawBytes(proto, external);
  if (raw !== undefined && type === ELEMENT_TYPES[1]) return new Float32Array(copied(raw));
  const view = raw && new DataView(raw.buffer, raw.byteOffset, raw.byteLength);
  const fields = proto[type.field];
  for (let i = 0; i < elements; i++) {
    const element = view === undefined ? (fields[i] ?? 0) : type.read(view, i * type.bytes);
    const value =
      view === undefined && type.decode !== undefined ? type.decode(Number(element)) : element;
    data[i] = type.dtype === 'int64' ? (BigInt(value) as never) : (Number(value) as never);
  }
  return data;
}

/** Bytes at the start of a buffer of their own, as typed arrays want them. */
function copied(bytes: Uint8Array): ArrayBuffer {
  return new Uint8Array(bytes).buffer;
}

function allocate(dtype: DataType, elements: number): ConstantData {
  switch (dtype) {
    case 'float32':
      return new Float32Array(elements);
    case 'int64':
      return new BigInt64Array(elements);
    case 'int32':
      return new Int32Array(elements);
    case 'uint32':
      return new Uint32Array(elements);
    case 'bool':
      return new Uint8Array(elements);
    case 'float16':
    case 'bfloat16':
      throw new Error(`internal: ${dtype} of a file is read as float32`);
  }
}

/** Moves a tensor's data that is in a file beside the .onnx file into it. @throws Mismatch */
export function embedTensor(proto: TensorProto, external: ExternalData): void {
  if (proto.dataLocation !== DataLocation.EXTERNAL) return;
  const bytes = new Uint8Array(rawBytes(proto, external) ?? []);
  moveInto(proto, bytes);
}

/** Replaces a float tensor's elements; they take the type that it has in the file. */
export function writeTensor(proto: TensorProto, values: Float32Array): void {
  const { bytes, write } = elementTypeOf(proto.dataType);
  if (write === undefined) throw new Error(`internal: ${proto.name} holds no floats`);
  const raw = new Uint8Array(values.length * bytes);
  const view = new DataView(raw.buffer);
  values.forEach((value, i) => write(view, i * bytes, value));
  moveInto(proto, raw);
  proto.floatData = [];
  proto.doubleData = [];
  proto.int32Data = [];
}

/** Fields stay absent where they were: a file with the same weights has the same bytes. */
function moveInto(proto: TensorProto, bytes: Uint8Array<ArrayBuffer>): void {
  proto.rawData = bytes;
  if (proto.dataLocation === DataLocation.EXTERNAL) proto.dataLocation = DataLocation.DEFAULT;
  proto.externalData = [];
}

/** A tensor's bytes in the file or in one beside it; undefined when its elements are in a field. */
function rawBytes(proto: TensorProto, external: ExternalData): Uint8Array | undefined {
  if (proto.dataLocation !== DataLocation.EXTERNAL) {
    return proto.rawData.length > 0 ? proto.rawData : undefined;
  }
  const entries = new Map(proto.externalData.map(({ key, value }) => [key, value]));
  const location = entries.get('location') ?? '';
  const file = external.get(location);
  if (file === undefined)
    throw new Mismatch(`has its data in the file "${location}", which is not there`);
  const offset = Number(entries.get('offset') ?? 0);
  const length = Number(entries.get('length') ?? file.length - offset);
  if (!(offset >= 0 && length >= 0 && offset + length <= file.length)) {
    throw new Mismatch(`has its data beyond the end of the file "${location}"`);
  }
  return file.subarray(offset, offset + length);
}
