// Retune's side of a comparison: one training, from a JSON file, as peers/trainer.py.
import { readSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { trainingArgumentsSchema, type TrainingArgumentsInput } from '../../training/arguments.ts';
import { evaluate } from '../../training/evaluate.ts';
import { train } from '../../training/train.ts';
import type { ModelFiles } from '../../training/weights/model-files.ts';
import { openStore } from '../../store/open.ts';
import { tokenizedRows, type BenchRow } from '../rows.ts';

/** What both sides are told. Paths are local. */
export interface TrainingJob {
  readonly model: string;
  readonly rows: string;
  readonly pad: number;
  readonly threads: number;
  readonly args: TrainingArgumentsInput;
  readonly output: string;
  readonly result: string;
  readonly held_out?: string;
  /** Optimizer steps between two turns of the other side. */
  readonly pace?: number;
  /** Retune takes a checkpoint after so many steps. */
  readonly checkpoint_steps?: number;
}

export interface TrainingLog {
  readonly step: number;
  readonly loss: number;
  readonly grad_norm: number;
  readonly learning_rate: number;
}

const [, , file = ''] = process.argv;
const job = JSON.parse(await readFile(file, 'utf8')) as TrainingJob;
const read = async (path: string): Promise<readonly BenchRow[]> =>
  JSON.parse(await readFile(path, 'utf8')) as readonly BenchRow[];
const modelFiles: ModelFiles = {
  'config.json': join(job.model, 'config.json'),
  'model.safetensors': join(job.model, 'model.safetensors'),
};
await mkdir(job.output, { recursive: true });
const log: TrainingLog[] = [];
let stepBegun = 0;

const trained = await train({
  modelFiles,
  task: 'text-classification',
  trainRows: tokenizedRows(await read(job.rows)),
  labels: null,
  padTokenId: job.pad,
  args: trainingArgumentsSchema.parse(job.args),
  threads: job.threads,
  outputDirectory: job.output,
  ...(job.checkpoint_steps !== undefined && {
    checkpoints: {
      store: await openStore(`file:${job.output}/store`),
      key: 'bench',
      everySeconds: Infinity,
      everySteps: job.checkpoint_steps,
    },
  }),
  onEvent: (event) => {
    if (event.kind === 'started') waitForTurn();
    if (event.kind !== 'step') return;
    const { step, loss, gradNorm: grad_norm, learningRate: learning_rate } = event;
    log.push({ step, loss, grad_norm, learning_rate });
    if (job.pace === undefined) return;
    console.log(`step ${(performance.now() - stepBegun) / 1000}`);
    if (step % job.pace === 0) waitForTurn();
    stepBegun = performance.now();
  },
});
const result: Record<string, unknown> = { log };
if (job.held_out !== undefined) {
  const rows = tokenizedRows(await read(job.held_out));
  // As the other side: without the time to load the model.
  let begun: number | undefined;
  const answers = await evaluate({
    ...{ modelFiles: trained.modelFiles, rows, padTokenId: job.pad, threads: job.threads },
    onProgress: () => (begun ??= performance.now()),
  });
  result['eval_seconds'] = (performance.now() - (begun ?? NaN)) / 1000;
  if (answers.task === 'causal-lm') throw new Error('a classifier answered as a language model');
  const { logits, classes } = answers.logits;
  result['logits'] = rows.ids.map((_, row) => [
    ...logits.subarray(row * classes, (row + 1) * classes),
  ]);
}
result['peak_mib'] = process.resourceUsage().maxRSS / 1024;
await writeFile(job.result, JSON.stringify(result));

/** Stands still until the other side is done: training goes on when this returns. */
function waitForTurn(): void {
  if (job.pace === undefined) return;
  console.log('waiting');
  if (readSync(0, Buffer.alloc(64)) === 0) process.exit(0);
  stepBegun = performance.now();
}
