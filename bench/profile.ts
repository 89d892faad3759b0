// Where the time of a training step goes: by operator, and beside what matrix products alone allow.
//
//   node setup/exec.mjs bench/profile.ts [--model gpt2|all-MiniLM-L6-v2] [--batch 8] [--steps 20]
//
// Real tweets, config dropout. The ceiling is the fastest of a few large products, by the same
// library on the same threads. ONNX Runtime's own profiler slows a step down a little: times of
// whole steps are taken without it.
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { Graph } from '../training/graph/graph.ts';
import { toOnnx } from '../training/graph/onnx-file.ts';
import * as ops from '../training/graph/ops.ts';
import { defineModel } from '../training/model.ts';
import { PACKING } from '../training/packing.ts';
import { initializeTensor } from '../training/random/weight-initialization.ts';
import { loadRuntime, type Runtime } from '../training/runtime/runtime.ts';
import { stepExamples } from '../training/step-examples.ts';
import { chooseTrainable } from '../training/trainable.ts';
import { openTrainingSession } from '../training/training-session.ts';
import { sharedFolder } from './environment.ts';
import { median } from './peers/turns.ts';
import { readRows, tokenizedRows } from './rows.ts';

const { values } = parseArgs({
  options: {
    model: { type: 'string', default: 'all-MiniLM-L6-v2' },
    batch: { type: 'string', default: '8' },
    steps: { type: 'string', default: '20' },
  },
});
const [batch, steps] = [Number(values.batch), Number(values.steps)];
const threads = availableParallelism();
const modelFolder = join(sharedFolder(), 'models', values.model);
const config = JSON.parse(await readFile(join(modelFolder, 'config.json'), 'utf8')) as object;
const padTokenId = values.model === 'gpt2' ? 50256 : 0;
const model = defineModel({ ...config, num_labels: 3, pad_token_id: padTokenId });
const rows = tokenizedRows(
  await readRows(join(sharedFolder(), 'data', 'tweets.jsonl'), modelFolder, 128),
);
const runtime = loadRuntime();
const folder = await mkdtemp(join(tmpdir(), 'retune-profile-'));

/** One kernel of a profile, as ONNX Runtime writes it. */
interface KernelEvent {
  readonly cat: string;
  readonly name: string;
  /** µs */
  readonly dur: number;
  readonly args: {
    readonly op_name?: string;
    readonly input_type_shape?: readonly { readonly [type: string]: readonly number[] }[];
    readonly output_type_shape?: readonly { readonly [type: string]: readonly number[] }[];
  };
}

/** Medians of a step's phases in ms, of `steps` steps after two. */
async function timeSteps(using: Runtime): Promise<{ readonly [phase: string]: number }> {
  const trainable = chooseTrainable(model, {});
  const session = await openTrainingSession({
    ...{ runtime: using, model, trainable, threads, labelSmoothing: 0, padTokenId },
    limits: PACKING,
    optimizer: { kind: 'adamw', beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0 },
  });
  for (const { name, initializer: rule } of trainable.parameters) {
    await initializeTensor({ seed: 1, name, rule, target: session.weights(name) });
  }
  const source = { rows, model, padTokenId, dropoutSeed: 1 };
  const taken: { [phase: string]: number[] } = { gradients: [], norm: [], update: [], step: [] };
  for (let step = 1; step <= steps + 2; step++) {
    const ids = Uint32Array.from({ length: batch }, (_, i) => (step * batch + i) % rows.ids.length);
    const times = [performance.now()];
    await session.computeGradients(stepExamples(source, [ids], 1));
    times.push(performance.now());
    const norm = await session.optimizer.gradientNorm();
    times.push(performance.now());
    const gradientScale = Math.min(1, 1 / (norm + 1e-6));
    await session.optimizer.update({ step, learningRate: 1e-5, gradientScale });
    times.push(performance.now());
    if (step <= 2) continue;
    const [begin = 0, computed = 0, normed = 0, updated = 0] = times;
    taken['gradients']?.push(computed - begin);
    taken['norm']?.push(normed - computed);
    taken['update']?.push(updated - normed);
    taken['step']?.push(updated - begin);
  }
  await session.close();
  return Object.fromEntries(Object.entries(taken).map(([phase, all]) => [phase, median(all)]));
}

