// Training on a GPU: does it compute what the CPU does, and how fast is it beside torch?
//
//   node setup/exec.mjs bench/cuda.ts [--device cuda] [--part losses|speed]
//
// losses: 20 optimizer steps of a small GPT-2 with dropout, on the device and on the CPU, in each
// precision. speed: whole optimizer steps of GPT-2 124M on equal shapes, torch and Retune in turns on
// the same GPU. Writes cuda.md when the device is cuda; needs a library of ONNX Runtime for CUDA, see
// docs/tour.md. $RETUNE_BENCH_PYTHON: a Python with torch for CUDA.
import { execFileSync } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { availableParallelism } from 'node:os';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { DEVICES, type Device } from '../training/devices/device.ts';
import { requireDevice } from '../training/devices/device-probe.ts';
import { START_SCALING } from '../training/loss-scaling.ts';
import { defineModel } from '../training/model.ts';
import { dropoutKeys } from '../training/models/dropout-keys.ts';
import type { Precision } from '../training/models/precision.ts';
import type { Example } from '../training/pass-tensors.ts';
import { initializeTensor } from '../training/random/weight-initialization.ts';
import { loadRuntime } from '../training/runtime/runtime.ts';
import { chooseTrainable } from '../training/trainable.ts';
import { openTrainingSession } from '../training/training-session.ts';
import { machine, peerPython } from './environment.ts';
import { median, Peer } from './peers/turns.ts';

const PARTS = ['losses', 'speed'] as const;
const { values } = parseArgs({
  options: {
    device: { type: 'string', default: 'cuda' },
    part: { type: 'string', multiple: true },
  },
});
const parts = values.part ?? PARTS;
const device = DEVICES.find((known) => known === values.device);
if (device === undefined) throw new Error(`--device: expected one of ${DEVICES.join(', ')}`);
const runtime = loadRuntime();
await requireDevice(runtime, device);

const PRECISIONS: readonly Precision[] = ['float32', 'bfloat16', 'float16'];
const STEPS = 20;
const SMALL = {
  ...{ vocab_size: 1000, n_positions: 128, n_embd: 256, n_layer: 4, n_head: 4 },
  ...{ num_labels: 3, pad_token_id: 0 },
};

/** Losses of the same steps: on the device, or in our memory. */
async function losses(on: Device | undefined, precision: Precision): Promise<readonly number[]> {
  const model = defineModel(SMALL);
  const trainable = chooseTrainable(model, {});
  const session = await openTrainingSession({
    ...{ runtime, model, trainable, labelSmoothing: 0, padTokenId: 0, precision },
    limits: { tokensPerPass: 512, tokensPerRow: 128 },
    threads: availableParallelism(),
    optimizer: { kind: 'adamw', beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0.01 },
    ...(on !== undefined && { device: on }),
  });
  for (const { name, initializer: rule } of trainable.parameters) {
    await initializeTensor({ seed: 1, name, rule, target: session.weights(name) });
  }
  await session.upload();
  session.lossScale.value = precision === 'float16' ? START_SCALING.scale : 1;
  const found: number[] = [];
  for (let step = 1; step <= STEPS; step++) {
    const { loss } = await session.computeGradients(smallExamples(step));
    const norm = await session.optimizer.gradientNorm();
    const gradientScale = Math.min(1, 1 / (norm + 1e-6));
    await session.optimizer.update({ step, learningRate: 1e-3, gradientScale });
    found.push(loss);
  }
  await session.close();
  return found;
}

/** 16 examples of 20 to 95 tokens. */
function smallExamples(epoch: number): readonly Example[] {
  return Array.from({ length: 16 }, (_, row) => {
    const length = 20 + 5 * row;
    return {
      inputIds: Int32Array.from({ length }, (_unused, i) => 1 + ((31 * row + 7 * i) % 999)),
      targets: {
        positions: Int32Array.of(length - 1),
        labels: Int32Array.of(row % 3),
        weights: 1 / 16,
      },
      dropoutKeys: dropoutKeys({ seed: 1, epoch, rowId: `${row}`, length }),
    };
  });
}

