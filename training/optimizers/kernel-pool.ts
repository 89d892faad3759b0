import { readFile } from 'node:fs/promises';
import { Worker } from 'node:worker_threads';
import wabt from 'wabt';

const SOURCES = ['kernels.wat', 'adafactor.wat', 'adafactor-vectors.wat'] as const;

/** An export of one of the sources. */
type Kernel =
  | 'accumulate'
  | 'square_sum'
  | 'square_sum_rows'
  | 'adamw'
  | 'adamw_rows'
  | 'sgd'
  | 'sgd_momentum'
  | 'adafactor_rows'
  | 'adafactor_columns'
  | 'adafactor_squares'
  | 'adafactor_apply'
  | 'adafactor_vector'
  | 'adafactor_apply_vector';

/** One call of a kernel on one shard's memory. */
export interface KernelCall {
  readonly shard: number;
  readonly kernel: Kernel;
  /** Byte offsets and counts as unsigned, scalars as float32. */
  readonly args: readonly number[];
}

/** Threads that run kernels on shared memories, off the event loop. */
export interface KernelPool {
  readonly threads: number;
  /** Runs one list of calls a thread, all at once. One batch at a time. */
  run(batch: readonly (readonly KernelCall[])[]): Promise<void>;
  close(): Promise<void>;
}

let compiled: Promise<readonly WebAssembly.Module[]> | undefined;

/** The sources as modules, compiled once a process. */
function kernels(): Promise<readonly WebAssembly.Module[]> {
  return (compiled ??= Promise.all(SOURCES.map(compileKernels)));
}

async function compileKernels(name: string): Promise<WebAssembly.Module> {
  const [assembler, source] = await Promise.all([
    wabt(),
    readFile(new URL(`./${name}`, import.meta.url), 'utf8'),
  ]);
  const features = { simd: true, threads: true, bulk_memory: true };
  const parsed = assembler.parseWat(name, source, features);
  try {
    return new WebAssembly.Module(parsed.toBinary({}).buffer);
  } finally {
    parsed.destroy();
  }
}

/** Starts `threads` threads over the memories. */
export async function openKernelPool(
  memories: readonly WebAssembly.Memory[],
  threads: number,
): Promise<KernelPool> {
  const modules = await kernels();
  const workers = Array.from(
    { length: threads },
    () =>
      new Worker(new URL('./kernel-worker.mjs', import.meta.url), {
        workerData: { modules, memories },
        execArgv: [],
      }),
  );
  return {
    threads,
    run: async (batch) => {
      await Promise.all(
        workers.flatMap((worker, thread) => {
          const calls = batch[thread] ?? [];
          return calls.length === 0 ? [] : [runCalls(worker, calls)];
        }),
      );
    },
    close: async () => {
      await Promise.all(workers.map((worker) => worker.terminate()));
    },
  };
}

function runCalls(worker: Worker, calls: readonly KernelCall[]): Promise<void> {
  return new Promise((resolve, reject) => {
    const end = (error?: Error): void => {
      worker.off('message', onMessage);
      worker.off('error', end);
      worker.off('exit', onExit);
      if (error === undefined) resolve();
      else reject(error);
    };
    const onMessage = (): void => end();
    const onExit = (code: number): void =>
      end(new Error(`internal: a kernel thread ended with code ${code}`));
    worker.on('message', onMessage);
    worker.on('error', end);
    worker.on('exit', onExit);
    worker.postMessage(calls);
  });
}
