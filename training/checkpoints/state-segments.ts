import { createHash } from 'node:crypto';
import { open, type FileHandle } from 'node:fs/promises';
import { diskFailure } from '../../data/disk-failure.ts';
import { Failure } from '../../plan/failures.ts';
import { errorCode } from '../../store/fs-files.ts';
import type { TrainingState } from '../optimizers/training-state.ts';

const SAVED_REGIONS = ['parameters', 'firstMoments', 'secondMoments'] as const;

/** Whole tensors that lie one after the other in a region: one blob of a checkpoint. */
export interface StateSegment {
  /** Name in the checkpoint's manifest. */
  readonly path: string;
  /** Their elements, in place. */
  readonly data: Float32Array;
}

/** Segments end at the first tensor that reaches it; a larger tensor is a segment of its own. */
const SEGMENT_ELEMENTS = 1 << 23;
const PIECE_BYTES = 1 << 24;

/** Everything of a state that a checkpoint keeps, in pieces of tens of megabytes. */
export function stateSegments(state: TrainingState): readonly StateSegment[] {
  return SAVED_REGIONS.flatMap((region) =>
    state.shards.flatMap((shard, index) => {
      const starts = [0];
      for (const tensor of state.tensors) {
        if (tensor.shard !== index) continue;
        const end = tensor.offset + tensor.length;
        if (end - (starts.at(-1) ?? 0) >= SEGMENT_ELEMENTS) starts.push(end);
      }
      return starts
        .filter((start) => start < shard.elements)
        .map((start, i) => ({
          path: `${region}/${index}/${String(i).padStart(4, '0')}`,
          data: new Float32Array(
            shard.memory.buffer,
            shard.regions[region] + start * Float32Array.BYTES_PER_ELEMENT,
            (starts[i + 1] ?? shard.elements) - start,
          ),
        }));
    }),
  );
}

/** Digest of the tensors and their places: equal layouts have equal segments. */
export function layoutDigest(state: TrainingState): string {
  const places = state.tensors.map(({ name, shape, shard, offset }) => [
    name,
    shape,
    shard,
    offset,
  ]);
  return createHash('sha256').update(JSON.stringify(places)).digest('hex');
}

/**
 * First bytes of a segment's file. It names the training, so that no other training's checkpoint
 * shares its blobs: pruning one training's checkpoints leaves all others whole.
 */
function segmentHeader(key: string): Uint8Array {
  const digest = createHash('sha256').update(key).digest('hex');
  return Buffer.from(`retune checkpoint segment, training ${digest}\n`.padEnd(128, ' '));
}

/** Copies a segment to a new file, without more memory. @throws DiskFull */
export async function writeSegment(
  path: string,
  key: string,
  segment: StateSegment,
): Promise<void> {
  try {
    const file = await open(path, 'wx');
    try {
      await writeAll(file, segmentHeader(key));
      const { buffer, byteOffset, byteLength } = segment.data;
      for (let start = 0; start < byteLength; start += PIECE_BYTES) {
        const length = Math.min(PIECE_BYTES, byteLength - start);
        await writeAll(file, new Uint8Array(buffer, byteOffset + start, length));
      }
    } finally {
      await file.close();
    }
  } catch (error) {
    throw diskFailure(error, path);
  }
}

/**
 * Reads a segment's file back into its place.
 * @throws CorruptArtifact when it is not one, NotFound when it is gone
 */
export async function readSegment(path: string, key: string, segment: StateSegment): Promise<void> {
  const file = await openSegment(path, segment);
  try {
    const expected = segmentHeader(key);
    const header = new Uint8Array(expected.byteLength);
    await readAll(file, header, 0);
    const { size } = await file.stat();
    const isWhole = size === expected.byteLength + segment.data.byteLength;
    if (!isWhole || Buffer.compare(header, expected) !== 0) {
      throw new Failure('CorruptArtifact', `${path} is not the segment ${segment.path}`);
    }
    const { buffer, byteOffset, byteLength } = segment.data;
    for (let start = 0; start < byteLength; start += PIECE_BYTES) {
      const length = Math.min(PIECE_BYTES, byteLength - start);
      const piece = new Uint8Array(buffer, byteOffset + start, length);
      await readAll(file, piece, expected.byteLength + start);
    }
  } finally {
    await file.close();
  }
}

async function openSegment(path: string, segment: StateSegment): Promise<FileHandle> {
  try {
    return await open(path, 'r');
  } catch (cause) {
    if (errorCode(cause) !== 'ENOENT') throw cause;
    throw new Failure('NotFound', `${path}, the segment ${segment.path}, was deleted`, { cause });
  }
}

async function writeAll(file: FileHandle, bytes: Uint8Array): Promise<void> {
  for (let done = 0; done < bytes.byteLength;) {
    done += (await file.write(bytes, done)).bytesWritten;
  }
}

/** Fills `target`; a file that ends before leaves the rest as it was. */
async function readAll(file: FileHandle, target: Uint8Array, position: number): Promise<void> {
  for (let done = 0; done < target.byteLength;) {
    const rest = { offset: done, length: target.byteLength - done, position: position + done };
    const { bytesRead } = await file.read(target, rest);
    if (bytesRead === 0) return;
    done += bytesRead;
  }
}
