import type { KernelCall, KernelPool } from './kernel-pool.ts';
import { ELEMENT_ALIGNMENT, type StateShard, type TrainingState } from './training-state.ts';

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
export interface DecaySpan {
  readonly start: number;
  readonly end: number;
  readonly isDecayed: boolean;
}

/** Updates elements one by one: `callOf` is asked for each thread's part of each span. */
export async function updateElements(
  pool: KernelPool,
  state: TrainingState,
  callOf: (part: Part, isDecayed: boolean) => KernelCall,
): Promise<void> {
  const spans = state.shards.map((shard, index) => decaySpans(state, index, shard.elements));
  await runParts(pool, state, ELEMENT_ALIGNMENT, ({ shard, index, start, end }) =>
    (spans[index] ?? []).flatMap((span): readonly KernelCall[] => {
      const part = {
        ...{ shard, index },
        start: Math.max(start, span.start),
        end: Math.min(end, span.end),
      };
      return part.start < part.end ? [callOf(part, span.isDecayed)] : [];
    }),
  );
}

/** A shard's elements as runs of tensors with the same decay. */
function decaySpans(state: TrainingState, shard: number, elements: number): readonly DecaySpan[] {
  const spans: DecaySpan[] = [];
  const tensors = state.tensors.filter((tensor) => tensor.shard === shard);
  for (const [i, { offset: start, isDecayed }] of tensors.entries()) {
    const span = { start, end: tensors[i + 1]?.offset ?? elements, isDecayed };
    const last = spans.at(-1);
    if (last?.isDecayed === isDecayed) spans[spans.length - 1] = { ...last, end: span.end };
    else spans.push(span);
  }
  return spans;
}
