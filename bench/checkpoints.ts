/**
 * What checkpoints of GPT-2 124M cost: how long training stalls, what it loses of its speed, and the
 * bytes that are written. Beside it: checkpoints.md, which it writes.
 *
 *     node --import tsx bench/checkpoints.ts
 *
 * The state is real (124.4M parameters, two moments, AdamW), the passes are not: each step streams
 * the gradients three times and computes on both cores for about as long as a pass over 1×64 tokens,
 * then waits for the copy and updates. Steps with a checkpoint under way are compared with those
 * just before, by the clock and by the processor time of the process: the latter hardly depends on
 * other work of the machine.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { availableParallelism, cpus, loadavg, tmpdir, totalmem } from 'node:os';
import { join } from 'node:path';
import { readManifest } from '../store/artifacts.ts';
import { openStore } from '../store/open.ts';
import type { Store } from '../store/store.ts';
import { listCheckpoints } from '../training/checkpoints/checkpoint-store.ts';
import { Checkpointer } from '../training/checkpoints/checkpointer.ts';
import { stateSegments } from '../training/checkpoints/state-segments.ts';
import { openKernelPool, type KernelPool } from '../training/optimizers/kernel-pool.ts';
import type { OptimizerOptions } from '../training/optimizers/optimizer-options.ts';
import { openOptimizer, type Optimizer } from '../training/optimizers/optimizer.ts';
import {
  allocateTrainingState,
  type StateTensorSpec,
  type TrainingState,
} from '../training/optimizers/training-state.ts';
import { startProgress, type TrainingProgress } from '../training/training-progress.ts';

const ROUNDS = 5;
const PLAIN_STEPS = 8;
const PASS_MS = 320;
const CADENCE_SECONDS = 120;
const KEY = 'bench';
const PLATFORM = { library: 'none', provider: 'cpu', instructionSet: 'none' } as const;
const THREADS = Math.min(2, availableParallelism());

const LAYER: Readonly<Record<string, readonly number[]>> = {
  'ln_1.weight': [768],
  'ln_1.bias': [768],
  'attn.c_attn.weight': [768, 2304],
  'attn.c_attn.bias': [2304],
  'attn.c_proj.weight': [768, 768],
  'attn.c_proj.bias': [768],
  'ln_2.weight': [768],
  'ln_2.bias': [768],
  'mlp.c_fc.weight': [768, 3072],
  'mlp.c_fc.bias': [3072],
  'mlp.c_proj.weight': [3072, 768],
  'mlp.c_proj.bias': [768],
};

function gpt2(): readonly StateTensorSpec[] {
  const layers = Array.from({ length: 12 }, (_, layer) =>
    Object.entries(LAYER).map(([name, shape]) => [`h.${layer}.${name}`, shape] as const),
  );
  const all: (readonly [string, readonly number[]])[] = [
    ['wte.weight', [50257, 768]],
    ['wpe.weight', [1024, 768]],
    ...layers.flat(),
    ['ln_f.weight', [768]],
    ['ln_f.bias', [768]],
  ];
  return all.map(([name, shape]) => ({ name, shape, isDecayed: shape.length > 1 }));
}

interface Training {
  readonly state: TrainingState;
  readonly optimizer: Optimizer;
  readonly pool: KernelPool;
  readonly checkpointer: Checkpointer;
  readonly progress: TrainingProgress;
  readonly publishedSeconds: number[];
  /** Calls of a kernel that take PASS_MS. */
  readonly passCalls: number;
}

async function openTraining(store: Store, options: OptimizerOptions): Promise<Training> {
  const state = allocateTrainingState(gpt2(), options);
  for (const tensor of state.tensors) {
    for (const region of ['parameters', 'gradients'] as const) {
      const view = state.view(region, tensor);
      for (let i = 0; i < view.length; i++) view[i] = Math.imul(i + 1, 0x9e3779b1) / 2 ** 36;
    }
  }
  const pool = await openKernelPool(
    state.shards.map(({ memory }) => memory),
    THREADS,
  );
  const publishedSeconds: number[] = [];
  const checkpointer = new Checkpointer(
    { store, key: KEY, everySeconds: CADENCE_SECONDS },
    state,
    PLATFORM,
    (event) => event.kind === 'published' && publishedSeconds.push(event.seconds),
  );
  // As a training begins: from here on memory for the copy is made ready.
  await checkpointer.restore();
  const opened = {
    ...{ state, pool, checkpointer, publishedSeconds },
    optimizer: await openOptimizer(state, options, THREADS),
    progress: startProgress([]),
  };
  await compute(opened, 200);
  const times: number[] = [];
  for (let i = 0; i < 7; i++) times.push(await timed(() => compute(opened, 200)));
  return { ...opened, passCalls: Math.round((200 * PASS_MS) / Math.min(...times)) };
}

