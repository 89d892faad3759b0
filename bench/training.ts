// How fast is training beside torch and Trainer? Both sides take turns in one run; medians of 5.
//
//   node setup/exec.mjs bench/training.ts [--part shapes|jobs|footprint|evaluation] [--job MiniLM]
//
// shapes: whole optimizer steps of GPT-2 124M on equal shapes, against torch's faster attention.
// jobs: real tweets, dropout, clipping; against Trainer with dynamic padding and the fastest split
// of the same effective batch; ours with checkpoints. footprint: of the same jobs, the time from the
// process's start to the end of its first step, and its peak memory. evaluation: of held-out tweets,
// both at their best batch.
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { execFileSync } from 'node:child_process';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { machine, peerPython, sharedFolder } from './environment.ts';
import { JOBS, type JobCase } from './peers/jobs.ts';
import { median, Peer } from './peers/turns.ts';
import { readRows } from './rows.ts';

const PARTS = ['shapes', 'jobs', 'footprint', 'evaluation'] as const;
const TURNS = 5;
/**
 * About two minutes of training. By time, one would be taken in nearly every turn, as the turns of
 * the others count; what one costs is in checkpoints.md.
 */
const CHECKPOINT_STEPS = 200;
const { values } = parseArgs({
  options: { part: { type: 'string', multiple: true }, job: { type: 'string', default: '' } },
});
const parts = values.part ?? PARTS;
const jobs = JOBS.filter(({ name }) => name.includes(values.job));
const python = peerPython();
const shared = sharedFolder();
const threads = availableParallelism();
const folder = await mkdtemp(join(tmpdir(), 'retune-bench-'));
const report: string[] = [];

function peer(name: string): string {
  return join(import.meta.dirname, 'peers', name);
}

function retunePeer(name: string, args: readonly string[]): Peer {
  return new Peer(process.execPath, ['--import', 'tsx', peer(name), ...args]);
}

/** Lets the sides take turns. @returns the median of each one's medians of a turn, in seconds */
async function compare(sides: readonly Peer[]): Promise<readonly number[]> {
  for (const side of sides) await side.untilWaiting();
  // The first turn warms up.
  for (const side of sides) await side.turn();
  const medians: number[][] = sides.map(() => []);
  for (let turn = 0; turn < TURNS; turn++) {
    for (const [i, side] of sides.entries()) medians[i]?.push(median(await side.turn()));
  }
  for (const side of sides) await side.end();
  return medians.map(median);
}

function milliseconds(seconds: number | undefined): string {
  return `${Math.round(1000 * (seconds ?? NaN))} ms`;
}

function say(line: string): void {
  report.push(line);
  console.log(line);
}

async function compareShapes(): Promise<void> {
  say('| batch x tokens | Retune | torch sdpa | torch eager | times faster | asked |');
  say('| --- | --- | --- | --- | --- | --- |');
  for (const [batch, tokens, asked] of [
    [1, 64, 1.5],
    [8, 64, 1],
    [8, 128, 1],
  ] as const) {
    const pace = batch === 1 ? 4 : 2;
    const numbers = [batch, tokens].map(String);
    const torch = (attention: string): Peer =>
      new Peer(python, [peer('steps.py'), ...numbers, attention, `${pace}`, `${threads}`]);
    const ours = retunePeer('retune-steps.ts', [...numbers, `${pace}`, `${threads}`]);
    const [mine = NaN, sdpa = NaN, eager = NaN] = await compare([
      ours,
      torch('sdpa'),
      torch('eager'),
    ]);
    const ratio = Math.min(sdpa, eager) / mine;
    const cells = [`${batch} x ${tokens}`, ...[mine, sdpa, eager].map(milliseconds)];
    say(`| ${[...cells, ratio.toFixed(2), asked.toFixed(1)].join(' | ')} |`);
  }
}

/** Arguments of a training that goes on for as long as it is asked to. */
function trainArguments(batch: number, accumulation: number): object {
  return {
    ...{ per_device_train_batch_size: batch, gradient_accumulation_steps: accumulation },
    ...{ max_steps: 10_000, logging_steps: 10_000 },
  };
}

