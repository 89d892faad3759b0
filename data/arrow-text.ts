import { Binary, BinaryView, Data, DataType, LargeBinary, Vector } from 'apache-arrow';
import { decodeText } from './exact-text.ts';

/** Reads a column's cells by their index, texts exactly as they are stored. */
export function cellReader(column: Vector): (row: number) => unknown {
  const bytes = bytesOf(column);
  if (bytes === undefined) return (row) => column.get(row) as unknown;
  return (row) => {
    const text = bytes.get(row) as Uint8Array | null;
    return text === null ? null : decodeText(text);
  };
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
