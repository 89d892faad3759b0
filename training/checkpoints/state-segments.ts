import { createHash } from 'node:crypto';
import { open, type FileHandle } from 'node:fs/promises';
import { Failure } from '../../plan/failures.ts';
import { errorCode } from '../../store/fs-files.ts';
import { SAVED_REGIONS, type TrainingState } from '../optimizers/training-state.ts';

/** One blob of a checkpoint: a tensor's part of a region or a piece of it, or several small ones. */
export interface StateSegment {
  /** Name in the checkpoint's manifest; it begins with the region. */
  readonly path: string;
  /** Their elements, in place, one part after the other. */
  readonly parts: readonly Float32Array[];
  readonly elements: number;
}

/** Shorter tensors share segments: a segment costs files and file syncs. */
const OWN_SEGMENT_ELEMENTS = 1 << 18;
/** 16 MiB: what is hashed at once keeps the event loop waiting. */
const SEGMENT_ELEMENTS = 1 << 22;
/** What is copied or read at once. */
export const PIECE_BYTES = 1 << 22;

/** Everything of a state that a checkpoint keeps. A large tensor that did not change costs nothing. */
export function stateSegments(state: TrainingState): readonly StateSegment[] {
  return SAVED_REGIONS.flatMap((region) => {
    const views = state.tensors.map((tensor) => state.view(region, tensor));
    const own = views.flatMap((view, tensor) =>
      view.length < OWN_SEGMENT_ELEMENTS
        ? []
        : piecesOf(view).map((piece, index) =>
            segment(`${region}/${padded(tensor)}-${padded(index)}`, [piece]),
          ),
    );
    const small = views.filter(({ length }) => length > 0 && length < OWN_SEGMENT_ELEMENTS);
    const shared = groupsOf(small).map((group, index) =>
      segment(`${region}/small-${padded(index)}`, group),
    );
    return [...own, ...shared];
  });
}

function piecesOf(view: Float32Array): readonly Float32Array[] {
  return Array.from({ length: Math.ceil(view.length / SEGMENT_ELEMENTS) }, (_, index) =>
    view.subarray(index * SEGMENT_ELEMENTS, (index + 1) * SEGMENT_ELEMENTS),
  );
}

/** Consecutive views, as many to a group as SEGMENT_ELEMENTS hold. */
function groupsOf(views: readonly Float32Array[]): readonly (readonly Float32Array[])[] {
  const groups: Float32Array[][] = [];
  let elements = SEGMENT_ELEMENTS;
  for (const view of views) {
    if (elements + view.length > SEGMENT_ELEMENTS) {
      groups.push([]);
      elements = 0;
    }
    groups.at(-1)?.push(view);
    elements += view.length;
  }
  return groups;
}

function segment(path: string, parts: readonly Float32Array[]): StateSegment {
  return { path, parts, elements: parts.reduce((sum, { length }) => sum + length, 0) };
}

function padded(index: number): string {
  return String(index).padStart(4, '0');
}

/** Digest of the optimizer, the tensors and their segments: states of equal layouts fit each other. */
export function layoutDigest(state: TrainingState): string {
  const tensors = state.tensors.map(({ name, shape }) => [name, shape]);
  const segments = stateSegments(state).map(({ path, elements }) => [path, elements]);
  const layout = JSON.stringify([state.optimizer, tensors, segments]);
  return createHash('sha256').update(layout).digest('hex');
}

/**
 * First bytes of a segment's blob. It names the training, so that no other training's checkpoint
 * shares its blobs: pruning one training's checkpoints leaves all others whole.
 */
export function segmentHeader(key: string): Uint8Array {
  const digest = createHash('sha256').update(key).digest('hex');
  return Buffer.from(`retune checkpoint segment, training ${digest}\n`.padEnd(128, ' '));
}

/** A segment's elements as bytes, in order, a few at a time. */
export function* segmentPieces({ parts }: StateSegment): Generator<Uint8Array> {
  for (const { buffer, byteOffset, byteLength } of parts) {
    for (let start = 0; start < byteLength; start += PIECE_BYTES) {
      const length = Math.min(PIECE_BYTES, byteLength - start);
      yield new Uint8Array(buffer, byteOffset + start, length);
    }
  }
}

/**
 * Reads the local file of a segment's blob back into its place.
 * @throws CorruptArtifact when it is not one, NotFound when it is gone
 */
export async function readSegment(path: string, key: string, segment: StateSegment): Promise<void> {
  const file = await openSegment(path, segment);
  try {
    const expected = segmentHeader(key);
    const header = new Uint8Array(expected.byteLength);
    await readAll(file, header, 0);
    const { size } = await file.stat();
    const bytes = segment.elements * Float32Array.BYTES_PER_ELEMENT;
    const isWhole = size === expected.byteLength + bytes;
    if (!isWhole || Buffer.compare(header, expected) !== 0) {
      throw new Failure('CorruptArtifact', `${path} is not the segment ${segment.path}`);
    }
    let position = expected.byteLength;
    for (const piece of segmentPieces(segment)) {
      await readAll(file, piece, position);
      position += piece.byteLength;
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

/** Fills `target`; a file that ends before leaves the rest as it was. */
async function readAll(file: FileHandle, target: Uint8Array, position: number): Promise<void> {
  for (let done = 0; done < target.byteLength;) {
    const rest = { offset: done, length: target.byteLength - done, position: position + done };
    const { bytesRead } = await file.read(target, rest);
    if (bytesRead === 0) return;
    done += bytesRead;
  }
}
