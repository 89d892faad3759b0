import type { KernelCall, KernelPool } from './kernel-pool.ts';
import {
  ELEMENT_ALIGNMENT,
  type StateShard,
  type StateTensor,
  type TrainingState,
} from './training-state.ts';

/** A thread's part of a shard: elements from `start` to before `end`. */
export interface Part {
  readonly shard: StateShard;
  readonly index: number;
  readonly start: number;
  readonly end: number;
}

/** Shares every shard out in equal parts, at multiples of `unit` elements, and runs their calls. */
export async function runParts(
  pool: KernelPool,
  state: TrainingState,
  unit: number,
  callsOf: (part: Part) => readonly KernelCall[],
): Promise<void> {
  const batch = Array.from({ length: pool.threads }, (_, thread) =>
    state.shards.flatMap((shard, index) => {
      const bound = (part: number): number =>
        Math.min(Math.round((part * shard.elements) / pool.threads / unit) * unit, shard.elements);
      const end = thread === pool.threads - 1 ? shard.elements : bound(thread + 1);
      return callsOf({ shard, index, start: bound(thread), end });
    }),
  );
  await pool.run(batch);
}

/** A call that no other of its batch depends on. */
export interface KernelTask {
  readonly call: KernelCall;
  /** Elements that it reads: its share of the work. */
  readonly cost: number;
}

/** Runs tasks in any order, the work shared out among the threads. */
export async function runTasks(pool: KernelPool, tasks: readonly KernelTask[]): Promise<void> {
  const total = tasks.reduce((sum, { cost }) => sum + cost, 0);
  const batch: KernelCall[][] = Array.from({ length: pool.threads }, () => []);
  let done = 0;
  for (const { call, cost } of tasks) {
    const middle = (done + cost / 2) / total;
    batch[Math.min(pool.threads - 1, Math.floor(middle * pool.threads))]?.push(call);
    done += cost;
  }
  await pool.run(batch);
}

/** A shard's elements from `start` to before `end`, all decayed or none, padding included. */
interface Span {
  readonly start: number;
  readonly end: number;
  readonly isDecayed: boolean;
  /** With live rows: the span's only tensor. */
  readonly tensor?: StateTensor;
}

/** What one call updates: part of a span, whole rows where there are live ones. */
export interface Piece extends Part, Span {}

/** About how many elements one call updates. */
const PIECE_ELEMENTS = 2 ** 18;

/** Updates elements one by one, in pieces that the threads share by their cost. */
export async function updateElements(
  pool: KernelPool,
  state: TrainingState,
  taskOf: (piece: Piece) => KernelTask,
): Promise<void> {
  const pieces = state.shards.flatMap((shard, index) =>
    spansOf(state, index, shard.elements).flatMap((span) =>
      piecesOf(span).map((piece) => ({ ...piece, shard, index })),
    ),
  );
  await runTasks(pool, pieces.map(taskOf));
}

function piecesOf(span: Span): readonly Span[] {
  const { start, end, tensor } = span;
  const unit = tensor === undefined ? ELEMENT_ALIGNMENT : (tensor.shape[1] ?? 1);
  const size = unit * Math.ceil(PIECE_ELEMENTS / unit);
  return Array.from({ length: Math.ceil((end - start) / size) }, (_, i) => ({
    ...span,
    start: start + i * size,
    end: Math.min(end, start + (i + 1) * size),
  }));
}

/** A shard's elements as runs of tensors with the same decay, and tensors with live rows. */
function spansOf(state: TrainingState, shard: number, elements: number): readonly Span[] {
  const spans: Span[] = [];
  const tensors = state.tensors.filter((tensor) => tensor.shard === shard);
  for (const [i, tensor] of tensors.entries()) {
    const { offset: start, isDecayed } = tensor;
    const end = tensors[i + 1]?.offset ?? elements;
    const last = spans.at(-1);
    if (tensor.hasLiveRows) {
      spans.push({ start, end: start + tensor.length, isDecayed, tensor });
    } else if (last?.isDecayed === isDecayed && last.tensor === undefined) {
      spans[spans.length - 1] = { ...last, end };
    } else spans.push({ start, end, isDecayed });
  }
  return spans;
}
