import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { SHARED, sharedTest } from '../../data/shared-data.ts';
import { defineModel, type ModelDefinition } from '../../../training/model.ts';
import { elementsOf } from '../../../training/models/parameters.ts';
import { gradientName } from '../../../training/models/model-graph.ts';
import type { Example } from '../../../training/pass-tensors.ts';
import { loadWeights } from '../../../training/weights/weight-loading.ts';
import { randomNumbers, relativeDeviation } from '../graph/evaluation.ts';
import {
  classified,
  inOneRow,
  onePerRow,
  openModel,
  trainingGraph,
  valuesOf,
  type NamedValues,
} from './model-fixture.ts';
import type { Change } from './model-run.ts';

// Real pretrained weights: a BERT of 6 layers, 384 wide. See make-minilm-reference.py.

interface Reference {
  readonly examples: readonly { readonly input_ids: readonly number[]; readonly label: number }[];
  readonly logits: readonly (readonly number[])[];
  readonly loss: number;
  /** Of each parameter's gradient: its norm, and its product with `whole` numbers. */
  readonly gradients: { readonly [parameter: string]: readonly [number, number] };
}

const MODEL = 'models/all-MiniLM-L6-v2';
const withModel = sharedTest(`${MODEL}/model.safetensors`);

/** The numbers that the head is made of, and gradients are multiplied by. */
function whole(count: number): Float32Array {
  return Float32Array.from({ length: count }, (_, i) => (((i * 7919) % 1009) - 504) / 4096);
}

let reference: Reference;
beforeAll(async () => {
  const file = new URL('../../fixtures/minilm.json', import.meta.url);
  reference = JSON.parse(await readFile(file, 'utf8')) as Reference;
});

/** The base of a classifier, with the reference's head. */
async function readMiniLm(change: Change = {}) {
  const folder = join(SHARED, MODEL);
  const json = JSON.parse(await readFile(join(folder, 'config.json'), 'utf8')) as object;
  const model = defineModel({ ...json, num_labels: 3, ...change });
  const weights = new Map<string, Float32Array>(
    model.parameters.map((spec) => [spec.name, new Float32Array(elementsOf(spec))]),
  );
  const created = await loadWeights({
    ...{ ...model, files: [join(folder, 'model.safetensors')], specs: model.parameters, seed: 1 },
    target: ({ name }) => weights.get(name),
  });
  expect(created).toEqual(model.head);
  for (const name of created) weights.set(name, whole(weights.get(name)?.length ?? 0));
  return { model, weights };
}

function examplesFor(model: ModelDefinition): readonly Example[] {
  return reference.examples.map(({ input_ids, label }) =>
    classified(model, Int32Array.from(input_ids), label, 1 / reference.examples.length),
  );
}

withModel('logits, loss and gradients are those of transformers', async () => {
  const { model, weights } = await readMiniLm();
  const { padTokenId } = model;
  const open = openModel({ model: trainingGraph(model), weights, padTokenId, threads: 2 });
  const examples = examplesFor(model);
  const outputs = await open.run(examples, inOneRow(examples));
  open.release();
  expect(relativeDeviation(valuesOf(outputs, 'logits'), reference.logits.flat())).toBeLessThan(
    5e-6,
  );
  expect(relativeDeviation(valuesOf(outputs, 'loss'), [reference.loss])).toBeLessThan(5e-7);
  expect(Object.keys(reference.gradients)).toHaveLength(model.parameters.length);
  for (const { name } of model.parameters) {
    // Softmax does not see a bias of the keys: its gradient is 0 but for rounding.
    if (name.endsWith('.key.bias')) continue;
    const gradient = valuesOf(outputs, gradientName(name));
    const [norm, product] = reference.gradients[name] ?? [NaN, NaN];
    const factors = whole(gradient.length);
    const found = gradient.reduce((sum, value, i) => sum + value * (factors[i] ?? NaN), 0);
    const deviation = Math.max(
      Math.abs(normOf(gradient) / norm - 1),
      Math.abs(found - product) / (norm * normOf(factors)),
    );
    expect([name, deviation < 5e-6]).toEqual([name, true]);
  }
});

