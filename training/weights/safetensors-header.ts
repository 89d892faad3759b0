import { z } from 'zod';
import { Failure } from '../../plan/failures.ts';

/** Element types that can be read, with their sizes in bytes; all become float32. */
export const ELEMENT_BYTES = { F32: 4, F16: 2, BF16: 2 } as const;

export type SafetensorsDtype = keyof typeof ELEMENT_BYTES;

/** One tensor's entry. */
export interface SafetensorsTensor {
  readonly name: string;
  /** As in the file; only those of ELEMENT_BYTES can be read. */
  readonly dtype: string;
  readonly shape: readonly number[];
  /** Absolute byte offset in the file. */
  readonly start: number;
  readonly byteLength: number;
}

/** Bytes before the JSON: its length as an unsigned 64-bit little-endian number. */
export const LENGTH_BYTES = 8;
/** Longest header that safetensors itself accepts. */
const HEADER_LIMIT = 100_000_000;
/** The data starts at a multiple of it: the JSON is padded with spaces. */
const DATA_ALIGNMENT = 8;

const count = z.int().min(0);
const entrySchema = z.object({
  dtype: z.string(),
  shape: z.array(count),
  data_offsets: z.tuple([count, count]),
});
const headerSchema = z.record(z.string(), z.unknown());

/**
 * Length of the JSON header from the file's first bytes.
 * @throws InvalidInput when the file cannot be a safetensors file of that size
 */
export function headerLength(prefix: Uint8Array, fileSize: number, path: string): number {
  if (prefix.byteLength < LENGTH_BYTES) {
    throw corrupt(path, `it has ${prefix.byteLength} bytes, expected at least ${LENGTH_BYTES}`);
  }
  const view = new DataView(prefix.buffer, prefix.byteOffset, LENGTH_BYTES);
  const length = Number(view.getBigUint64(0, true));
  if (length > HEADER_LIMIT || LENGTH_BYTES + length > fileSize) {
    throw corrupt(path, `its header claims ${length} bytes, and the file has ${fileSize}`);
  }
  return length;
}

/**
 * The tensors that a header lists, in the file's order. Source of the format:
 * https://github.com/huggingface/safetensors#format
 *
 * @param json the header's bytes
 * @throws InvalidInput naming the first entry that does not fit the file
 */
export function parseHeader(
  json: Uint8Array,
  fileSize: number,
  path: string,
): readonly SafetensorsTensor[] {
  const header = headerSchema.safeParse(parseJson(json, path));
  if (!header.success) throw corrupt(path, 'its header is not a JSON object');
  const dataStart = LENGTH_BYTES + json.byteLength;
  const tensors: SafetensorsTensor[] = [];
  for (const [name, value] of Object.entries(header.data)) {
    if (name === '__metadata__') continue;
    const entry = entrySchema.safeParse(value);
    if (!entry.success) throw corrupt(path, `the entry of tensor ${name} is not one`);
    const {
      dtype,
      shape,
      data_offsets: [begin, end],
    } = entry.data;
    if (begin > end || dataStart + end > fileSize) {
      const expected = `expected at most ${fileSize - dataStart}`;
      throw corrupt(path, `tensor ${name} ends at byte ${end} of the data, ${expected}`);
    }
    tensors.push({ name, dtype, shape, start: dataStart + begin, byteLength: end - begin });
  }
  return tensors.sort((a, b) => a.start - b.start);
}

/** Length and JSON of a header for float32 tensors that lie one after the other. */
export function encodeHeader(
  tensors: readonly { readonly name: string; readonly shape: readonly number[] }[],
): Uint8Array {
  let end = 0;
  const entries = tensors.map(({ name, shape }) => {
    const begin = end;
    end += shape.reduce((product, axis) => product * axis, 1) * ELEMENT_BYTES.F32;
    return [name, { dtype: 'F32', shape, data_offsets: [begin, end] }];
  });
  const header = { __metadata__: { format: 'pt' }, ...Object.fromEntries(entries) };
  const json = new TextEncoder().encode(JSON.stringify(header));
  const padded = Math.ceil(json.byteLength / DATA_ALIGNMENT) * DATA_ALIGNMENT;
  const bytes = new Uint8Array(LENGTH_BYTES + padded).fill(0x20);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(padded), true);
  bytes.set(json, LENGTH_BYTES);
  return bytes;
}

function parseJson(json: Uint8Array, path: string): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(json));
  } catch {
    throw corrupt(path, 'its header is not JSON');
  }
}

/** The failure for a file whose bytes are not what they claim. */
export function corrupt(path: string, what: string): Failure {
  return new Failure(
    'InvalidInput',
    `${path} is not a whole safetensors file: ${what}; download or save it again`,
  );
}
