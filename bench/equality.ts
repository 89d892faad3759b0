// Do Retune and Hugging Face's Trainer compute the same? Prints a table, writes equality.md.
//
//   node setup/exec.mjs bench/equality.ts [--part steps|predictions|seeds]
//
// steps: 50 optimizer steps without dropout, twice: default arguments; weight decay, warm-up, cosine
// and a row count that leaves short batches. predictions: 3 epochs without dropout, then 1,000
// held-out rows. seeds: 3 epochs with dropout, five seeds a side.
import { execFileSync } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import type { TrainingArgumentsInput } from '../training/arguments.ts';
import { openSafetensors } from '../training/weights/safetensors-file.ts';
import { machine, peerPython, sharedFolder } from './environment.ts';
import type { TrainingJob, TrainingLog } from './peers/retune.ts';
import { readRows, type BenchRow } from './rows.ts';

const PARTS = ['steps', 'predictions', 'seeds'] as const;
const { values } = parseArgs({ options: { part: { type: 'string', multiple: true } } });
const parts = values.part ?? PARTS;
const python = peerPython();
const shared = sharedFolder();
const folder = await mkdtemp(join(tmpdir(), 'retune-equality-'));

interface ModelCase {
  readonly name: string;
  readonly base: string;
  readonly pad: number;
  readonly batch: TrainingArgumentsInput;
}

const MODELS: readonly ModelCase[] = [
  {
    name: 'MiniLM (batch 8)',
    base: join(shared, 'models', 'all-MiniLM-L6-v2'),
    pad: 0,
    batch: { per_device_train_batch_size: 8 },
  },
  {
    name: 'GPT-2 124M (1 x 4)',
    base: join(shared, 'models', 'gpt2'),
    pad: 50256,
    batch: { per_device_train_batch_size: 1, gradient_accumulation_steps: 4 },
  },
];

/** Dropout of any of the architectures. */
const DROPOUTS = /dropout|pdrop/;

interface Outcome {
  readonly log: readonly Partial<TrainingLog>[];
  readonly logits?: readonly (readonly number[])[];
}

function run(command: string, args: readonly string[]): void {
  execFileSync(command, args, { stdio: ['ignore', 'ignore', 'inherit'] });
}

async function json(name: string, value: unknown): Promise<string> {
  const path = join(folder, name);
  await writeFile(path, JSON.stringify(value));
  return path;
}

/** A classifier that both sides begin with, without dropout unless it is asked for. */
async function begin(model: ModelCase, hasDropout: boolean): Promise<string> {
  const target = join(folder, `${hasDropout ? 'dropout' : 'plain'}-${MODELS.indexOf(model)}`);
  const job = { command: 'init', base: model.base, folder: target, labels: 3, seed: 1 };
  run(python, [peer('trainer.py'), await json('init.json', job)]);
  if (hasDropout) return target;
  const path = join(target, 'config.json');
  const config = JSON.parse(await readFile(path, 'utf8')) as Record<string, unknown>;
  for (const [key, value] of Object.entries(config)) {
    if (DROPOUTS.test(key) && typeof value === 'number') config[key] = 0;
  }
  await writeFile(path, JSON.stringify(config));
  return target;
}

function peer(name: string): string {
  return join(import.meta.dirname, 'peers', name);
}

interface Sides {
  readonly ours: Outcome;
  readonly theirs: Outcome;
  readonly weights: readonly [string, string];
}

async function both(name: string, job: Omit<TrainingJob, 'output' | 'result'>): Promise<Sides> {
  const outcomes: Outcome[] = [];
  const weights: [string, string] = ['', ''];
  for (const [index, side] of (['retune', 'trainer'] as const).entries()) {
    const output = join(folder, `${name}-${side}`);
    await mkdir(output, { recursive: true });
    const result = join(output, 'result.json');
    weights[index] = join(output, 'model.safetensors');
    const whole = { command: 'train', ...job, output, result, weights: weights[index] };
    const path = await json(`${name}-${side}.json`, whole);
    if (side === 'retune') run(process.execPath, ['--import', 'tsx', peer('retune.ts'), path]);
    else run(python, [peer('trainer.py'), path]);
    outcomes.push(JSON.parse(await readFile(result, 'utf8')) as Outcome);
  }
  const [ours, theirs] = outcomes;
  if (ours === undefined || theirs === undefined) throw new Error('a side is missing');
  return { ours, theirs, weights };
}