async function json(name: string, value: unknown): Promise<string> {
  const path = join(folder, name);
  await writeFile(path, JSON.stringify(value));
  return path;
}

async function compareJobs(): Promise<void> {
  say('| job | Retune | Trainer, by batch x accumulation | times faster | asked |');
  say('| --- | --- | --- | --- | --- |');
  for (const job of jobs) {
    const { base, rows } = await jobFiles(job);
    const side = async (
      batch: number,
      accumulation: number,
      width: number | null,
    ): Promise<string> => {
      const args = trainArguments(batch, accumulation);
      const name = `${batch}-${accumulation}-${width}`;
      return json(`${name}.json`, {
        ...{ command: 'train', model: base, rows, pad: job.pad, threads, width, args, pace: 6 },
        ...{ output: join(folder, `output-${name}`), result: join(folder, 'result.json') },
        checkpoint_steps: CHECKPOINT_STEPS,
      });
    };
    const ours = retunePeer('retune.ts', [await side(job.effective, 1, null)]);
    const theirs: Peer[] = [];
    for (const split of job.splits) {
      theirs.push(new Peer(python, [peer('trainer.py'), await side(...split)]));
    }
    const [mine = NaN, ...others] = await compare([ours, ...theirs]);
    const fastest = Math.min(...others.filter((_, i) => job.splits[i]?.[2] === null));
    const named = job.splits.map(([batch, accumulation, width], i) => {
      const padding = width === null ? '' : `, padded to ${width}`;
      return `${batch} x ${accumulation}${padding}: ${milliseconds(others[i])}`;
    });
    const cells = [job.name, milliseconds(mine), named.join('; '), (fastest / mine).toFixed(2)];
    say(`| ${[...cells, job.asked.toFixed(1)].join(' | ')} |`);
  }
}

/** Steps after which the peak of memory is read: long ones and short ones. */
const FOOTPRINT_STEPS = 24;
const FOOTPRINT_ROUNDS = 3;

async function compareFootprint(): Promise<void> {
  say('| job | side | first step after | peak memory |');
  say('| --- | --- | --- | --- |');
  for (const job of jobs) {
    const { base, rows } = await jobFiles(job);
    const [[batch, accumulation] = [1, 1]] = job.splits;
    const footprints: Footprint[][] = [[], []];
    for (let round = 0; round < FOOTPRINT_ROUNDS; round++) {
      footprints[0]?.push(await footprint(job, { base, rows }, [job.effective, 1], true));
      footprints[1]?.push(await footprint(job, { base, rows }, [batch, accumulation], false));
    }
    const names = ['Retune, a checkpoint copy included', `Trainer, ${batch} x ${accumulation}`];
    for (const [i, name] of names.entries()) {
      const seconds = median((footprints[i] ?? []).map((found) => found.seconds));
      const mib = median((footprints[i] ?? []).map((found) => found.mib));
      say(`| ${job.name} | ${name} | ${seconds.toFixed(1)} s | ${mib.toFixed(0)} MiB |`);
    }
  }
}

interface Footprint {
  /** From the process's start to the end of its first step. */
  readonly seconds: number;
  readonly mib: number;
}

async function footprint(
  job: JobCase,
  files: { readonly base: string; readonly rows: string },
  [batch, accumulation]: readonly [number, number],
  isOurs: boolean,
): Promise<Footprint> {
  const args = trainArguments(batch, accumulation);
  const output = join(folder, `footprint-${isOurs}`);
  const path = await json('footprint.json', {
    ...{ command: 'train', model: files.base, rows: files.rows, pad: job.pad, threads, args },
    ...{ pace: 1, output, result: join(folder, 'result.json') },
    ...(isOurs && { checkpoint_steps: 8 }),
  });
  const begun = performance.now();
  const side = isOurs
    ? retunePeer('retune.ts', [path])
    : new Peer(python, [peer('trainer.py'), path]);
  await side.untilWaiting();
  await side.turn();
  const seconds = (performance.now() - begun) / 1000;
  for (let step = 1; step < FOOTPRINT_STEPS; step++) await side.turn();
  const mib = side.peakMib();
  await side.end();
  // What it checkpointed is not to be resumed.
  await rm(output, { recursive: true, force: true });
  return { seconds, mib };
}

