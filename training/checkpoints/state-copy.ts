import { setImmediate as nextTurn } from 'node:timers/promises';
import { Failure } from '../../plan/failures.ts';
import { segmentHeader, segmentPieces, type StateSegment } from './state-segments.ts';

/**
 * One copy in memory of what a checkpoint keeps of a state: each segment as the bytes of its blob.
 * Its memory is used from the first copy on, and again by every later one.
 */
export class StateCopy {
  readonly #segments: readonly StateSegment[];
  readonly #header: Uint8Array;
  #blobs: readonly Uint8Array[] = [];

  constructor(segments: readonly StateSegment[], key: string) {
    this.#segments = segments;
    this.#header = segmentHeader(key);
  }

  /**
   * Copies the state as it is, a few megabytes at a time between other work of the event loop.
   * Nothing may change the state, nor read the copy, meanwhile. @throws OutOfMemory
   */
  async take(): Promise<void> {
    if (this.#blobs.length === 0) this.#blobs = this.#allocate();
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

  #allocate(): readonly Uint8Array[] {
    const bytesOf = ({ elements }: StateSegment): number =>
      this.#header.byteLength + elements * Float32Array.BYTES_PER_ELEMENT;
    try {
      return this.#segments.map((segment) => {
        const blob = new Uint8Array(bytesOf(segment));
        blob.set(this.#header);
        return blob;
      });
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