async function compareLosses(on: Device): Promise<readonly string[]> {
  const expected = await losses(undefined, 'float32');
  const lines = [
    `## Losses of ${STEPS} steps beside those of the CPU`,
    '',
    '| precision | first loss | last loss | last on the CPU | largest relative difference |',
    '| --- | --- | --- | --- | --- |',
  ];
  for (const precision of PRECISIONS) {
    const found = await losses(on, precision).catch((error: unknown) => String(error));
    if (typeof found === 'string') {
      lines.push(`| ${precision} | ${found.slice(0, 200)} | | | |`);
      continue;
    }
    const worst = expected.reduce(
      (most, loss, i) => Math.max(most, Math.abs((found[i] ?? NaN) - loss) / loss),
      0,
    );
    const numbers = [found[0], found.at(-1), expected.at(-1)].map((loss) => loss?.toFixed(5));
    lines.push(`| ${precision} | ${numbers.join(' | ')} | ${worst.toExponential(1)} |`);
  }
  return lines;
}

const SHAPES = [
  [1, 64],
  [8, 64],
  [8, 128],
  [32, 128],
] as const;
const TURNS = 5;
const STEPS_A_TURN = 10;

async function compareSpeed(on: Device, python: string): Promise<readonly string[]> {
  const lines = [
    '## Whole optimizer steps of GPT-2 124M, in milliseconds',
    '',
    `Medians of ${TURNS} turns of ${STEPS_A_TURN} steps; torch with its scaled dot product attention and fused AdamW.`,
    '',
    '| batch × tokens | precision | torch | Retune | torch / Retune |',
    '| --- | --- | --- | --- | --- |',
  ];
  for (const [batch, tokens] of SHAPES) {
    for (const precision of PRECISIONS) {
      const [theirs, ours] = await stepSeconds(python, on, batch, tokens, precision);
      const cells = [theirs, ours].map((seconds) => (1000 * seconds).toFixed(1));
      const ratio = (theirs / ours).toFixed(2);
      lines.push(`| ${batch}×${tokens} | ${precision} | ${cells.join(' | ')} | ${ratio} |`);
      console.log(lines.at(-1));
    }
  }
  return lines;
}

async function stepSeconds(
  python: string,
  on: Device,
  batch: number,
  tokens: number,
  precision: Precision,
): Promise<readonly [number, number]> {
  const peer = (name: string): string => new URL(`./peers/${name}`, import.meta.url).pathname;
  const loader = pathToFileURL(createRequire(import.meta.url).resolve('tsx')).href;
  const numbers = [batch, tokens].map(String);
  const rest = [`${STEPS_A_TURN}`, `${availableParallelism()}`, on, precision];
  const torch = new Peer(python, [peer('steps.py'), ...numbers, 'sdpa', ...rest]);
  const entry = peer('retune-steps.ts');
  const retune = new Peer(process.execPath, ['--import', loader, entry, ...numbers, ...rest]);
  const peers = [torch, retune] as const;
  const medians: [number[], number[]] = [[], []];
  try {
    for (const side of peers) await side.untilWaiting();
    // The first turn compiles and fills caches.
    for (const side of peers) await side.turn();
    for (let turn = 0; turn < TURNS; turn++) {
      for (const [i, side] of peers.entries()) medians[i]?.push(median(await side.turn()));
    }
  } finally {
    for (const side of peers) await side.end();
  }
  return [median(medians[0]), median(medians[1])];
}

const python = parts.includes('speed') ? peerPython() : 'python3';
const gpu =
  device === 'cuda'
    ? execFileSync('nvidia-smi', ['--query-gpu=name,driver_version', '--format=csv,noheader'])
        .toString()
        .trim()
    : device;
const report = [
  '# Training on a GPU',
  '',
  `${gpu}; ONNX Runtime ${runtime.version}; ${machine(python)}. Made by bench/cuda.ts.`,
  '',
  ...(parts.includes('losses') ? [...(await compareLosses(device)), ''] : []),
  ...(parts.includes('speed') ? await compareSpeed(device, python) : []),
].join('\n');
console.log(report);
if (device === 'cuda') await writeFile(new URL('./cuda.md', import.meta.url), `${report.trim()}\n`);