const worst = (values: readonly number[]): number => Math.max(...values);

/** Largest relative differences of the logged numbers of two trainings. */
function stepDifferences({ ours, theirs }: Sides): Record<string, number> {
  const logged = theirs.log.filter(({ loss }) => loss !== undefined);
  const relative = (key: keyof TrainingLog): number =>
    worst(
      logged.map((row, i) => {
        const [a, b] = [ours.log[i]?.[key] ?? NaN, row[key] ?? NaN];
        return a === b ? 0 : Math.abs(a - b) / Math.abs(b);
      }),
    );
  return {
    steps: logged.length,
    loss: relative('loss'),
    grad_norm: relative('grad_norm'),
    learning_rate: relative('learning_rate'),
  };
}

async function tensorsOf(path: string): Promise<ReadonlyMap<string, Float32Array>> {
  const file = await openSafetensors(path);
  const tensors = new Map<string, Float32Array>();
  for (const tensor of file.tensors) {
    const elements = new Float32Array(tensor.byteLength / 4);
    await file.read(tensor, elements);
    tensors.set(tensor.name, elements);
  }
  await file.close();
  return tensors;
}

/** Largest |Δ - Δ'| / |Δ'| of a tensor's change, and its name. BERT's key.bias has no gradient. */
async function changeDifference(
  initial: string,
  [ours, theirs]: readonly [string, string],
): Promise<{ readonly difference: number; readonly tensor: string }> {
  const [start, a, b] = await Promise.all([initial, ours, theirs].map(tensorsOf));
  let most = { difference: 0, tensor: '' };
  for (const [name, before] of start ?? []) {
    if (name.endsWith('key.bias')) continue;
    const [mine, other] = [a?.get(name), b?.get(name)];
    if (mine === undefined || other === undefined) throw new Error(`a side has no ${name}`);
    let [distance, size] = [0, 0];
    for (const [i, value] of before.entries()) {
      if (isKeyBias(name, i, before.length)) continue;
      distance += ((mine[i] ?? NaN) - (other[i] ?? NaN)) ** 2;
      size += ((other[i] ?? NaN) - value) ** 2;
    }
    const difference = size === 0 ? 0 : Math.sqrt(distance / size);
    if (difference >= most.difference) most = { difference, tensor: name };
  }
  return most;
}

/** GPT-2 keeps the biases of queries, keys and values in one tensor. */
function isKeyBias(name: string, index: number, length: number): boolean {
  return name.endsWith('c_attn.bias') && Math.floor((3 * index) / length) === 1;
}

const rowsOf = new Map<string, readonly BenchRow[]>();
async function rows(model: ModelCase): Promise<readonly BenchRow[]> {
  const known = rowsOf.get(model.base);
  if (known !== undefined) return known;
  const read = await readRows(join(shared, 'data', 'tweets.jsonl'), model.base, 128);
  rowsOf.set(model.base, read);
  return read;
}

const CONFIGURATIONS: readonly {
  readonly name: string;
  readonly rows: number;
  readonly args: TrainingArgumentsInput;
}[] = [
  { name: 'defaults', rows: 1000, args: {} },
  {
    name: 'weight decay 0.1, 10 steps of warm-up, cosine, short batches',
    rows: 93,
    args: { weight_decay: 0.1, warmup_steps: 10, lr_scheduler_type: 'cosine' },
  },
];

