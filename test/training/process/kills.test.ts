import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { openStore } from '../../../store/open.ts';
import type { Store } from '../../../store/store.ts';
import { trainingArgumentsSchema } from '../../../training/arguments.ts';
import { writeFreshModel } from '../../../training/fresh-model.ts';
import { runJob, type TrainJob } from '../../../training/process.ts';
import { MersenneTwister } from '../../../training/random/mersenne-twister.ts';
import { modelDigests, SMALL_CONFIG, smallRows, temporaryFolder } from '../loop/small-training.ts';
import { writeRows } from './row-files.ts';

vi.setConfig({ testTimeout: 300_000 });

/** What a training is besides the small one that all are. */
type Variant = Omit<Partial<TrainJob>, 'args'> & {
  readonly config?: object;
  readonly args?: object;
};

const BEST = { load_best_model_at_end: true, eval_strategy: 'steps', eval_steps: 3 };
const BERT = {
  ...{ model_type: 'bert', vocab_size: 61, hidden_size: 16, num_hidden_layers: 2 },
  ...{ num_attention_heads: 2, intermediate_size: 32, max_position_embeddings: 32 },
};
const NO_DROPOUT = { resid_pdrop: 0, embd_pdrop: 0, attn_pdrop: 0 };

const VARIANTS: { readonly [name: string]: Variant } = {
  'full, with dropout': {},
  'without dropout, one example a pass': { config: NO_DROPOUT, tokensPerPass: 8 },
  lora: { lora: { r: 2, alpha: 4, dropout: 0.1 } },
  frozen: { freeze: { all_but_last: 1 } },
  'causal-lm': { task: 'causal-lm' },
  'early stopping': { args: BEST, earlyStopping: { patience: 2, threshold: 0 } },
  'best model': { args: { ...BEST, learning_rate: 3e-2 } },
  'an encoder': { config: BERT },
};

const names = Object.keys(VARIANTS);
/** 20 seeds of each would be minutes of starting processes: they are shared out. */
const SEEDS = Array.from({ length: 20 }, (_, seed) => ({
  seed,
  name: names[seed % names.length] ?? '',
}));

let folder = '';
let store: Store;
const jobs = new Map<string, { readonly job: TrainJob; readonly digests: object }>();

beforeAll(async () => {
  folder = await temporaryFolder();
  store = await openStore(`file:${join(folder, 'store')}`);
  const files = {
    trainFile: await writeRows(join(folder, 'train.arrow'), smallRows(26, 1)),
    evalFile: await writeRows(join(folder, 'eval.arrow'), smallRows(10, 2)),
  };
  for (const [index, name] of names.entries()) {
    const job = await jobOf(VARIANTS[name] ?? {}, join(folder, `${index}`), files);
    const whole = await runJob({ ...job, threads: 1 });
    jobs.set(name, { job, digests: await modelDigests(whole) });
  }
}, 300_000);
afterAll(() => rm(folder, { recursive: true }));

async function jobOf(
  variant: Variant,
  directory: string,
  files: Pick<TrainJob, 'trainFile' | 'evalFile'>,
): Promise<TrainJob> {
  const { config, args, ...rest } = variant;
  const outputDirectory = join(directory, 'output');
  await mkdir(outputDirectory, { recursive: true });
  const whole =
    config === undefined || !('model_type' in config) ? { ...SMALL_CONFIG, ...config } : config;
  const fresh = await writeFreshModel({
    config: { ...whole, num_labels: 3, pad_token_id: 0 },
    ...{ seed: 7, directory },
  });
  return {
    kind: 'train',
    task: 'text-classification',
    modelFiles: fresh.modelFiles,
    ...files,
    labels: ['negative', 'neutral', 'positive'],
    padTokenId: 0,
    args: trainingArgumentsSchema.parse({
      ...{ per_device_train_batch_size: 2, gradient_accumulation_steps: 2, learning_rate: 1e-2 },
      ...args,
    }),
    threads: 2,
    outputDirectory,
    ...rest,
  };
}

/** Runs a job and kills its process after a number of optimizer steps. */
async function killedAfter(job: TrainJob, steps: number): Promise<void> {
  let pid = 0;
  let left = steps;
  const ended = runJob(job, {
    onEvent: (event) => {
      if (event.kind === 'process') pid = event.pid;
      if (event.kind === 'step' && --left === 0) process.kill(pid, 'SIGKILL');
    },
  });
  await expect(ended).rejects.toThrow('was killed by SIGKILL');
}

test.each(SEEDS)('seed $seed, killed at a random step: $name', async ({ seed, name }) => {
  const { job, digests } = jobs.get(name) ?? {};
  if (job === undefined) throw new Error(`there is no ${name}`);
  const random = new MersenneTwister(seed);
  const checkpoints = {
    ...{ storeUrl: store.url, key: `kill-${seed}`, everySeconds: 1000 },
    everySteps: 1 + (random.next() % 3),
  };
  await killedAfter({ ...job, checkpoints }, 1 + (random.next() % 8));
  const threads = 1 + (random.next() % 4);
  const result = await runJob({ ...job, checkpoints, threads });
  expect(await modelDigests(result)).toEqual(digests);
});

test('768 wide, 1,024 tokens a pass: killed and resumed on other threads, the same bytes', async () => {
  const rows = smallRows(96, 4);
  const trainFile = await writeRows(join(folder, 'wide.arrow'), rows);
  const job = await jobOf(
    {
      config: { n_embd: 768, n_head: 12, n_layer: 1 },
      args: { per_device_train_batch_size: 96, gradient_accumulation_steps: 1, max_steps: 4 },
    },
    join(folder, 'wide'),
    { trainFile },
  );
  const digests = new Set<string>();
  for (const threads of [1, 2, 4]) {
    digests.add(JSON.stringify(await modelDigests(await runJob({ ...job, threads }))));
  }
  const key = 'kill-wide';
  const checkpoints = { storeUrl: store.url, key, everySeconds: 1000, everySteps: 1 };
  await killedAfter({ ...job, checkpoints, threads: 2 }, 3);
  const resumed = await runJob({ ...job, checkpoints, threads: 4 });
  expect(resumed.resumedFromStep).toBeGreaterThan(0);
  digests.add(JSON.stringify(await modelDigests(resumed)));
  expect(digests.size).toBe(1);
});