/** The same work every time: `calls` sums of squares over a megabyte on each thread. */
function compute({ state, pool }: Pick<Training, 'state' | 'pool'>, calls: number): Promise<void> {
  const gradients = state.shards[0]?.regions.gradients ?? 0;
  const batch = Array.from({ length: THREADS }, (_, thread) => {
    const args = [gradients + (thread << 20), 1 << 18, 8 * thread];
    return Array.from({ length: calls }, () => ({ shard: 0, kernel: 'square_sum', args }) as const);
  });
  return pool.run(batch);
}

/** One step. @returns milliseconds that it waited for the copy */
async function step(training: Training): Promise<number> {
  const { optimizer, checkpointer, progress, passCalls } = training;
  await compute(training, passCalls);
  for (let pass = 0; pass < 3; pass++) await optimizer.gradientNorm();
  const stalled = await timed(() => checkpointer.copied());
  progress.step += 1;
  await optimizer.update({ step: progress.step, learningRate: 1e-5, gradientScale: 1 });
  return stalled;
}

interface Round {
  readonly load: number;
  readonly plainStepMs: number;
  /** Of all threads. */
  readonly processorMs: number;
  readonly stallMs: number;
  readonly publishSeconds: number;
  readonly stepsMeanwhile: number;
  readonly lostMs: number;
}

/** Steps without a checkpoint, then steps from the beginning of one to its publication. */
async function round(training: Training): Promise<Round> {
  const { checkpointer, progress, publishedSeconds } = training;
  const load = loadavg()[0] ?? 0;
  const plain: number[] = [];
  const start = processorMs();
  for (let i = 0; i < PLAIN_STEPS; i++) plain.push(await timed(() => step(training)));
  const plainStepMs = median(plain);
  const middle = processorMs();
  const before = publishedSeconds.length;
  const begun = performance.now();
  await checkpointer.begin(progress);
  let stallMs = performance.now() - begun;
  let steps = 0;
  do {
    stallMs += await step(training);
    steps += 1;
  } while (publishedSeconds.length === before);
  const lostMs = performance.now() - begun - steps * plainStepMs;
  const publishSeconds = publishedSeconds.at(-1) ?? NaN;
  const ofSteps = ((middle - start) * steps) / PLAIN_STEPS;
  return {
    ...{ load, plainStepMs, stallMs, publishSeconds, stepsMeanwhile: steps, lostMs },
    processorMs: processorMs() - middle - ofSteps,
  };
}

function processorMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

/** Bytes of the newest checkpoint, and those of them that the one before does not share. */
async function bytesWritten(store: Store): Promise<{ total: number; written: number }> {
  const known = await listCheckpoints(store, KEY);
  const [newest, older] = await Promise.all(
    known.map(async ({ manifest }) => (await readManifest(store, manifest)).files),
  );
  const shared = new Set(older?.map(({ digest }) => digest));
  const sum = (files: NonNullable<typeof newest>): number =>
    files.reduce((total, { size }) => total + size, 0);
  const files = newest ?? [];
  return { total: sum(files), written: sum(files.filter(({ digest }) => !shared.has(digest))) };
}

/** Fine-tunes the last two of twelve layers, by gradient descent: two checkpoints. */
async function partial(store: Store): Promise<{ total: number; written: number }> {
  const options = {
    kind: 'sgd',
    weightDecay: 0,
    momentum: 0,
    dampening: 0,
    nesterov: false,
  } as const;
  const training = await openTraining(store, options);
  for (const tensor of training.state.tensors) {
    if (!/^h\.1[01]\./.test(tensor.name)) training.state.view('gradients', tensor).fill(0);
  }
  for (let i = 0; i < 2; i++) {
    await step(training);
    await training.checkpointer.begin(training.progress);
    await training.checkpointer.finish();
  }
  await close(training);
  return bytesWritten(store);
}

