import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { defineModel, type ModelDefinition } from '../../../training/model.ts';
import { gradientName } from '../../../training/models/model-graph.ts';
import type { Pass } from '../../../training/packing.ts';
import type { Example } from '../../../training/pass-tensors.ts';
import { relativeDeviation } from '../graph/evaluation.ts';
import {
  classified,
  examplesOf,
  inOneRow,
  onePerRow,
  readModelFixture,
  runModel,
  trainingGraph,
  valuesOf,
  type ModelFixture,
  type NamedValues,
} from './model-fixture.ts';

const reference = await readModelFixture('gpt2-reference');
const variant = await readModelFixture('gpt2-variant');

/** How far our float32 numbers may lie from torch's float64 ones, relative to the largest. */
const TOLERANCE = { logits: 2e-6, loss: 5e-7, gradients: 5e-6 };

/** Differences between two ways to compute the same in float32. */
const ROUNDING = 2e-6;

interface TrainingRun {
  readonly fixture: ModelFixture;
  /** Fields of config.json that differ from the fixture's. */
  readonly change?: { readonly [field: string]: unknown };
  readonly examples?: readonly Example[];
  readonly pass?: Pass;
  readonly trainable?: readonly string[];
}

function train(run: TrainingRun): Promise<NamedValues> {
  const { fixture, change, trainable } = run;
  const model = defineModel({ ...fixture.config, ...change });
  const examples = run.examples ?? examplesOf(fixture);
  return runModel({
    model: trainingGraph(model, { ...(trainable && { trainable }) }),
    weights: fixture.weights,
    examples,
    pass: run.pass ?? onePerRow(examples),
    padTokenId: model.padTokenId,
  });
}

/** Deviations from the reference; of the gradients, the worst tensor's. */
function deviations(
  fixture: ModelFixture,
  outputs: NamedValues,
): Record<keyof typeof TOLERANCE, number> {
  return {
    logits: relativeDeviation(valuesOf(outputs, 'logits'), fixture.logits.flat()),
    loss: relativeDeviation(valuesOf(outputs, 'loss'), [fixture.loss]),
    gradients: worstGradient(fixture.model, outputs, (name) => valuesOf(fixture.gradients, name)),
  };
}

function worstGradient(
  model: ModelDefinition,
  outputs: NamedValues,
  expected: (name: string) => Float32Array,
): number {
  const tensors = model.parameters.map(({ name }) =>
    relativeDeviation(valuesOf(outputs, gradientName(name)), expected(name)),
  );
  return Math.max(...tensors);
}

test.each([
  { name: 'gpt2-reference', fixture: reference },
  { name: 'gpt2-variant', fixture: variant },
])('$name: logits, loss and every gradient are those of torch', async ({ fixture }) => {
  const found = deviations(fixture, await train({ fixture }));
  expect(found.logits).toBeLessThan(TOLERANCE.logits);
  expect(found.loss).toBeLessThan(TOLERANCE.loss);
  expect(found.gradients).toBeLessThan(TOLERANCE.gradients);
});

test.each<{ fixture: ModelFixture; change: { readonly [field: string]: unknown } }>([
  { fixture: reference, change: { activation_function: 'gelu' } },
  { fixture: reference, change: { activation_function: 'relu' } },
  { fixture: reference, change: { layer_norm_epsilon: 1e-6 } },
  { fixture: reference, change: { layer_norm_epsilon: 1e-12 } },
  { fixture: reference, change: { scale_attn_weights: false } },
  { fixture: variant, change: { activation_function: 'gelu_new' } },
  { fixture: variant, change: { layer_norm_epsilon: 1e-5 } },
  { fixture: variant, change: { scale_attn_weights: true } },
])('the tolerances notice $change', async ({ fixture, change }) => {
  const found = deviations(fixture, await train({ fixture, change }));
  expect(found.logits).toBeGreaterThan(20 * TOLERANCE.logits);
  expect(found.loss).toBeGreaterThan(20 * TOLERANCE.loss);
  expect(found.gradients).toBeGreaterThan(20 * TOLERANCE.gradients);
});

test('both names of the tanh GELU are one function', async () => {
  const change = { activation_function: 'gelu_pytorch_tanh' };
  expect(await train({ fixture: reference, change })).toEqual(await train({ fixture: reference }));
});

test('examples packed into one row give what they give one by one', async () => {
  const examples = examplesOf(reference);
  const packed = await train({ fixture: reference, pass: inOneRow(examples, 3) });
  expect(deviations(reference, packed).gradients).toBeLessThan(TOLERANCE.gradients);

  const sums = new Map<string, Float32Array>();
  const logits: number[] = [];
  for (const example of examples) {
    const alone = await train({ fixture: reference, examples: [example] });
    logits.push(...valuesOf(alone, 'logits'));
    for (const [name, values] of alone) {
      const sum = sums.get(name);
      sums.set(
        name,
        sum === undefined ? values : sum.map((value, i) => value + (values[i] ?? NaN)),
      );
    }
  }
  expect(relativeDeviation(valuesOf(packed, 'logits'), logits)).toBeLessThan(ROUNDING);
  expect(relativeDeviation(valuesOf(packed, 'loss'), valuesOf(sums, 'loss'))).toBeLessThan(
    ROUNDING,
  );
  const worst = worstGradient(reference.model, packed, (name) =>
    valuesOf(sums, gradientName(name)),
  );
  expect(worst).toBeLessThan(ROUNDING);
});

