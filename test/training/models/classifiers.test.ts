import { describe, expect, test } from 'vitest';
import { gradientName } from '../../../training/models/model-graph.ts';
import type { Example } from '../../../training/pass-tensors.ts';
import { relativeDeviation } from '../graph/evaluation.ts';
import {
  classified,
  examplesOf,
  inOneRow,
  onePerRow,
  readModelFixture,
  runModel,
  valuesOf,
} from './model-fixture.ts';
import {
  deviations,
  ROUNDING,
  TOLERANCE,
  trainOnce,
  worstGradient,
  type Change,
} from './model-run.ts';

const FIXTURES = [
  { name: 'gpt2-reference', fixture: await readModelFixture('gpt2-reference') },
  { name: 'bert-reference', fixture: await readModelFixture('bert-reference') },
  { name: 'distilbert-reference', fixture: await readModelFixture('distilbert-reference') },
  { name: 'roberta-reference', fixture: await readModelFixture('roberta-reference') },
];
const VARIANT = { name: 'gpt2-variant', fixture: await readModelFixture('gpt2-variant') };

/** What the tolerances must notice of each. */
const CHANGES: { readonly [fixture: string]: readonly Change[] } = {
  'gpt2-reference': [
    { activation_function: 'gelu' },
    { activation_function: 'relu' },
    { layer_norm_epsilon: 1e-6 },
    { layer_norm_epsilon: 1e-12 },
    { scale_attn_weights: false },
  ],
  'gpt2-variant': [
    { activation_function: 'gelu_new' },
    { layer_norm_epsilon: 1e-5 },
    { scale_attn_weights: true },
  ],
  'bert-reference': [
    { hidden_act: 'gelu_new' },
    { hidden_act: 'relu' },
    { layer_norm_eps: 1e-5 },
    { num_attention_heads: 2 },
  ],
  'distilbert-reference': [{ activation: 'gelu_new' }, { activation: 'relu' }, { n_heads: 2 }],
  'roberta-reference': [
    { hidden_act: 'gelu_new' },
    { layer_norm_eps: 1e-12 },
    { layer_norm_eps: 1e-6 },
    { pad_token_id: 0 },
  ],
};

describe.each([...FIXTURES, VARIANT])('$name', ({ name, fixture }) => {
  test('logits, loss and every gradient are those of torch', async () => {
    const found = deviations(fixture, await trainOnce({ fixture }));
    expect(found.logits).toBeLessThan(TOLERANCE.logits);
    expect(found.loss).toBeLessThan(TOLERANCE.loss);
    expect(found.gradients).toBeLessThan(TOLERANCE.gradients);
  });

  test.each((CHANGES[name] ?? []).map((change) => ({ change })))(
    'the tolerances notice $change',
    async ({ change }) => {
      const found = deviations(fixture, await trainOnce({ fixture, change }));
      expect(found.logits).toBeGreaterThan(20 * TOLERANCE.logits);
      expect(found.loss).toBeGreaterThan(20 * TOLERANCE.loss);
      expect(found.gradients).toBeGreaterThan(20 * TOLERANCE.gradients);
    },
  );

  test('parameters have Hugging Face’s names, and its Trainer’s decay', () => {
    const specs = fixture.model.parameters;
    const elements = specs.map(
      (spec) => [spec.name, spec.shape.reduce((n, axis) => n * axis, 1)] as const,
    );
    const saved = [...fixture.weights].map(([saves, { length }]) => [saves, length] as const);
    expect(new Map(elements)).toEqual(new Map(saved));
    const decayed = specs.filter(({ isDecayed }) => isDecayed).map((spec) => spec.name);
    expect(decayed.toSorted()).toEqual(fixture.decayed.toSorted());
  });
});

