import { fromBinary } from '@bufbuild/protobuf';
import { ModelProtoSchema } from 'onnx-buf';
import { expect, test } from 'vitest';
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

const reference = await readModelFixture('gpt2-reference');
const config = {
  ...reference.config,
  embd_pdrop: 0.1,
  attn_pdrop: 0.2,
  resid_pdrop: 0.3,
};

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
  const model = defineModel(config);
  const { padTokenId } = model;
  const graph = trainingGraph(model, { dropout: true });
  return runModel({ model: graph, weights, examples, pass, padTokenId });
}

test('masks do not depend on how examples are packed', async () => {
  const examples = withDropout(0);
  const packed = await train(examples, inOneRow(examples, 2));
  const padded = await train(examples, onePerRow(examples));
  for (const [name, values] of packed) {
    const deviation = relativeDeviation(values, valuesOf(padded, name));
    expect([name, deviation < 3e-6]).toEqual([name, true]);
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
  const name = 'transformer.h.0.attn.c_attn.weight';
  const weights = valuesOf(reference.weights, name);
  const gradient = valuesOf(await train(examples, pass), gradientName(name));
  const norm = Math.hypot(...gradient);
  const step = 0.01;
  const lossAt = async (offset: number): Promise<number> => {
    const moved = weights.map((weight, i) => weight + (offset * (gradient[i] ?? NaN)) / norm);
    const outputs = await train(examples, pass, new Map([...reference.weights, [name, moved]]));
    return valuesOf(outputs, 'loss')[0] ?? NaN;
  };
  const slope = ((await lossAt(step)) - (await lossAt(-step))) / (2 * step);
  expect(Math.abs(slope / norm - 1)).toBeLessThan(1e-3);
});

test.each([
  { rates: { embd_pdrop: 0.1 }, sites: 1 },
  { rates: { attn_pdrop: 0.1 }, sites: 2 },
  { rates: { resid_pdrop: 0.1 }, sites: 4 },
  { rates: {}, sites: 0 },
])('$rates: $sites places of a model of two layers', ({ rates, sites }) => {
  const without = operatorCounts({ ...reference.config }, false);
  const found = operatorCounts({ ...reference.config, ...rates }, true);
  const count = (counts: ReadonlyMap<string, number>): number => counts.get('LessOrEqual') ?? 0;
  expect(count(found) - count(without)).toBe(sites);
  if (sites === 0) expect(found).toEqual(without);
});

function operatorCounts(
  model: { readonly [field: string]: unknown },
  dropout: boolean,
): ReadonlyMap<string, number> {
  const { onnx } = trainingGraph(defineModel(model), { dropout });
  const counts = new Map<string, number>();
  for (const { opType } of fromBinary(ModelProtoSchema, onnx).graph?.node ?? []) {
    counts.set(opType, (counts.get(opType) ?? 0) + 1);
  }
  return counts;
}