/** GFLOP/s of products of [512,768] by [768,n]. */
async function ceiling(): Promise<number> {
  let best = 0;
  for (const n of [768, 2304, 3072]) {
    const graph = new Graph();
    const a = graph.input('a', 'float32', [512, 768]);
    const b = graph.input('b', 'float32', [768, n]);
    graph.output('y', ops.matMul(a, b));
    const session = runtime.createSession(toOnnx(graph), { threads });
    const tensor = (shape: readonly [number, number]) =>
      runtime.createTensor({
        ...{ elementType: 'float32' as const, shape },
        data: new Float32Array(shape[0] * shape[1]).fill(0.5),
      });
    const inputs = { a: tensor([512, 768]), b: tensor([768, n]) };
    const outputs = { y: tensor([512, n]) };
    for (let i = 0; i < 15; i++) {
      const begun = performance.now();
      await session.run(inputs, outputs);
      best = Math.max(best, (2 * 512 * 768 * n) / 1e6 / (performance.now() - begun));
    }
    session.release();
  }
  return best;
}

function shapesOf(list: KernelEvent['args']['input_type_shape']): readonly (readonly number[])[] {
  return (list ?? []).map((entry) => Object.values(entry)[0] ?? []);
}

/** Floating-point operations of a matrix product; 0 for any other. */
function flops({ args }: KernelEvent): number {
  if (!/MatMul|Gemm/.test(args.op_name ?? '')) return 0;
  const [a = []] = shapesOf(args.input_type_shape);
  const [y = []] = shapesOf(args.output_type_shape);
  const size = (shape: readonly number[]): number => shape.reduce((n, axis) => n * axis, 1);
  // a is [..., m, k] or its transpose, y is [..., m, n].
  const m = y.at(-2) ?? 1;
  const isPlain = a.at(-2) === m;
  return 2 * size(y) * ((isPlain ? a.at(-1) : a.at(-2)) ?? 1);
}

const times = await timeSteps(runtime);
const peak = await ceiling();
const profiled: Runtime = {
  ...runtime,
  createSession: (onnx, options) =>
    runtime.createSession(onnx, { ...options, profile: join(folder, 'profile') }),
};
await timeSteps(profiled);
const [file = ''] = await readdir(folder);
const events = JSON.parse(await readFile(join(folder, file), 'utf8')) as readonly KernelEvent[];
await rm(folder, { recursive: true });
const kernels = events.filter(({ cat, name }) => cat === 'Node' && name.endsWith('_kernel_time'));
const byOp = new Map<string, KernelEvent[]>();
for (const kernel of kernels) {
  const op = kernel.args.op_name ?? '?';
  byOp.set(op, [...(byOp.get(op) ?? []), kernel]);
}
const total = kernels.reduce((sum, { dur }) => sum + dur, 0);
console.log(
  `${values.model}, effective batch ${batch}, ${threads} threads: step ` +
    `${times['step']?.toFixed(1)} ms = gradients ${times['gradients']?.toFixed(1)} + norm ` +
    `${times['norm']?.toFixed(1)} + update ${times['update']?.toFixed(1)}; the ceiling of products ` +
    `is ${peak.toFixed(0)} GFLOP/s\n`,
);
console.log('| operator | share | ms a step | calls a step | of the ceiling |');
console.log('| --- | --- | --- | --- | --- |');
const summed = [...byOp].map(([op, all]) => ({
  op,
  all,
  dur: all.reduce((sum, { dur }) => sum + dur, 0),
}));
const perStep = steps + 2;
for (const { op, all, dur } of summed.toSorted((x, y) => y.dur - x.dur).slice(0, 16)) {
  const done = all.reduce((sum, event) => sum + flops(event), 0);
  const share = done === 0 ? '' : `${((100 * done) / 1e3 / dur / peak).toFixed(0)} %`;
  const cells = [`${((100 * dur) / total).toFixed(1)} %`, (dur / 1000 / perStep).toFixed(1)];
  console.log(`| ${[op, ...cells, (all.length / perStep).toFixed(0), share].join(' | ')} |`);
}
process.exit(0);
