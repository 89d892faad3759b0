import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import fc from 'fast-check';
import { ModelProtoSchema, TensorProtoSchema } from 'onnx-buf';
import { expect, test } from 'vitest';
import { Failure } from '../../../plan/failures.ts';
import { importClassifier } from '../../../training/onnx/classifier.ts';
import { LOWERINGS } from '../../../training/onnx/lowerings.ts';
import { externalFiles, readOnnxModel, withWeights } from '../../../training/onnx/model-file.ts';
import { readTensor } from '../../../training/onnx/tensor-data.ts';
import { EXPORT_NAMES, readOnnx } from './onnx-fixture.ts';
import { onnxFile, type TensorInit } from './onnx-builder.ts';

function bytesOf(data: ArrayBufferView): Uint8Array<ArrayBuffer> {
  return new Uint8Array(
    data.buffer.slice(data.byteOffset, data.byteOffset + data.byteLength) as ArrayBuffer,
  );
}

const raw = (dataType: number, length: number, data: ArrayBufferView): TensorInit => ({
  ...{ name: 'w', dataType, dims: [BigInt(length)], rawData: bytesOf(data) },
});

// 1, -2.5 and the smallest: float16 2^-24, bfloat16 2^-133.
const HALF = Uint16Array.of(0x3c00, 0xc100, 0x0001);
const BRAIN = Uint16Array.of(0x3f80, 0xc020, 0x0001);

test.each<{ name: string; tensor: TensorInit; expected: ArrayLike<number | bigint> }>([
  {
    name: 'float32, raw',
    tensor: raw(1, 2, Float32Array.of(1.5, -2)),
    expected: Float32Array.of(1.5, -2),
  },
  {
    name: 'float32',
    tensor: { dataType: 1, dims: [2n], floatData: [1.5, -2] },
    expected: Float32Array.of(1.5, -2),
  },
  {
    name: 'float64, raw',
    tensor: raw(11, 2, Float64Array.of(1.5, -2)),
    expected: Float32Array.of(1.5, -2),
  },
  {
    name: 'float64',
    tensor: { dataType: 11, dims: [2n], doubleData: [1.5, -2] },
    expected: Float32Array.of(1.5, -2),
  },
  { name: 'float16, raw', tensor: raw(10, 3, HALF), expected: Float32Array.of(1, -2.5, 2 ** -24) },
  {
    name: 'float16',
    tensor: { dataType: 10, dims: [3n], int32Data: [...HALF] },
    expected: Float32Array.of(1, -2.5, 2 ** -24),
  },
  {
    name: 'bfloat16, raw',
    tensor: raw(16, 3, BRAIN),
    expected: Float32Array.of(1, -2.5, 2 ** -133),
  },
  {
    name: 'bfloat16',
    tensor: { dataType: 16, dims: [3n], int32Data: [...BRAIN] },
    expected: Float32Array.of(1, -2.5, 2 ** -133),
  },
  {
    name: 'int64, raw',
    tensor: raw(7, 2, BigInt64Array.of(5n, -(2n ** 62n))),
    expected: BigInt64Array.of(5n, -(2n ** 62n)),
  },
  {
    name: 'int64',
    tensor: { dataType: 7, dims: [2n], int64Data: [5n, -1n] },
    expected: BigInt64Array.of(5n, -1n),
  },
  { name: 'int32, raw', tensor: raw(6, 2, Int32Array.of(5, -1)), expected: Int32Array.of(5, -1) },
  {
    name: 'int32',
    tensor: { dataType: 6, dims: [2n], int32Data: [5, -1] },
    expected: Int32Array.of(5, -1),
  },
  {
    name: 'uint32, raw',
    tensor: raw(12, 1, Uint32Array.of(2 ** 32 - 1)),
    expected: Uint32Array.of(2 ** 32 - 1),
  },
  {
    name: 'uint32',
    tensor: { dataType: 12, dims: [1n], uint64Data: [7n] },
    expected: Uint32Array.of(7),
  },
  { name: 'int16, raw', tensor: raw(5, 1, Int16Array.of(-3)), expected: Int32Array.of(-3) },
  { name: 'uint16, raw', tensor: raw(4, 1, Uint16Array.of(65535)), expected: Int32Array.of(65535) },
  { name: 'int8, raw', tensor: raw(3, 2, Int8Array.of(-3, 7)), expected: Int32Array.of(-3, 7) },
  { name: 'uint8, raw', tensor: raw(2, 2, Uint8Array.of(253, 7)), expected: Int32Array.of(253, 7) },
  {
    name: 'bool, raw',
    tensor: raw(9, 3, Uint8Array.of(0, 1, 255)),
    expected: Uint8Array.of(0, 1, 1),
  },
  {
    name: 'bool',
    tensor: { dataType: 9, dims: [2n], int32Data: [0, 5] },
    expected: Uint8Array.of(0, 1),
  },
  { name: 'no elements', tensor: { dataType: 1, dims: [0n, 3n] }, expected: new Float32Array() },
])('reads tensors of $name', ({ tensor, expected }) => {
  expect(readTensor(create(TensorProtoSchema, tensor), new Map())).toEqual(expected);
});

