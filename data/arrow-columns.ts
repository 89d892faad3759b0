/** Columns of Arrow record batches, none of which holds nulls. */
import {
  Field,
  FixedSizeList,
  Float32,
  Float64,
  Int32,
  List,
  makeData,
  Uint8,
  Utf8,
} from 'apache-arrow';
import type { Data, DataType } from 'apache-arrow';

/** The type of lists of any length. */
export function listOf<T extends DataType>(type: T): List<T> {
  return new List(new Field('item', type, false));
}

/** The type of lists of `size` items each. */
export function fixedListOf<T extends DataType>(type: T, size: number): FixedSizeList<T> {
  return new FixedSizeList(size, new Field('item', type, false));
}

/** A string column. */
export function utf8Column(values: readonly string[]): Data<Utf8> {
  const valueOffsets = new Int32Array(values.length + 1);
  let length = 0;
  for (const [index, value] of values.entries()) {
    length += Buffer.byteLength(value);
    valueOffsets[index + 1] = length;
  }
  const data = new Uint8Array(length);
  const bytes = Buffer.from(data.buffer);
  for (const [index, value] of values.entries()) bytes.write(value, valueOffsets[index] as number);
  return makeData({
    type: new Utf8(),
    length: values.length,
    nullCount: 0,
    valueOffsets,
    data,
  });
}

/** A column of integers. */
export function int32Column(values: Int32Array): Data<Int32> {
  return makeData({ type: new Int32(), length: values.length, nullCount: 0, data: values });
}

/** A column of lists of integers. */
export function int32ListColumn(lists: readonly ArrayLike<number>[]): Data<List<Int32>> {
  const valueOffsets = offsetsOf(lists);
  const items = concatenate(lists, new Int32Array(valueOffsets[lists.length] as number));
  const type = listOf(new Int32());
  return makeData({
    ...{ type, length: lists.length, nullCount: 0, valueOffsets },
    child: int32Column(items),
  });
}

/** A column of lists of numbers, in double precision. */
export function float64ListColumn(lists: readonly (readonly number[])[]): Data<List<Float64>> {
  const valueOffsets = offsetsOf(lists);
  const items = concatenate(lists, new Float64Array(valueOffsets[lists.length] as number));
  const child = makeData({ type: new Float64(), length: items.length, nullCount: 0, data: items });
  const type = listOf(new Float64());
  return makeData({ type, length: lists.length, nullCount: 0, valueOffsets, child });
}

/** A column of lists of bytes. */
export function uint8ListColumn(lists: readonly Uint8Array[]): Data<List<Uint8>> {
  const valueOffsets = offsetsOf(lists);
  const items = concatenate(lists, new Uint8Array(valueOffsets[lists.length] as number));
  const child = makeData({ type: new Uint8(), length: items.length, nullCount: 0, data: items });
  const type = listOf(new Uint8());
  return makeData({ type, length: lists.length, nullCount: 0, valueOffsets, child });
}

/** A column of lists of `size` numbers each, in single precision. */
export function float32VectorColumn(
  vectors: readonly ArrayLike<number>[],
  size: number,
): Data<FixedSizeList<Float32>> {
  const items = concatenate(vectors, new Float32Array(vectors.length * size));
  const child = makeData({ type: new Float32(), length: items.length, nullCount: 0, data: items });
  const type = fixedListOf(new Float32(), size);
  return makeData({ type, length: vectors.length, nullCount: 0, child });
}

function offsetsOf(lists: readonly ArrayLike<number>[]): Int32Array {
  const offsets = new Int32Array(lists.length + 1);
  for (const [index, list] of lists.entries()) {
    offsets[index + 1] = (offsets[index] as number) + list.length;
  }
  return offsets;
}

function concatenate<T extends Int32Array | Uint8Array | Float32Array | Float64Array>(
  lists: readonly ArrayLike<number>[],
  into: T,
): T {
  let at = 0;
  for (const list of lists) {
    into.set(list, at);
    at += list.length;
  }
  return into;
}
