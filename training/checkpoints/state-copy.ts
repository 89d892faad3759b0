import { setImmediate as nextTurn } from 'node:timers/promises';
import { Failure } from '../../plan/failures.ts';
import { PIECE_BYTES, segmentHeader, segmentPieces, type StateSegment } from './state-segments.ts';

/**
 * One copy in memory of what a checkpoint keeps of a state: each segment as the bytes of its blob.
 * Its memory is used again by every copy.
 */
export class StateCopy {
  readonly #segments: readonly StateSegment[];
  readonly #header: Uint8Array;
  #prepared: Promise<void> | undefined;
  #blobs: readonly Uint8Array[] = [];

  constructor(segments: readonly StateSegment[], key: string) {
    this.#segments = segments;
    this.#header = segmentHeader(key);
  }

  /**
   * Has the system provide the memory, which for gigabytes takes longer than a copy does, a few
   * megabytes at a time between other work of the event loop.
   */
  prepare(): void {
    this.#prepared ??= this.#touch();
    // The next copy gets the error.
    this.#prepared.catch(() => undefined);
  }

  /**
   * Copies the state as it is, a few megabytes at a time between other work of the event loop.
   * Nothing may change the state, nor read the copy, meanwhile. @throws OutOfMemory
   */
  async take(): Promise<void> {
    this.prepare();
    await this.#prepared;
    for (const [index, segment] of this.#segments.entries()) {
      let position = this.#header.byteLength;
      for (const piece of segmentPieces(segment)) {
        this.blob(index).set(piece, position);
        position += piece.byteLength;
        await nextTurn();
      }
    }
  }

  /** Bytes of a segment as of the last copy. */
  blob(index: number): Uint8Array {
    const blob = this.#blobs[index];
    if (blob === undefined) throw new Error(`internal: no copy of segment ${index}`);
    return blob;
  }

  async #touch(): Promise<void> {
    this.#blobs = this.#allocate();
    for (const blob of this.#blobs) {
      for (let start = 0; start < blob.byteLength; start += PIECE_BYTES) {
        blob.subarray(start, start + PIECE_BYTES).fill(0);
        await nextTurn();
      }
      blob.set(this.#header);
    }
  }

  #allocate(): readonly Uint8Array[] {
    const bytesOf = ({ elements }: StateSegment): number =>
      this.#header.byteLength + elements * Float32Array.BYTES_PER_ELEMENT;
    try {
      return this.#segments.map((segment) => new Uint8Array(bytesOf(segment)));
    } catch (cause) {
      const bytes = this.#segments.reduce((sum, segment) => sum + bytesOf(segment), 0);
      throw new Failure(
        'OutOfMemory',
        `a checkpoint needs ${(bytes / 2 ** 30).toFixed(1)} GiB beside the training, and the system ` +
          'refused them; use a worker with more memory or a smaller model',
        { cause },
      );
    }
  }
}