function fileWith(...initializers: readonly TensorInit[]): Uint8Array {
  const nodes = [{ op: 'Identity', inputs: ['w'], outputs: ['y'] }];
  return onnxFile({ inputs: { x: ['float32', 1] }, initializers, nodes });
}

const OUTSIDE: TensorInit = {
  ...{ name: 'w', dataType: 1, dims: [2n], dataLocation: 1 },
  externalData: [
    { key: 'location', value: 'model.onnx.data' },
    { key: 'offset', value: '4' },
    { key: 'length', value: '8' },
  ],
};

test('tensors may be in files beside it, and move into it when it is saved', () => {
  const bytes = fileWith(OUTSIDE, { name: 'v', dataType: 1, dims: [1n], floatData: [3] });
  expect(externalFiles(bytes)).toEqual(['model.onnx.data']);
  const data = new Map([['model.onnx.data', bytesOf(Float32Array.of(9, 1.5, -2, 9))]]);
  const model = readOnnxModel(bytes, data);
  const valuesOf = ({ initializers, external }: typeof model): unknown =>
    [...initializers.values()].map((tensor) => readTensor(tensor, external));
  expect(valuesOf(model)).toEqual([Float32Array.of(1.5, -2), Float32Array.of(3)]);
  const saved = withWeights(bytes, data, new Map([['v', Float32Array.of(4)]]));
  expect(externalFiles(saved)).toEqual([]);
  expect(valuesOf(readOnnxModel(saved))).toEqual([Float32Array.of(1.5, -2), Float32Array.of(4)]);
});

test('data that ends before its tensor is refused', () => {
  const data = new Map([['model.onnx.data', new Uint8Array(11)]]);
  expect(() => readOnnxModel(fileWith(OUTSIDE), data)).toThrow(
    new Failure(
      'InvalidInput',
      'the ONNX file holds a tensor "w" that has its data beyond the end of the file "model.onnx.data"',
    ),
  );
});

test.each([
  // The last two are ties: to even.
  {
    name: 'float16',
    dataType: 10,
    written: [1, 65504, 1e6, 2 ** -25, 1 + 2 ** -11, 1 + 3 * 2 ** -11, -0],
    read: [1, 65504, Infinity, 0, 1, 1 + 2 ** -9, -0],
  },
  {
    name: 'bfloat16',
    dataType: 16,
    written: [1, 3.4e38, -2.5, 1 + 2 ** -8, 1 + 3 * 2 ** -8, -0],
    read: [1, Infinity, -2.5, 1, 1 + 2 ** -6, -0],
  },
  { name: 'float64', dataType: 11, written: [1, Math.fround(0.1)], read: [1, Math.fround(0.1)] },
])('weights take the type that they have in the file: $name', ({ dataType, written, read }) => {
  const size = dataType === 11 ? 8 : 2;
  const tensor = raw(dataType, written.length, new Uint8Array(written.length * size));
  const saved = withWeights(
    fileWith(tensor),
    new Map(),
    new Map([['w', Float32Array.from(written)]]),
  );
  const proto = readOnnxModel(saved).initializers.get('w');
  if (proto === undefined) throw new Error('the file has lost w');
  expect(proto.dataType).toBe(dataType);
  expect(readTensor(proto, new Map())).toEqual(Float32Array.from(read));
});

