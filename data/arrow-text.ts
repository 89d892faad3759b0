import { Binary, BinaryView, Data, DataType, LargeBinary, Vector } from 'apache-arrow';
import type { Struct } from 'apache-arrow';
import type { JsonObject, JsonValue } from '../plan/json.ts';
import { decodeText } from './exact-text.ts';

/**
 * Reads a column's cells by their index, texts exactly as they are stored, lists and structs as
 * plain arrays and objects.
 */
export function cellReader(column: Vector): (row: number) => unknown {
  if (DataType.isList(column.type) || DataType.isFixedSizeList(column.type)) {
    return (row) => listItems(column.get(row) as Vector | null);
  }
  if (DataType.isStruct(column.type)) return structReader(column as Vector<Struct>);
  const bytes = bytesOf(column);
  if (bytes === undefined) return (row) => column.get(row) as unknown;
  return (row) => {
    const text = bytes.get(row) as Uint8Array | null;
    return text === null ? null : decodeText(text);
  };
}

/** Whether a cell is a list or a struct. */
export function isNested(cell: unknown): cell is JsonValue[] | JsonObject {
  if (typeof cell !== 'object' || cell === null) return false;
  return Array.isArray(cell) || Object.getPrototypeOf(cell) === Object.prototype;
}

function listItems(items: Vector | null): JsonValue[] | null {
  if (items === null) return null;
  const read = cellReader(items);
  return Array.from({ length: items.length }, (_, index) => jsonOf(read(index)));
}

function structReader(column: Vector<Struct>): (row: number) => unknown {
  const fields = column.type.children.map(
    ({ name }, index) => [name, cellReader(column.getChildAt(index) as Vector)] as const,
  );
  return (row) =>
    column.isValid(row)
      ? Object.fromEntries(fields.map(([name, read]) => [name, jsonOf(read(row))]))
      : null;
}

/** A value within a list or a struct; null for what JSON has no type for. */
function jsonOf(value: unknown): JsonValue {
  if (value === null || isNested(value)) return value;
  switch (typeof value) {
    case 'string':
    case 'number':
    case 'boolean':
      return value;
    default:
      return typeof value === 'bigint' ? Number(value) : null;
  }
}

/** A column of texts as one of their bytes, on the same buffers; undefined for any other column. */
function bytesOf(column: Vector): Vector | undefined {
  const parts = column.data.map(bytesOfPart).filter((part) => part !== undefined);
  return parts.length === 0 ? undefined : new Vector(parts);
}

function bytesOfPart(part: Data): Data | undefined {
  const { type, dictionary } = part;
  if (DataType.isUtf8(type)) return part.clone(new Binary());
  if (DataType.isLargeUtf8(type)) return part.clone(new LargeBinary());
  if (DataType.isUtf8View(type)) return part.clone(new BinaryView());
  const values = dictionary === undefined ? undefined : bytesOf(dictionary);
  if (values === undefined) return undefined;
  return new Data(type, part.offset, part.length, part.nullCount, part, part.children, values);
}
