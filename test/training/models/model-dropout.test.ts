import { fromBinary } from '@bufbuild/protobuf';
import { ModelProtoSchema } from 'onnx-buf';
import { describe, expect, test } from 'vitest';
import { dropoutKeys } from '../../../training/models/dropout-keys.ts';
import { defineModel } from '../../../training/model.ts';
import { gradientName } from '../../../training/models/model-graph.ts';
import type { Pass } from '../../../training/packing.ts';
import type { Example } from '../../../training/pass-tensors.ts';
import { relativeDeviation } from '../graph/evaluation.ts';
import {
  examplesOf,
  inOneRow,
  onePerRow,
  readModelFixture,
  runModel,
  trainingGraph,
  valuesOf,
  type NamedValues,
} from './model-fixture.ts';
import type { Change } from './model-run.ts';

const OF_BERT = { hidden_dropout_prob: 0.1, attention_probs_dropout_prob: 0.2 };
/** With every kind of dropout that the model has, and one of its matrices. */
const MODELS = [
  {
    name: 'gpt2-reference',
    rates: { embd_pdrop: 0.1, attn_pdrop: 0.2, resid_pdrop: 0.3 },
    matrix: 'transformer.h.0.attn.c_attn.weight',
  },
  {
    name: 'bert-reference',
    rates: { ...OF_BERT, classifier_dropout: 0.3 },
    matrix: 'bert.encoder.layer.0.attention.self.value.weight',
  },
  {
    name: 'distilbert-reference',
    rates: { dropout: 0.1, attention_dropout: 0.2, seq_classif_dropout: 0.3 },
    matrix: 'distilbert.transformer.layer.0.attention.v_lin.weight',
  },
  {
    name: 'roberta-reference',
    rates: { ...OF_BERT, classifier_dropout: 0.3 },
    matrix: 'roberta.encoder.layer.0.attention.self.value.weight',
  },
];

describe.each(MODELS)('$name', async ({ name, rates, matrix }) => {
  const reference = await readModelFixture(name);
  const model = defineModel({ ...reference.config, ...rates });
  const graph = trainingGraph(model, { dropout: true });

  /** The fixture's examples with their keys, numbered as rows of a dataset. */
  function withDropout(epoch: number): readonly Example[] {
    return examplesOf(reference).map((example, i) => ({
      ...example,
      dropoutKeys: dropoutKeys({ seed: 3, epoch, rowId: `${i}`, length: example.inputIds.length }),
    }));
  }

  function train(
    examples: readonly Example[],
    pass: Pass,
    weights: NamedValues = reference.weights,
  ): Promise<NamedValues> {
    return runModel({ model: graph, weights, examples, pass, padTokenId: model.padTokenId });
  }

  test('masks do not depend on how examples are packed', async () => {
    const examples = withDropout(0);
    const packed = await train(examples, inOneRow(examples, 2));
    const padded = await train(examples, onePerRow(examples));
    for (const [output, values] of packed) {
      // Their true gradient is 0: there is nothing but rounding to compare.
      if (/\.(key|k_lin)\.bias$/.test(output)) continue;
      const deviation = relativeDeviation(values, valuesOf(padded, output));
      expect([output, deviation < 3e-6]).toEqual([output, true]);
    }
  });

  test('masks are the same again, and others in the next epoch', async () => {
    const examples = withDropout(0);
    const pass = onePerRow(examples);
    const first = await train(examples, pass);
    expect(await train(examples, pass)).toEqual(first);
    const next = await train(withDropout(1), pass);
    const deviation = relativeDeviation(valuesOf(next, 'logits'), valuesOf(first, 'logits'));
    expect(deviation).toBeGreaterThan(0.05);
  });

  test('the gradient is that of the masked model', async () => {
    const examples = withDropout(0);
    const pass = onePerRow(examples);
    const weights = valuesOf(reference.weights, matrix);
    const gradient = valuesOf(await train(examples, pass), gradientName(matrix));
    const norm = Math.hypot(...gradient);
    const lossAt = async (offset: number): Promise<number> => {
      const moved = weights.map((weight, i) => weight + (offset * (gradient[i] ?? NaN)) / norm);
      const outputs = await train(examples, pass, new Map([...reference.weights, [matrix, moved]]));
      return valuesOf(outputs, 'loss')[0] ?? NaN;
    };
    /** Central difference: off by a share of step². */
    const slope = async (step: number): Promise<number> =>
      ((await lossAt(step)) - (await lossAt(-step))) / (2 * step);
    const [wide, narrow] = [await slope(0.004), await slope(0.002)];
    const extrapolated = (4 * narrow - wide) / 3;
    expect(Math.abs(extrapolated / norm - 1)).toBeLessThan(1e-3);
  });
});

/** Places where models of two layers drop something. */
test.each<{ name: string; rates: Change; sites: number }>([
  { name: 'gpt2-reference', rates: { embd_pdrop: 0.1 }, sites: 1 },
  { name: 'gpt2-reference', rates: { attn_pdrop: 0.1 }, sites: 2 },
  { name: 'gpt2-reference', rates: { resid_pdrop: 0.1 }, sites: 4 },
  { name: 'gpt2-reference', rates: {}, sites: 0 },
  // Embeddings, after attention and MLP of each layer, before the classifier.
  { name: 'bert-reference', rates: { hidden_dropout_prob: 0.1 }, sites: 6 },
  {
    name: 'bert-reference',
    rates: { hidden_dropout_prob: 0.1, classifier_dropout: 0 },
    sites: 5,
  },
  { name: 'bert-reference', rates: { attention_probs_dropout_prob: 0.1 }, sites: 2 },
  { name: 'bert-reference', rates: { classifier_dropout: 0.1 }, sites: 1 },
  { name: 'bert-reference', rates: {}, sites: 0 },
  // Embeddings, after the MLP of each layer: there is none after attention.
  { name: 'distilbert-reference', rates: { dropout: 0.1 }, sites: 3 },
  { name: 'distilbert-reference', rates: { attention_dropout: 0.1 }, sites: 2 },
  { name: 'distilbert-reference', rates: { seq_classif_dropout: 0.1 }, sites: 1 },
  { name: 'distilbert-reference', rates: {}, sites: 0 },
  // As BERT, but twice in the head.
  { name: 'roberta-reference', rates: { hidden_dropout_prob: 0.1 }, sites: 7 },
  { name: 'roberta-reference', rates: { attention_probs_dropout_prob: 0.1 }, sites: 2 },
  { name: 'roberta-reference', rates: { classifier_dropout: 0.1 }, sites: 2 },
  { name: 'roberta-reference', rates: {}, sites: 0 },
])('$name with $rates: $sites places', async ({ name, rates, sites }) => {
  const { config } = await readModelFixture(name);
  const without = operatorCounts(config, false);
  const found = operatorCounts({ ...config, ...rates }, true);
  const count = (counts: ReadonlyMap<string, number>): number => counts.get('LessOrEqual') ?? 0;
  expect(count(found) - count(without)).toBe(sites);
  if (sites === 0) expect(found).toEqual(without);
});

function operatorCounts(config: Change, dropout: boolean): ReadonlyMap<string, number> {
  const { onnx } = trainingGraph(defineModel(config), { dropout });
  const counts = new Map<string, number>();
  for (const { opType } of fromBinary(ModelProtoSchema, onnx).graph?.node ?? []) {
    counts.set(opType, (counts.get(opType) ?? 0) + 1);
  }
  return counts;
}