test('every value of float16 is written as it was read', () => {
  const all = Uint16Array.from({ length: 1 << 16 }, (_, i) => i).filter(
    (half) => (half & 0x7c00) !== 0x7c00,
  );
  const bytes = fileWith(raw(10, all.length, all));
  const { initializers } = readOnnxModel(bytes);
  const [tensor] = initializers.values();
  if (tensor === undefined) throw new Error('the file has lost w');
  const values = readTensor(tensor, new Map()) as Float32Array;
  const [again] = readOnnxModel(
    withWeights(bytes, new Map(), new Map([['w', values]])),
  ).initializers.values();
  expect(again?.rawData).toEqual(bytesOf(all));
});

test.each(EXPORT_NAMES)('%s with bytes changed is read, or refused in words', async (name) => {
  const bytes = await readOnnx(name);
  const change = fc.tuple(fc.nat(bytes.length - 1), fc.nat(255));
  const changes = fc.array(change, { minLength: 1, maxLength: 8 });
  const cut = fc.oneof({ weight: 9, arbitrary: fc.constant(bytes.length) }, fc.nat(bytes.length));
  fc.assert(
    fc.property(changes, cut, (places, length) => {
      const changed = Uint8Array.from(bytes);
      for (const [at, value] of places) changed[at] = value;
      expect(problemWith(changed.subarray(0, length))).toBeUndefined();
    }),
    { numRuns: 60, seed: 4 },
  );
});

/** What becomes of a node: another operator, an input less, or an input or attribute of another. */
const nodeChange = fc.record({
  node: fc.nat(),
  op: fc.constantFrom(...Object.keys(LOWERINGS), 'Shape', 'Size', 'Loop'),
  how: fc.constantFrom('operator', 'fewer inputs', 'other input', 'attribute'),
  from: fc.nat(),
  int: fc.constantFrom(0n, 1n, -1n, 2n, 9n, -9n, 2n ** 40n, 2n ** 63n - 1n),
});

test.each(EXPORT_NAMES)('%s with nodes changed is read, or refused in words', async (name) => {
  const bytes = await readOnnx(name);
  fc.assert(
    fc.property(fc.array(nodeChange, { minLength: 1, maxLength: 3 }), (changes) => {
      const model = fromBinary(ModelProtoSchema, bytes);
      const nodes = model.graph?.node ?? [];
      for (const { node: at, op, how, from, int } of changes) {
        const node = nodes[at % nodes.length];
        const [other = ''] = nodes[from % nodes.length]?.output ?? [];
        if (node === undefined) continue;
        if (how === 'operator') node.opType = op;
        else if (how === 'fewer inputs') node.input.pop();
        else if (how === 'other input') node.input[0] = other;
        else
          for (const attribute of node.attribute) Object.assign(attribute, { i: int, ints: [int] });
      }
      expect(problemWith(toBinary(ModelProtoSchema, model))).toBeUndefined();
    }),
    { numRuns: 60, seed: 5 },
  );
});

/** What went wrong other than a refusal in words. */
function problemWith(bytes: Uint8Array): unknown {
  try {
    importClassifier(bytes);
    return undefined;
  } catch (error) {
    const isInWords = error instanceof Failure && !/internal|undefined|\bNaN\b/.test(error.message);
    return isInWords ? undefined : error;
  }
}