test('an example does not see what it is packed with', async () => {
  const examples = examplesOf(reference);
  const ids = (examples[3]?.inputIds ?? new Int32Array()).map((id) => (id + 40) % 97);
  const changed = examples.with(3, classified(reference.model, ids, 0, 5));
  const before = valuesOf(await train({ fixture: reference, pass: inOneRow(examples) }), 'logits');
  const after = valuesOf(
    await train({ fixture: reference, examples: changed, pass: inOneRow(examples) }),
    'logits',
  );
  expect(after.subarray(0, 9)).toEqual(before.subarray(0, 9));
  expect(after.subarray(9, 12)).not.toEqual(before.subarray(9, 12));
  expect(after.subarray(12)).toEqual(before.subarray(12));
});

test('an example of weight 0 changes nothing', async () => {
  const [first, second, third] = examplesOf(reference);
  if (!first || !second || !third) throw new Error('the fixture has too few examples');
  const pass = inOneRow([first, second, third]);
  const labelled = (label: number): Example =>
    classified(reference.model, second.inputIds, label, 0);
  const rest = [first, labelled(0), third];
  const relabelled = [first, labelled(1), third];
  const outputs = await train({ fixture: reference, examples: rest, pass });
  expect(await train({ fixture: reference, examples: relabelled, pass })).toEqual(outputs);
  const without = await train({ fixture: reference, examples: [first, third] });
  expect(
    worstGradient(reference.model, outputs, (name) => valuesOf(without, gradientName(name))),
  ).toBeLessThan(ROUNDING);
});

test('only trainable parameters have a gradient, the same as if all had', async () => {
  const trainable = ['score.weight', 'transformer.h.1.ln_2.bias'];
  const all = await train({ fixture: reference });
  const some = await train({ fixture: reference, trainable });
  expect([...some.keys()]).toEqual(['logits', 'loss', ...trainable.map(gradientName)]);
  for (const [name, values] of some) expect([name, values]).toEqual([name, all.get(name)]);
});

test('inference computes the training graph’s logits, and each target’s loss', async () => {
  const examples = examplesOf(reference);
  const model = reference.model.inferenceGraph();
  const outputs = await runModel({
    model,
    weights: reference.weights,
    examples,
    pass: onePerRow(examples),
    padTokenId: reference.model.padTokenId,
  });
  expect([...outputs.keys()]).toEqual(['logits', 'losses']);
  const training = await train({ fixture: reference });
  expect(outputs.get('logits')).toEqual(training.get('logits'));
  const losses = valuesOf(outputs, 'losses');
  const mean = losses.reduce((sum, loss) => sum + loss, 0) / losses.length;
  expect(relativeDeviation(valuesOf(training, 'loss'), [mean])).toBeLessThan(ROUNDING);
});

test('parameters have Hugging Face’s names, and its Trainer’s decay', async () => {
  const specs = reference.model.parameters;
  const file = new URL('../../fixtures/gpt2-reference/reference.json', import.meta.url);
  const { training } = JSON.parse(await readFile(file, 'utf8')) as {
    training: { decayed: readonly string[] };
  };
  const elements = specs.map(
    ({ name, shape }) => [name, shape.reduce((n, axis) => n * axis, 1)] as const,
  );
  const saved = [...reference.weights].map(([name, { length }]) => [name, length] as const);
  expect(new Map(elements)).toEqual(new Map(saved));
  const decayed = specs.filter(({ isDecayed }) => isDecayed).map(({ name }) => name);
  expect(decayed.toSorted()).toEqual(training.decayed);
});

test('fresh weights follow GPT-2’s initialization', () => {
  const { n_embd, n_inner } = { n_embd: 12, n_inner: 20 };
  const config = { ...variant.config, n_layer: 2, initializer_range: 0.02 };
  const normal = { kind: 'normal', std: 0.02 };
  const residual = { kind: 'normal', std: 0.01 };
  expect(
    defineModel(config)
      .parameters.filter(({ name }) => !name.includes('.h.0.'))
      .map(({ name, shape, initializer }) => [name, shape, initializer]),
  ).toEqual([
    ['transformer.wte.weight', [19, n_embd], normal],
    ['transformer.wpe.weight', [8, n_embd], normal],
    ['transformer.h.1.ln_1.weight', [n_embd], { kind: 'ones' }],
    ['transformer.h.1.ln_1.bias', [n_embd], { kind: 'zeros' }],
    ['transformer.h.1.attn.c_attn.weight', [n_embd, 36], normal],
    ['transformer.h.1.attn.c_attn.bias', [36], { kind: 'zeros' }],
    ['transformer.h.1.attn.c_proj.weight', [n_embd, n_embd], residual],
    ['transformer.h.1.attn.c_proj.bias', [n_embd], { kind: 'zeros' }],
    ['transformer.h.1.ln_2.weight', [n_embd], { kind: 'ones' }],
    ['transformer.h.1.ln_2.bias', [n_embd], { kind: 'zeros' }],
    ['transformer.h.1.mlp.c_fc.weight', [n_embd, n_inner], normal],
    ['transformer.h.1.mlp.c_fc.bias', [n_inner], { kind: 'zeros' }],
    ['transformer.h.1.mlp.c_proj.weight', [n_inner, n_embd], residual],
    ['transformer.h.1.mlp.c_proj.bias', [n_embd], { kind: 'zeros' }],
    ['transformer.ln_f.weight', [n_embd], { kind: 'ones' }],
    ['transformer.ln_f.bias', [n_embd], { kind: 'zeros' }],
    ['score.weight', [3, n_embd], normal],
  ]);
});
