import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import { defineModel, type ModelDefinition } from '../../../training/model.ts';
import { initializeTensor } from '../../../training/random/weight-initialization.ts';
import { loadRuntime } from '../../../training/runtime/runtime.ts';
import { PACKING } from '../../../training/train.ts';
import { openTrainingSession } from '../../../training/training-session.ts';
import { SMALL_CONFIG } from './small-training.ts';

const define = (n_embd: number, n_head = 8): ModelDefinition =>
  defineModel({
    ...SMALL_CONFIG,
    n_embd,
    n_head,
    n_layer: 1,
    embd_pdrop: 0,
    attn_pdrop: 0,
    resid_pdrop: 0,
  });

test.each([
  { n_embd: 32, threads: 8 },
  { n_embd: 64, threads: 8 },
  { n_embd: 96, threads: 2 },
  { n_embd: 128, threads: 2 },
  { n_embd: 256, threads: 3 },
  { n_embd: 512, threads: 6 },
  { n_embd: 768, threads: 8 },
])('a model $n_embd wide uses $threads of 8 threads', ({ n_embd, threads }) => {
  expect(define(n_embd).sessionThreads(8)).toBe(threads);
});

test('a machine with one core uses two threads where others cannot use one', () => {
  expect([define(128), define(256)].map((model) => model.sessionThreads(1))).toEqual([2, 1]);
});

/** Digest of all gradients of a few tokens, fewer than the model is wide. */
async function gradientDigest(model: ModelDefinition, threads: number): Promise<string> {
  const session = await openTrainingSession({
    runtime: loadRuntime(),
    model,
    optimizer: { kind: 'adamw', beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0 },
    padTokenId: 0,
    limits: PACKING,
    threads,
  });
  const { state } = session;
  for (const [i, tensor] of state.tensors.entries()) {
    const rule = model.parameters[i]!.initializer;
    const target = state.view('parameters', tensor);
    await initializeTensor({ seed: 1, name: tensor.name, rule, target });
  }
  const examples = [28, 30, 22, 31].map((length, row) => ({
    inputIds: Int32Array.from({ length }, (_, i) => 1 + ((7 * i + 3 * row) % 60)),
    label: row % 3,
    weight: 1 / 4,
  }));
  await session.computeGradients(examples);
  const hash = createHash('sha256');
  for (const tensor of state.tensors) hash.update(state.view('gradients', tensor));
  await session.close();
  return hash.digest('hex');
}

test.each([96, 256])(
  'gradients of a model %i wide have the same bits on any number of threads',
  async (n_embd) => {
    const model = define(n_embd);
    const digests = new Set<string>();
    for (const threads of [1, 2, 3, 8]) digests.add(await gradientDigest(model, threads));
    expect(digests.size).toBe(1);
  },
);