describe.each(FIXTURES)('packing $name', ({ fixture }) => {
  const { model } = fixture;

  test('examples in one row give what they give one by one', async () => {
    const examples = examplesOf(fixture);
    const packed = await trainOnce({ fixture, pass: inOneRow(examples, 3) });
    expect(deviations(fixture, packed).gradients).toBeLessThan(TOLERANCE.gradients);

    const { logits, sums } = await oneByOne(examples);
    expect(relativeDeviation(valuesOf(packed, 'logits'), logits)).toBeLessThan(ROUNDING);
    expect(relativeDeviation(valuesOf(packed, 'loss'), valuesOf(sums, 'loss'))).toBeLessThan(
      ROUNDING,
    );
    const worst = worstGradient(fixture, packed, (parameter) =>
      valuesOf(sums, gradientName(parameter)),
    );
    expect(worst).toBeLessThan(ROUNDING);
  });

  async function oneByOne(examples: readonly Example[]) {
    const sums = new Map<string, Float32Array>();
    const logits: number[] = [];
    for (const example of examples) {
      const alone = await trainOnce({ fixture, examples: [example] });
      logits.push(...valuesOf(alone, 'logits'));
      for (const [output, values] of alone) {
        const sum = sums.get(output);
        const next = sum?.map((value, i) => value + (values[i] ?? NaN)) ?? values;
        sums.set(output, next);
      }
    }
    return { logits, sums };
  }

  test('an example does not see what it is packed with', async () => {
    const examples = examplesOf(fixture);
    const ids = (examples[3]?.inputIds ?? new Int32Array()).map((id) => (id + 40) % 61);
    const changed = examples.with(3, classified(model, ids, 0, 5));
    const pass = inOneRow(examples);
    const before = valuesOf(await trainOnce({ fixture, pass }), 'logits');
    const after = valuesOf(await trainOnce({ fixture, examples: changed, pass }), 'logits');
    expect(after.subarray(0, 9)).toEqual(before.subarray(0, 9));
    expect(after.subarray(9, 12)).not.toEqual(before.subarray(9, 12));
    expect(after.subarray(12)).toEqual(before.subarray(12));
  });

  test('an example of weight 0 changes nothing', async () => {
    const [first, second, third] = examplesOf(fixture);
    if (!first || !second || !third) throw new Error('the fixture has too few examples');
    const pass = inOneRow([first, second, third]);
    const labelled = (label: number): readonly Example[] => [
      ...[first, classified(model, second.inputIds, label, 0), third],
    ];
    const outputs = await trainOnce({ fixture, examples: labelled(0), pass });
    expect(await trainOnce({ fixture, examples: labelled(1), pass })).toEqual(outputs);
    const without = await trainOnce({ fixture, examples: [first, third] });
    const worst = worstGradient(fixture, outputs, (parameter) =>
      valuesOf(without, gradientName(parameter)),
    );
    expect(worst).toBeLessThan(ROUNDING);
  });

  test('only trainable parameters have a gradient, the same as if all had', async () => {
    const [last = '', middle = ''] = [model.parameters.at(-1), model.parameters.at(-9)].map(
      (spec) => spec?.name,
    );
    const trainable = [middle, last];
    const all = await trainOnce({ fixture });
    const some = await trainOnce({ fixture, trainable });
    expect([...some.keys()]).toEqual(['logits', 'loss', ...trainable.map(gradientName)]);
    for (const [output, values] of some)
      expect([output, values]).toEqual([output, all.get(output)]);
  });

  test('inference computes the training graph’s logits, and each target’s loss', async () => {
    const examples = examplesOf(fixture);
    const outputs = await runModel({
      model: model.inferenceGraph(),
      weights: fixture.weights,
      examples,
      pass: onePerRow(examples),
      padTokenId: model.padTokenId,
    });
    expect([...outputs.keys()]).toEqual(['logits', 'losses']);
    const training = await trainOnce({ fixture });
    expect(outputs.get('logits')).toEqual(training.get('logits'));
    const losses = valuesOf(outputs, 'losses');
    const mean = losses.reduce((sum, loss) => sum + loss, 0) / losses.length;
    expect(relativeDeviation(valuesOf(training, 'loss'), [mean])).toBeLessThan(ROUNDING);
  });
});

/** Whose row of the pad token has no gradient: torch's padding_idx. */
const EMBEDDINGS = { word_embeddings: true, position_embeddings: false };
test.each([
  { name: 'bert-reference', rowsAlone: EMBEDDINGS },
  { name: 'distilbert-reference', rowsAlone: EMBEDDINGS },
  { name: 'roberta-reference', rowsAlone: { ...EMBEDDINGS, position_embeddings: true } },
])('$name: a pad token inside a text moves no row of padding', async ({ name, rowsAlone }) => {
  const fixture = await readModelFixture(name);
  const outputs = await trainOnce({ fixture, pass: inOneRow(examplesOf(fixture), 3) });
  const pad = fixture.model.padTokenId ?? NaN;
  for (const [part, isAlone] of Object.entries(rowsAlone)) {
    const parameter = fixture.model.parameters.find((spec) => spec.name.includes(part));
    const [, width = NaN] = parameter?.shape ?? [];
    const gradient = valuesOf(outputs, gradientName(parameter?.name ?? ''));
    const row = gradient.subarray(width * pad, width * (pad + 1));
    expect([part, row.every((value) => value === 0)]).toEqual([part, isAlone]);
  }
});
