import { readFile } from 'node:fs/promises';
import { Worker } from 'node:worker_threads';
import wabt from 'wabt';

/** One call of an export of kernels.wat on one shard's memory. */
export interface KernelCall {
  readonly shard: number;
  readonly kernel: 'adamw' | 'accumulate' | 'square_sum';
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

let compiled: Promise<WebAssembly.Module> | undefined;

/** kernels.wat as a module, compiled once a process. */
function kernels(): Promise<WebAssembly.Module> {
  return (compiled ??= compileKernels());
}

async function compileKernels(): Promise<WebAssembly.Module> {
  const [assembler, source] = await Promise.all([
    wabt(),
    readFile(new URL('./kernels.wat', import.meta.url), 'utf8'),
  ]);
  const parsed = assembler.parseWat('kernels.wat', source, { simd: true, threads: true });
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
  const module = await kernels();
  const workers = Array.from(
    { length: threads },
    () =>
      new Worker(new URL('./kernel-worker.mjs', import.meta.url), {
        workerData: { module, memories },
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
