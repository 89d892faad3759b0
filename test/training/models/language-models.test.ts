import { describe, expect, test } from 'vitest';
import { stepExamples } from '../../../training/step-examples.ts';
import { relativeDeviation } from '../graph/evaluation.ts';
import {
  inOneRow,
  onePerRow,
  readModelFixture,
  rowsOf,
  runModel,
  valuesOf,
} from './model-fixture.ts';
import { deviations, ROUNDING, TOLERANCE, trainOnce } from './model-run.ts';

const FIXTURES = [
  { name: 'gpt2-lm-reference', fixture: await readModelFixture('gpt2-lm-reference') },
  { name: 'gpt2-lm-untied', fixture: await readModelFixture('gpt2-lm-untied') },
];

describe.each(FIXTURES)('$name', ({ fixture }) => {
  const { model } = fixture;
  const mask = fixture.examples.flatMap(({ completion_mask }) => completion_mask);
  const rows = { ...rowsOf(fixture.examples), completionMask: Uint8Array.from(mask) };
  const source = { rows, model, padTokenId: null, dropoutSeed: undefined };
  // The mean over all tokens: one of the micro-batches has more of them than the other.
  const examples = stepExamples(source, [Uint32Array.of(0, 1), Uint32Array.of(2, 3)], 0);

  test.each([
    { name: 'one per row', pass: onePerRow(examples) },
    { name: 'in one row', pass: inOneRow(examples, 2) },
  ])('$name: logits, loss and every gradient are those of torch', async ({ pass }) => {
    const found = deviations(fixture, await trainOnce({ fixture, examples, pass }));
    expect(found.logits).toBeLessThan(TOLERANCE.logits);
    expect(found.loss).toBeLessThan(TOLERANCE.loss);
    expect(found.gradients).toBeLessThan(TOLERANCE.gradients);
  });

  test('the tolerances notice another epsilon', async () => {
    const change = { layer_norm_epsilon: 1e-6 };
    const found = deviations(fixture, await trainOnce({ fixture, change, examples }));
    expect(found.logits).toBeGreaterThan(20 * TOLERANCE.logits);
    expect(found.loss).toBeGreaterThan(20 * TOLERANCE.loss);
    expect(found.gradients).toBeGreaterThan(20 * TOLERANCE.gradients);
  });

  test('inference tells each token’s loss', async () => {
    const outputs = await runModel({
      ...{ model: model.inferenceGraph(), weights: fixture.weights },
      ...{ examples, pass: onePerRow(examples), padTokenId: null },
    });
    const losses = valuesOf(outputs, 'losses');
    expect(losses).toHaveLength(fixture.logits.length);
    const mean = losses.reduce((sum, loss) => sum + loss, 0) / losses.length;
    expect(relativeDeviation([mean], [fixture.loss])).toBeLessThan(ROUNDING);
  });

  test('parameters have Hugging Face’s names, and its Trainer’s decay', () => {
    const names = model.parameters.map((spec) => spec.name);
    expect(names.toSorted()).toEqual([...fixture.weights.keys()].toSorted());
    const decayed = model.parameters.filter(({ isDecayed }) => isDecayed).map((spec) => spec.name);
    expect(decayed.toSorted()).toEqual(fixture.decayed.toSorted());
  });

  test('a row that predicts nothing changes nothing', async () => {
    const lonely = { input_ids: [3], completion_mask: [1] };
    const prompt = { input_ids: [4, 5], completion_mask: [0, 0] };
    const all = [...fixture.examples, lonely, prompt];
    const more = {
      ...rowsOf(all),
      completionMask: Uint8Array.from(all.flatMap(({ completion_mask }) => completion_mask)),
    };
    const batch = Uint32Array.from(all.keys());
    const with6 = stepExamples({ ...source, rows: more }, [batch], 0);
    const outputs = await trainOnce({ fixture, examples: with6, pass: inOneRow(with6) });
    const logits = valuesOf(outputs, 'logits').subarray(0, fixture.logits.flat().length);
    const found = deviations(fixture, new Map([...outputs, ['logits', logits]]));
    expect(found.loss).toBeLessThan(TOLERANCE.loss);
    expect(found.gradients).toBeLessThan(TOLERANCE.gradients);
  });
});
