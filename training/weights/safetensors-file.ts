import { open, type FileHandle } from 'node:fs/promises';
import { diskFailure } from '../../data/disk-failure.ts';
import { Failure } from '../../plan/failures.ts';
import { bfloat16ToNumber, float16ToNumber } from './half-precision.ts';
import {
  corrupt,
  ELEMENT_BYTES,
  encodeHeader,
  headerLength,
  LENGTH_BYTES,
  parseHeader,
  type SafetensorsDtype,
  type SafetensorsTensor,
} from './safetensors-header.ts';

/** A safetensors file whose header has been read and checked. */
export interface SafetensorsFile {
  readonly path: string;
  readonly tensors: readonly SafetensorsTensor[];
  /**
   * Reads a tensor as float32 straight into `target`, which has the shape's number of elements.
   * @throws InvalidInput for an element type that cannot be read
   */
  read(tensor: SafetensorsTensor, target: Float32Array): Promise<void>;
  close(): Promise<void>;
}

/** Most bytes of one read or write. */
const PIECE_BYTES = 1 << 24;
/** Elements that are converted between two turns of the event loop, a few milliseconds. */
const TURN_ELEMENTS = 1 << 19;

/** Opens a file. @throws InvalidInput when it is truncated or not safetensors */
export async function openSafetensors(path: string): Promise<SafetensorsFile> {
  const file = await open(path, 'r');
  try {
    const { size } = await file.stat();
    const prefix = await readUpTo(file, 0, LENGTH_BYTES);
    const json = await readUpTo(file, LENGTH_BYTES, headerLength(prefix, size, path));
    const tensors = parseHeader(json, size, path);
    const read = (tensor: SafetensorsTensor, target: Float32Array): Promise<void> =>
      readTensor(file, path, tensor, target);
    return { path, tensors, read, close: () => file.close() };
  } catch (error) {
    await file.close();
    throw error;
  }
}

async function readUpTo(file: FileHandle, position: number, length: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(length);
  let filled = 0;
  while (filled < length) {
    const rest = { offset: filled, length: length - filled, position: position + filled };
    const { bytesRead } = await file.read(bytes, rest);
    if (bytesRead === 0) break;
    filled += bytesRead;
  }
  return bytes.subarray(0, filled);
}

async function readTensor(
  file: FileHandle,
  path: string,
  tensor: SafetensorsTensor,
  target: Float32Array,
): Promise<void> {
  const { dtype, name, byteLength, start } = tensor;
  if (!(dtype in ELEMENT_BYTES)) {
    throw new Failure(
      'InvalidInput',
      `tensor ${name} of ${path} has the element type ${dtype}; expected one of ` +
        `${Object.keys(ELEMENT_BYTES).join(', ')}: convert the model to float32`,
    );
  }
  const size = ELEMENT_BYTES[dtype as SafetensorsDtype];
  if (byteLength !== target.length * size) {
    const expected = `its shape needs ${target.length * size}`;
    throw corrupt(path, `tensor ${name} has ${byteLength} bytes, ${expected}`);
  }
  if (dtype === 'F32') {
    const bytes = new Uint8Array(target.buffer, target.byteOffset, target.byteLength);
    await readPieces(file, path, start, bytes);
    return;
  }
  const toNumber = dtype === 'F16' ? float16ToNumber : bfloat16ToNumber;
  const halves = new Uint16Array(Math.min(target.length, TURN_ELEMENTS));
  for (let first = 0; first < target.length; first += halves.length) {
    const piece = halves.subarray(0, target.length - first);
    const bytes = new Uint8Array(piece.buffer, 0, piece.byteLength);
    await readPieces(file, path, start + first * size, bytes);
    for (let i = 0; i < piece.length; i++) target[first + i] = toNumber(piece[i] ?? 0);
  }
}

async function readPieces(
  file: FileHandle,
  path: string,
  start: number,
  target: Uint8Array,
): Promise<void> {
  let filled = 0;
  while (filled < target.byteLength) {
    const length = Math.min(PIECE_BYTES, target.byteLength - filled);
    const { bytesRead } = await file.read(target, {
      offset: filled,
      length,
      position: start + filled,
    });
    if (bytesRead === 0) throw corrupt(path, `it ends at byte ${start + filled}`);
    filled += bytesRead;
  }
}

/** A float32 tensor to be written: its elements in one or more pieces, in order. */
export interface SafetensorsEntry {
  readonly name: string;
  readonly shape: readonly number[];
  readonly pieces: Iterable<Float32Array> | AsyncIterable<Float32Array>;
}

/**
 * Writes a safetensors file as Hugging Face does: tensors by name, metadata `{"format": "pt"}`.
 * Equal tensors give equal bytes. Each piece is written before the next is taken.
 * @throws DiskFull
 */
export async function writeSafetensors(
  path: string,
  entries: readonly SafetensorsEntry[],
): Promise<void> {
  const sorted = [...entries].sort((a, b) => (a.name < b.name ? -1 : 1));
  try {
    const file = await open(path, 'w');
    try {
      await writePieces(file, encodeHeader(sorted));
      for (const entry of sorted) await writeEntry(file, entry);
    } finally {
      await file.close();
    }
  } catch (error) {
    throw diskFailure(error, path);
  }
}

async function writeEntry(file: FileHandle, entry: SafetensorsEntry): Promise<void> {
  let missing = entry.shape.reduce((product, axis) => product * axis, 1);
  for await (const piece of entry.pieces) {
    await writePieces(file, new Uint8Array(piece.buffer, piece.byteOffset, piece.byteLength));
    missing -= piece.length;
  }
  if (missing !== 0) throw new Error(`internal: ${missing} elements of ${entry.name} are missing`);
}

async function writePieces(file: FileHandle, bytes: Uint8Array): Promise<void> {
  for (let start = 0; start < bytes.byteLength; start += PIECE_BYTES) {
    const piece = bytes.subarray(start, start + PIECE_BYTES);
    for (let written = 0; written < piece.byteLength;) {
      written += (await file.write(piece, written)).bytesWritten;
    }
  }
}
