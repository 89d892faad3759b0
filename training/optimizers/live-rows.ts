import { setImmediate as nextTurn } from 'node:timers/promises';
import type { StateTensor, TrainingState } from './training-state.ts';

// A row of an embedding table is live once a step has read it. Until then its gradients and moments
// are 0, and an update of AdamW would leave all three as they are, weight decay aside: m and v stay
// 0, and p + (step × 0) / (√0 / root + ε) = p, bit for bit. So only live rows are updated.

/** Elements that are looked through between other work of the event loop. */
const PIECE = 2 ** 21;

/** A byte for each row of a sparse tensor, not 0 for live ones; undefined where none are kept. */
export function liveRows(state: TrainingState, tensor: StateTensor): Uint8Array | undefined {
  const shard = state.shards[tensor.shard];
  if (!tensor.hasLiveRows || shard === undefined) return undefined;
  return new Uint8Array(shard.memory.buffer, tensor.scratch, tensor.shape[0]);
}

/** Finds the live rows from the moments, after these were filled. */
export async function findLiveRows(state: TrainingState): Promise<void> {
  for (const tensor of state.tensors) {
    const live = liveRows(state, tensor);
    if (live === undefined) continue;
    const columns = tensor.length / live.length;
    const moments = (['firstMoments', 'secondMoments'] as const).map((region) => {
      const { buffer, byteOffset, length } = state.view(region, tensor);
      // As bits: a moment of −0 is that of a live row.
      return new Uint32Array(buffer, byteOffset, length);
    });
    for (let row = 0; row < live.length; row++) {
      const [start, end] = [row * columns, (row + 1) * columns];
      live[row] = Number(moments.some((bits) => hasAny(bits, start, end)));
      if (row % Math.ceil(PIECE / columns) === 0) await nextTurn();
    }
  }
}

function hasAny(bits: Uint32Array, start: number, end: number): boolean {
  for (let i = start; i < end; i++) if (bits[i] !== 0) return true;
  return false;
}