async function compareSteps(report: string[]): Promise<void> {
  report.push(
    '| model | arguments | steps | loss | grad_norm | learning rate | change of the worst tensor after 10 steps |',
    '| --- | --- | --- | --- | --- | --- | --- |',
  );
  for (const model of MODELS) {
    const initial = await begin(model, false);
    for (const { name, rows: count, args } of CONFIGURATIONS) {
      const data = await json('rows.json', (await rows(model)).slice(0, count));
      const job = (steps: number): Omit<TrainingJob, 'output' | 'result'> => ({
        ...{ model: initial, rows: data, pad: model.pad, threads: 2 },
        args: { ...model.batch, ...args, max_steps: steps, logging_steps: 1 },
      });
      const found = stepDifferences(await both('steps', job(50)));
      const { weights } = await both('change', job(10));
      const change = await changeDifference(join(initial, 'model.safetensors'), weights);
      const numbers = ['loss', 'grad_norm', 'learning_rate'].map((key) =>
        (found[key] ?? NaN).toExponential(1),
      );
      const line = [model.name, name, found['steps'], ...numbers];
      line.push(`${change.difference.toExponential(1)} (${change.tensor})`);
      report.push(`| ${line.join(' | ')} |`);
      console.log(report.at(-1));
    }
  }
}

function predictedOf(outcome: Outcome): readonly number[] {
  return (outcome.logits ?? []).map((row) => row.indexOf(Math.max(...row)));
}

/** Trains 3 epochs on 1,000 rows and answers the other 1,000. */
async function threeEpochs(model: ModelCase, initial: string, seed: number): Promise<Sides> {
  const all = await rows(model);
  return both('epochs', {
    ...{ model: initial, pad: model.pad, threads: 2 },
    rows: await json('train.json', all.slice(0, 1000)),
    held_out: await json('held-out.json', all.slice(1000)),
    args: { ...model.batch, num_train_epochs: 3, seed },
  });
}

async function comparePredictions(report: string[]): Promise<void> {
  for (const model of MODELS.slice(0, 1)) {
    const { ours, theirs } = await threeEpochs(model, await begin(model, false), 42);
    const [a, b] = [predictedOf(ours), predictedOf(theirs)];
    const same = a.filter((label, row) => label === b[row]).length;
    report.push(
      `${model.name}, 3 epochs over 1,000 tweets without dropout: ${same} of ${b.length} held-out predictions are the same.`,
    );
    console.log(report.at(-1));
  }
}

/** 97.5 % quantile of Student's t with 8 degrees of freedom: two sides of five. */
const T_8 = 2.306;

async function compareSeeds(report: string[]): Promise<void> {
  for (const model of MODELS.slice(0, 1)) {
    const initial = await begin(model, true);
    const labels = (await rows(model)).slice(1000).map(({ label }) => label);
    const accuracies: [number[], number[]] = [[], []];
    for (const seed of [1, 2, 3, 4, 5]) {
      const { ours, theirs } = await threeEpochs(model, initial, seed);
      for (const [side, outcome] of [ours, theirs].entries()) {
        const hits = predictedOf(outcome).filter((label, row) => label === labels[row]).length;
        accuracies[side as 0 | 1].push((100 * hits) / labels.length);
      }
      console.log(
        seed,
        accuracies.map((side) => side.at(-1)),
      );
    }
    const [ours, theirs] = accuracies;
    const difference = mean(ours) - mean(theirs);
    const half = T_8 * Math.sqrt((variance(ours) + variance(theirs)) / 5);
    report.push(
      `${model.name}, 3 epochs with dropout, five seeds a side: accuracy ${mean(ours).toFixed(2)} % ` +
        `(${ours.join(', ')}) and ${mean(theirs).toFixed(2)} % (${theirs.join(', ')}); difference ` +
        `${difference.toFixed(2)}, 95 % interval ${(difference - half).toFixed(2)} to ${(difference + half).toFixed(2)} points.`,
    );
    console.log(report.at(-1));
  }
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

function variance(values: readonly number[]): number {
  const centre = mean(values);
  return values.reduce((sum, value) => sum + (value - centre) ** 2, 0) / (values.length - 1);
}

const report: string[] = [];
if (parts.includes('steps')) await compareSteps(report);
if (parts.includes('predictions')) await comparePredictions(report);
if (parts.includes('seeds')) await compareSeeds(report);
await rm(folder, { recursive: true });
console.log(`\n${machine(python)}\n\n${report.join('\n')}`);