async function close({ optimizer, pool }: Training): Promise<void> {
  await Promise.all([optimizer.close(), pool.close()]);
}

async function timed(act: () => Promise<unknown>): Promise<number> {
  const begun = performance.now();
  await act();
  return performance.now() - begun;
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? NaN;
}

async function inTemporaryStore<T>(use: (store: Store) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), 'retune-bench-'));
  try {
    return await use(await openStore(`file:${folder}/store`));
  } finally {
    await rm(folder, { recursive: true });
  }
}

const megabytes = (bytes: number): string => (bytes / 1e6).toFixed(1);

const result = await inTemporaryStore(async (store) => {
  const options = {
    kind: 'adamw',
    beta1: 0.9,
    beta2: 0.999,
    epsilon: 1e-8,
    weightDecay: 0,
  } as const;
  const training = await openTraining(store, options);
  const rounds: Round[] = [];
  for (let i = 0; i < ROUNDS; i++) {
    rounds.push(await round(training));
  }
  const blobs = stateSegments(training.state).length;
  await close(training);
  return { rounds, blobs, all: await bytesWritten(store) };
});
const some = await inTemporaryStore(partial);

const { rounds, blobs, all } = result;
const stalls = rounds.map(({ stallMs }) => stallMs);
const lostMs = median(rounds.map((measured) => measured.lostMs));
const usedMs = median(rounds.map((measured) => measured.processorMs));
const percent = (ms: number): string => `${((ms / 1000 / CADENCE_SECONDS) * 100).toFixed(2)} %`;
const isBusy = rounds.some(({ load }) => load > 2 * THREADS);
const BUSY = `

**Not a valid measurement of times: the machine had much other work (see load). Run it again when it is idle.**`;
const machine = [
  `${cpus().length} × ${cpus()[0]?.model ?? 'unknown processor'}`,
  `${(totalmem() / 2 ** 30).toFixed(0)} GiB`,
  `Node ${process.version}`,
  new Date().toISOString().slice(0, 10),
].join(', ');
const rows = rounds.map((measured, i) => [
  ...[String(i + 1), measured.load.toFixed(1), `${measured.plainStepMs.toFixed(0)} ms`],
  ...[`${measured.stallMs.toFixed(0)} ms`, `${measured.publishSeconds.toFixed(1)} s`],
  ...[String(measured.stepsMeanwhile), `${measured.lostMs.toFixed(0)} ms`],
  `${measured.processorMs.toFixed(0)} ms`,
]);
const published = median(rounds.map(({ publishSeconds }) => publishSeconds));
const report = `# Checkpoints of GPT-2 124M

Written by [checkpoints.ts](checkpoints.ts): 124.4M parameters with both moments of AdamW in ${blobs} blobs, ${ROUNDS}
checkpoints, on ${THREADS} threads.${isBusy ? BUSY : ''}

| claim | measured |
| --- | --- |
| stall of the training, median and longest | ${median(stalls).toFixed(0)} ms, ${Math.max(...stalls).toFixed(0)} ms |
| from its beginning to its publication, median | ${published.toFixed(1)} s |
| time that training loses by one, stall included, median | ${lostMs.toFixed(0)} ms: ${percent(lostMs)} at one every ${CADENCE_SECONDS} s |
| processor time of one, all threads, median | ${usedMs.toFixed(0)} ms: ${percent(usedMs / THREADS)} of ${THREADS} cores at one every ${CADENCE_SECONDS} s |
| bytes written when every tensor changed | ${megabytes(all.written)} of ${megabytes(all.total)} MB |
| bytes written when 2 of 12 layers changed, SGD | ${megabytes(some.written)} of ${megabytes(some.total)} MB |

| round | load before | step | stall | published after | steps meanwhile | lost | processor time |
| --- | --- | --- | --- | --- | --- | --- | --- |
${rows.map((row) => `| ${row.join(' | ')} |`).join('\n')}

Load counts everything on the machine; ${THREADS} of it are this script. Machine: ${machine}.
`;
await writeFile(new URL('checkpoints.md', import.meta.url), report);
console.log(report);