withModel('the tolerances notice another GELU and another epsilon', async () => {
  for (const change of [{ hidden_act: 'gelu_new' }, { layer_norm_eps: 1e-5 }]) {
    const { model, weights } = await readMiniLm(change);
    const examples = examplesFor(model);
    const { padTokenId } = model;
    const open = openModel({ model: model.inferenceGraph(), weights, padTokenId, threads: 2 });
    const outputs = await open.run(examples, inOneRow(examples));
    open.release();
    const logits = valuesOf(outputs, 'logits');
    expect(relativeDeviation(logits, reference.logits.flat())).toBeGreaterThan(20 * 5e-6);
  }
});

describe('packed against one by one', () => {
  withModel('MiniLM', async () => {
    const { model, weights } = await readMiniLm();
    expect(await farFromPacked(model, weights, examplesFor(model).slice(0, 5))).toEqual([]);
  });

  test('a GPT-2 of two layers', async () => {
    const model = defineModel({
      ...{ n_layer: 2, n_embd: 384, n_head: 6, vocab_size: 211, n_positions: 64 },
      ...{ num_labels: 3, pad_token_id: 0 },
    });
    const fresh = new Map(
      model.parameters.map(({ name, shape }, i) => {
        const { data } = randomNumbers(shape, i, [-0.08, 0.08]);
        return [name, Float32Array.from(data)] as const;
      }),
    );
    const examples = [31, 12, 25, 40, 3, 18].map((length, row) => {
      const ids = Int32Array.from(randomNumbers([length], row, [1, 211]).data, Math.floor);
      return classified(model, ids, row % 3, 1 / 6);
    });
    expect(await farFromPacked(model, fresh, examples)).toEqual([]);
  });
});

/**
 * Checks that logits do not change by a bit with another example of their row.
 * @returns the gradients of which |g − g'| > 1e-4·|g'| + 1e-7·(the norm of all gradients)
 */
async function farFromPacked(
  model: ModelDefinition,
  values: NamedValues,
  examples: readonly Example[],
): Promise<readonly string[]> {
  const { padTokenId } = model;
  const graph = trainingGraph(model);
  const open = openModel({ model: graph, weights: values, padTokenId, threads: 2 });
  const packed = await open.run(examples, inOneRow(examples));
  const sums = new Map<string, Float32Array>();
  for (const example of examples) {
    for (const [name, part] of await open.run([example], onePerRow([example]))) {
      const sum = sums.get(name);
      if (sum === undefined) sums.set(name, part);
      else for (const [i, value] of part.entries()) sum[i] = (sum[i] ?? NaN) + value;
    }
  }
  const names = graph.trainable.map(gradientName);
  const globalNorm = Math.hypot(...names.map((name) => normOf(valuesOf(sums, name))));
  const far = names.filter((name) => {
    const alone = valuesOf(sums, name);
    const difference = valuesOf(packed, name).map((value, i) => value - (alone[i] ?? NaN));
    return !(normOf(difference) <= 1e-4 * normOf(alone) + 1e-7 * globalNorm);
  });

  const [first] = examples;
  if (first === undefined) throw new Error('there are no examples');
  const ids = first.inputIds.map((id) => (id + 57) % model.vocabulary);
  const changed = await open.run(
    [{ ...first, inputIds: ids }, ...examples.slice(1)],
    inOneRow(examples),
  );
  open.release();
  const [before, after] = [valuesOf(packed, 'logits'), valuesOf(changed, 'logits')];
  expect(after.subarray(0, 3)).not.toEqual(before.subarray(0, 3));
  expect(after.subarray(3)).toEqual(before.subarray(3));
  return far;
}

function normOf(values: Float32Array): number {
  return Math.sqrt(values.reduce((sum, value) => sum + value * value, 0));
}