/** A model that both sides begin with, and the rows of the tweets for it. */
async function jobFiles(job: JobCase): Promise<{ readonly base: string; readonly rows: string }> {
  const source = join(shared, 'models', job.model);
  const base = join(folder, job.model);
  const init = { command: 'init', base: source, folder: base, labels: 3, seed: 1 };
  execFileSync(python, [peer('trainer.py'), await json('init.json', init)], { stdio: 'ignore' });
  const all = await readRows(join(shared, 'data', 'tweets.jsonl'), source, 128);
  return { base, rows: await json('rows.json', all) };
}

/** How the other side evaluates: as Trainer does, or in batches of rows sorted by length. */
const EVALUATIONS = [
  { by: 'trainer', batches: [4, 8, 32] },
  { by: 'sorted', batches: [8, 32] },
] as const;

async function compareEvaluation(): Promise<void> {
  say(
    '| evaluation | Retune | Trainer.predict | torch, rows sorted by length | times faster | asked |',
  );
  say('| --- | --- | --- | --- | --- | --- |');
  // One of each model.
  for (const job of jobs.filter(({ effective }) => effective === 8)) {
    const { base, rows } = await jobFiles(job);
    const all = JSON.parse(await readFile(rows, 'utf8')) as unknown[];
    const heldOut = await json('held-out.json', all.slice(1000, 1000 + job.evaluated));
    const result = join(folder, 'result.json');
    const shared = {
      ...{ command: 'train', model: base, rows, pad: job.pad, threads, held_out: heldOut, result },
      ...{ args: { max_steps: 1 }, output: join(folder, 'output') },
    };
    const seconds = async (eval_by: string | undefined, eval_batch: number): Promise<number> => {
      const path = await json('evaluation.json', { ...shared, eval_by, eval_batch });
      const [command, args] =
        eval_by === undefined
          ? [process.execPath, ['--import', 'tsx', peer('retune.ts'), path]]
          : [python, [peer('trainer.py'), path]];
      execFileSync(command, args, { stdio: 'ignore' });
      return (JSON.parse(await readFile(result, 'utf8')) as { eval_seconds: number }).eval_seconds;
    };
    // Which batch is best is found once.
    const best: { by: string; batch: number }[] = [];
    for (const { by, batches } of EVALUATIONS) {
      const taken: { batch: number; found: number }[] = [];
      for (const batch of batches) taken.push({ batch, found: await seconds(by, batch) });
      const [first] = taken.toSorted((x, y) => x.found - y.found);
      best.push({ by, batch: first?.batch ?? 0 });
    }
    const mine: number[] = [];
    const theirs: number[][] = best.map(() => []);
    for (let turn = 0; turn < TURNS; turn++) {
      mine.push(await seconds(undefined, 0));
      for (const [i, { by, batch }] of best.entries()) theirs[i]?.push(await seconds(by, batch));
    }
    const named = best.map(
      ({ batch }, i) => `batch ${batch}: ${median(theirs[i] ?? []).toFixed(1)} s`,
    );
    const ratios = theirs.map((taken) => (median(taken) / median(mine)).toFixed(2));
    const cells = [`${job.model}, ${job.evaluated} tweets`, `${median(mine).toFixed(1)} s`];
    say(`| ${[...cells, ...named, ratios.join(' and '), '1.5'].join(' | ')} |`);
  }
}

if (parts.includes('shapes')) await compareShapes();
if (parts.includes('jobs')) await compareJobs();
if (parts.includes('footprint')) await compareFootprint();
if (parts.includes('evaluation')) await compareEvaluation();
await rm(folder, { recursive: true });
console.log(`\n${machine(python)}\n\n${report.join('\n')}`);
